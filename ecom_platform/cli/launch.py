"""`ecom launch`: submit a job to the running instance, follow it, exit with its result."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import yaml

from ecom_platform.cli.context import Context
from ecom_platform.cli.runs import follow_run, webserver
from ecom_platform.clients.dagster_api import DagsterApi
from ecom_platform.errors import ConfigurationError


@click.command()
@click.argument("job")
@click.option("--config", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Run config, YAML.")
@click.option("--tag", "tags", multiple=True, metavar="KEY=VALUE", help="A tag for the run; may be repeated.")
@click.option("--url", help="The webserver's address; default: the local platform's.")
@click.option("--timeout", type=float, default=3600.0, show_default=True, help="Seconds to follow it.")
@click.pass_obj
def launch(
    context: Context, job: str, *, config: Path | None, tags: tuple[str, ...], url: str | None, timeout: float
) -> None:
    """Run JOB on the instance that is up, follow it, and exit with its result.

    Exit codes: 0 the run succeeded, 1 it failed, 2 there is no such job or instance,
    3 it did not end in time (it goes on).

    Example: ecom launch everyday --tag reason=rehearsal
    """
    api = DagsterApi(url or webserver(context))
    run = api.launch(job, config=_config(config), tags=_tags(tags))
    sys.exit(follow_run(api, run, seconds=timeout))


def _config(path: Path | None) -> dict[str, object]:
    content = yaml.safe_load(path.read_text(encoding="utf-8")) if path else {}
    if not isinstance(content, dict):
        raise ConfigurationError(f"read the run config {path}", "it is not a mapping")
    return content


def _tags(pairs: tuple[str, ...]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise click.BadParameter(f"{pair!r} is not KEY=VALUE", param_hint="--tag")
    return dict(pair.split("=", 1) for pair in pairs)
