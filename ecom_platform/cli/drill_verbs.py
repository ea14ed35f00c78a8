"""`ecom drill NAME | all | status | abort`: rehearse disasters on a copy of the shop; thin, the work is in runs."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from ecom_platform import keys
from ecom_platform.cli.context import Context
from ecom_platform.cli.runs import run_job
from ecom_platform.errors import ConfigurationError
from ecom_platform.recovery import drills
from ecom_platform.recovery.drills import DRILLS, Drill


class _Drills(click.Group):
    """A command for each drill of the table, beside those that are written here."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*DRILLS, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _command(DRILLS[cmd_name]) if cmd_name in DRILLS else super().get_command(ctx, cmd_name)


@click.group(cls=_Drills)
def drill() -> None:
    """Rehearse a disaster on a copy of the shop, with a stopwatch.

    The copy is made, damaged, recovered, tested and removed; the shop itself is only read.
    Exit codes: 0 recovered in time, 1 not, 2 usage or configuration, 3 inconclusive.

    Example: ecom drill database-lost --variant deleted-rows
    """


def _command(one: Drill) -> click.Command:
    @click.command(one.name, help=f"{one.title}.\n\nExample: ecom drill {one.name}")
    @click.option(
        "--variant", type=click.Choice(one.variants), default=one.variants[0], show_default=True, help="Which fault."
    )
    @click.pass_obj
    def rehearse(context: Context, *, variant: str) -> None:
        sys.exit(_rehearse(context, one, variant))

    return rehearse


def _rehearse(context: Context, one: Drill, variant: str) -> int:
    if one not in drills.of(context.shop):
        known = ", ".join(each.name for each in drills.of(context.shop)) or "none"
        raise ConfigurationError(
            f"rehearse {one.name}", f"it does not apply to {context.shop.shop}", f"These do: {known}."
        )
    path = keys.service_path(context.shop, "drills", one.name)
    config = {"ops": {keys.config_name(path): {"config": {"variant": variant}}}}
    return run_job(context, f"drill_{one.name.replace('-', '_')}", config=config)


@drill.command("all")
@click.pass_obj
def every(context: Context) -> None:
    """Rehearse every drill that applies, in every variant, one after the other.

    Exit codes: the worst of all drills.

    Example: ecom drill all
    """
    codes = []
    for one in drills.of(context.shop):
        for variant in one.variants_for(context.shop):
            click.echo(f"== {one.name}, {variant}", err=True)
            codes.append(_rehearse(context, one, variant))
            click.echo(f"{one.name:<20} {variant:<16} {_WORDS.get(codes[-1], 'failed')}")
    sys.exit(next((code for code in (2, 1, 3) if code in codes), 0))


_WORDS = {0: "passed", 1: "failed", 2: "could not be tried", 3: "inconclusive"}


@drill.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(context: Context, *, as_json: bool) -> None:
    """Show drills that go on, or that were killed and left a copy behind.

    Exit codes: 0 nothing was left by a killed drill, 1 something was: `ecom drill abort` removes it.

    Example: ecom drill status
    """
    from ecom_platform.recovery.rehearsal import states

    found = states(context.platform.drills())
    if as_json:
        content = [asdict(each) | {"began_at": each.began_at.isoformat()} for each in found]
        click.echo(json.dumps(content, indent=2))
    for each in () if as_json else found:
        how = f"process {each.process}" if each.alive else "KILLED; `ecom drill abort` removes its copy"
        click.echo(f"{each.drill:<20} {each.variant:<16} {each.phase:<12} since {each.began_at:%H:%M:%S} UTC  {how}")
    if not found and not as_json:
        click.echo("no drill goes on")
    sys.exit(0 if all(each.alive for each in found) else 1)


@drill.command()
@click.argument("name", required=False)
@click.pass_obj
def abort(context: Context, *, name: str | None) -> None:
    """End the drill NAME, or every drill, and remove its copy. The shop itself was never touched.

    Exit codes: 0 nothing of it is left, 1 it could not be ended.

    Example: ecom drill abort database-lost
    """
    from ecom_platform.recovery import rehearsal

    folder = context.platform.drills()
    found = [each for each in rehearsal.states(folder) if name in (None, each.drill)]
    for each in found:
        rehearsal.abort(folder, each, DRILLS[each.drill].remove(context.shop))
        click.echo(f"{each.drill}: ended, and its copy is gone")
    if not found:
        click.echo(f"no drill {name} goes on" if name else "no drill goes on")
