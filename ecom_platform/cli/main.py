"""The `ecom` command: the group, the spec option, and how errors end the process."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import click

from ecom_platform.cli.context import Context
from ecom_platform.errors import BusyError, ConfigurationError, EcomError

VERBS = {
    "up": "platform_verbs:up",
    "down": "platform_verbs:down",
    "status": "platform_verbs:status",
    "logs": "platform_verbs:logs",
    "reset": "platform_verbs:reset",
    "demo": "demo:demo",
    "launch": "launch:launch",
    "backup": "backup_verbs:backup",
    "snapshots": "backup_verbs:snapshots",
    "verify": "backup_verbs:verify",
    "restore": "backup_verbs:restore",
    "hold": "backup_verbs:hold",
    "unhold": "backup_verbs:unhold",
    "keys": "keys_verbs:keys",
    "retention": "retention_verbs:retention",
    "release": "release_verbs:release",
    "migrate": "migrate_verbs:migrate",
    "bench": "bench_verbs:bench",
    "drill": "drill_verbs:drill",
    "recover": "recover_verbs:recover",
    "contacts": "contacts:contacts",
    "train": "train_verb:train",
    "report": "report_verbs:report",
    "alerts": "alerts_verb:alerts",
    "metrics": "metrics_verb:metrics",
    "doctor": "doctor:doctor",
}
"""Each verb's module and name below ecom_platform.cli; imported when it is asked for, so --help is quick."""


class _Verbs(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in VERBS:
            return None
        module, name = VERBS[cmd_name].split(":")
        found: click.Command = getattr(importlib.import_module(f"ecom_platform.cli.{module}"), name)
        return found


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--spec", type=click.Path(dir_okay=False, path_type=Path), help="The shop's spec; default: the example.")
@click.version_option(package_name="ecom_platform")
@click.pass_context
def ecom(ctx: click.Context, spec: Path | None) -> None:
    """Operate an online shop, and prove that its backups restore.

    Exit codes: 0 passed, 1 failed, 2 usage or configuration, 3 inconclusive.

    Example: ecom up && ecom backup && ecom verify latest
    """
    ctx.obj = Context(spec)


def main() -> None:
    """Runs a verb; an EcomError ends it with its message and exit code, without a traceback."""
    try:
        ecom.main(standalone_mode=False)
    except EcomError as error:
        click.echo(f"ecom: {error}", err=True)
        sys.exit(2 if isinstance(error, ConfigurationError | BusyError) else 1)
    except click.exceptions.Exit as ending:
        sys.exit(ending.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except click.Abort:
        click.echo("ecom: interrupted", err=True)
        sys.exit(130)
