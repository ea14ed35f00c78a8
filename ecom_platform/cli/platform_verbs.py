"""`ecom up | down | status | logs | reset`: the life of the local platform."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from ecom_platform.cli.context import Context
from ecom_platform.cli.progress import shown
from ecom_platform.errors import ConfigurationError
from ecom_platform.platforms.local import LocalPlatform


def bring_up(context: Context) -> None:
    """Bring everything up, with progress, and say where things are."""
    if context.shop.platform == "kubernetes":
        from ecom_platform.cli import cluster_up

        cluster_up.bring_up(context)
        return
    platform = local(context)
    with shown() as tell:
        platform.up(tell, location=context.settings)
    for name, address in platform.places().items():
        click.echo(f"{name:<12} {address}")


def local(context: Context) -> LocalPlatform:
    """The shop's platform, which must be the local one. Raises ConfigurationError if it is not."""
    platform = context.platform
    if context.shop.platform != "local" or not isinstance(platform, LocalPlatform):
        raise ConfigurationError(
            f"operate the local platform of {context.shop.shop}",
            f"its spec says platform: {context.shop.platform}",
            "Use the cluster's own tools, or another spec.",
        )
    return platform


@click.command()
@click.pass_obj
def up(context: Context) -> None:
    """Start the local platform and wait until all of it is healthy.

    Does nothing where that is so already; mends what was killed. Exit codes: 0 healthy, 2 not.

    Example: ecom up
    """
    bring_up(context)


@click.command()
@click.pass_obj
def down(context: Context) -> None:
    """Stop everything of the local platform; its state stays.

    Exit codes: 0 nothing of it runs, 1 something could not be ended.

    Example: ecom down
    """
    if context.shop.platform == "kubernetes":
        from ecom_platform.cli import cluster_verbs

        cluster_verbs.take_down(context)
        return
    with shown() as tell:
        local(context).down(tell)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(context: Context, *, as_json: bool) -> None:
    """Show every part of the local platform.

    Exit codes: 0 every part runs, 1 some do not.

    Example: ecom status --json
    """
    if context.shop.platform == "kubernetes":
        from ecom_platform.cli import cluster_verbs

        cluster_verbs.show_status(context, as_json=as_json)
        return
    platform = local(context)
    parts = platform.status()
    if as_json:
        content = {
            "shop": context.shop.shop,
            "state": str(platform.layout.state),
            "places": platform.places(),
            "parts": [asdict(each) for each in parts],
        }
        click.echo(json.dumps(content, indent=2))
    else:
        for each in parts:
            number = f"process {each.pid}" if each.pid else ""
            click.echo(f"{each.name:<28} {each.state:<9} {each.seconds:>9.0f} s  {number:<16} {each.address}")
    sys.exit(0 if parts and all(each.alive for each in parts) else 1)


@click.command()
@click.argument("name")
@click.option("-n", "--lines", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.pass_obj
def logs(context: Context, name: str, *, lines: int) -> None:
    """Print the end of a part's log. NAME is one that `ecom status` shows, or a service's.

    Exit codes: 0 printed, 1 there is no such log.

    Example: ecom logs backend -n 100
    """
    if context.shop.platform == "kubernetes":
        from ecom_platform.cli import cluster_verbs

        click.echo(cluster_verbs.log_of(context, name, lines))
        return
    click.echo(local(context).log(name, lines))


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def reset(context: Context, *, yes: bool) -> None:
    """Stop the local platform and remove all its state.

    Asks first and says what is lost. Exit codes: 0 removed, 2 not confirmed or refused.

    Example: ecom reset --yes
    """
    if context.shop.platform == "kubernetes":
        from ecom_platform.cli import cluster_verbs

        cluster_verbs.remove_all(context, yes=yes)
        return
    platform = local(context)
    losses = platform.losses()
    if not losses:
        click.echo("there is no state to remove")
        return
    click.echo(f"removes {platform.layout.state}:")
    for each in losses:
        click.echo(f"  {each}")
    if not yes:
        click.confirm("Remove all that?", abort=True)
    with shown() as tell:
        platform.reset(tell)
