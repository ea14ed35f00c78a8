"""`ecom alerts`: what fires now, and saying that somebody is at it."""

from __future__ import annotations

import getpass
import json
import sys

import click

from ecom_platform.cli.context import Context


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def alerts(ctx: click.Context, *, as_json: bool) -> None:
    """Show the alerts of the platform that fire, as the part `metrics` saw them last.

    Exit codes: 0 none fires, 1 some do, 2 usage or configuration.

    Example: ecom alerts --json
    """
    if ctx.invoked_subcommand is None:
        sys.exit(_show(ctx.obj, as_json=as_json))


def _show(context: Context, *, as_json: bool) -> int:
    from dataclasses import asdict

    from ecom_platform.cli.metrics_verb import facts
    from ecom_platform.monitoring.incidents import since_text
    from ecom_platform.watch import Watch, lines

    with facts(context) as (found, instance):
        firing = lines(Watch(context.shop, found, instance).state())
    if as_json:
        click.echo(json.dumps([asdict(each) for each in firing], indent=2))
    else:
        for each in firing:
            ok = f"  (ok: {each.ok_by})" if each.ok_by else ""
            click.echo(f"{since_text(each.fired or each.since)}  {each.text}{ok}")
    return 1 if firing else 0


@alerts.command("ok")
@click.argument("alert")
@click.option("--by", default=getpass.getuser, help="Who is at it; default: your account.")
@click.pass_obj
def ok_verb(context: Context, alert: str, by: str) -> None:
    """Say that somebody is at ALERT: nobody else is told of it while it lasts.

    Exit codes: 0 noted, 1 it could not be noted, 2 there is no such alert.

    Example: ecom alerts ok BackupTooOld --by ada
    """
    from ecom_platform.cli.runs import run_job
    from ecom_platform.monitoring.platform_alerts import platform_alerts
    from ecom_platform.watch import OK_JOB, OK_OP

    known = [each.name for each in platform_alerts(context.shop.thresholds)]
    if alert not in known:
        raise click.BadParameter(f"there is no alert {alert!r}; alerts are {', '.join(known)}", param_hint="ALERT")

    sys.exit(run_job(context, OK_JOB, config={"ops": {OK_OP: {"config": {"alert": alert, "by": by}}}}))
