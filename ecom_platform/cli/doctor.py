"""`ecom doctor`: what is missing on this machine, and how to get it."""

from __future__ import annotations

import json
import sys

import click

from ecom_platform.cli.context import Context
from ecom_platform.errors import EcomError
from ecom_platform.validation.machine import examine
from ecom_platform.verdicts import Outcome, Verdict, failed, passed, worst


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def doctor(context: Context, *, as_json: bool) -> None:
    """Look for what the shop's platform needs on this machine, and in its cluster; changes nothing.

    Exit codes: 0 all is there, 2 something is missing, 3 something could not be seen.

    Example: ecom doctor
    """
    verdicts = [_spec(context), *examine(context.settings.state), *_cluster(context)]
    outcome = worst(verdicts)
    if as_json:
        click.echo(json.dumps({"outcome": outcome.value, "verdicts": [each.as_dict() for each in verdicts]}, indent=2))
    else:
        for each in verdicts:
            click.echo(f"{each.outcome:<12}  {each.claim}: {each.seen}")
    sys.exit(2 if outcome is Outcome.FAILED else outcome.exit_code)


def _spec(context: Context) -> Verdict:
    try:
        return passed("the spec is valid", context.shop.shop)
    except EcomError as error:
        return failed("the spec is valid", str(error))


def _cluster(context: Context) -> list[Verdict]:
    """What a shop in Kubernetes needs there; nothing for another one, or where the spec cannot be read."""
    from ecom_platform.platforms.kubernetes import KubernetesPlatform
    from ecom_platform.validation.cluster import examine as examine_cluster

    try:
        platform = context.platform
    except EcomError:
        return []  # the first verdict tells
    return examine_cluster(platform) if isinstance(platform, KubernetesPlatform) else []
