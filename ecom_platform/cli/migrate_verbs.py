"""`ecom migrate start | status | abort | rollback | resume | finish`: thin; the work is in runs and in release/."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from ecom_platform.cli.context import Context
from ecom_platform.cli.release_verbs import code, show, who
from ecom_platform.cli.runs import run_job

if TYPE_CHECKING:
    from ecom_platform.release.migration import Migration

MOVE = "move_shop"


@click.group()
def migrate() -> None:
    """Move the shop to another namespace with nobody noticing; docs/migration.md is the guide.

    The spec is that of where it moves to: kubernetes.namespace is the new namespace, and
    kubernetes.database_namespace the one where the shop runs and its database stays.

    Example: ecom migrate start
    """


@migrate.command()
@click.pass_obj
def start(context: Context) -> None:
    """Install the shop in the new namespace, and lead people there when the evidence says so.

    The steps are those of a release, with the new namespace as the other colour. When anything fails or
    cannot be judged, the old form is live again. One whose driver died goes on.

    Exit codes: 0 people are served from the new namespace, 1 they are served from the old one,
    2 usage, configuration, or something is under way.

    Example: ecom --spec enhanced.yaml migrate start
    """
    from ecom_platform.release import versions

    # Refused here, a second start leaves no run that moves nothing.
    _migration(context).make_way(versions.of_spec(context.shop), ask=False)
    _move(context, "start")


@migrate.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(context: Context, *, as_json: bool) -> None:
    """Show from where people are served, where the migration stands, and who drives it.

    Exit codes: 0 the new form is live for good, 1 the old one is, 2 there was no migration, 3 it is unfinished.

    Example: ecom --spec enhanced.yaml migrate status
    """
    from ecom_platform.release.findings import as_json as content_of

    state = _migration(context).read()
    if state.journal is None or not state.journal.to:
        click.echo(json.dumps({"release": None}) if as_json else "migration there was none yet")
        sys.exit(2)
    if as_json:
        click.echo(json.dumps({**content_of(state, datetime.now(UTC)), "to": state.journal.to}, indent=2))
    else:
        click.echo(f"moves to  {state.journal.to}")
        show(state)
    sys.exit(code(state))


@migrate.command()
@click.pass_obj
def abort(context: Context) -> None:
    """Turn the migration that is under way back; the old form serves people when this returns.

    Exit codes: 0 it is turned back, 1 it is over already or could not be, 2 none is under way.

    Example: ecom --spec enhanced.yaml migrate abort
    """
    _move(context, "abort")


@migrate.command()
@click.pass_obj
def rollback(context: Context) -> None:
    """Lead people back to the old namespace, after it was brought back, proved and validated.

    Exit codes: 0 the old form is live, 1 refused or not proved; then nothing changed for people.

    Example: ecom --spec enhanced.yaml migrate rollback
    """
    _move(context, "rollback")


@migrate.command()
@click.pass_obj
def resume(context: Context) -> None:
    """Go on with a migration whose driver died.

    Exit codes: 0 it rests, 1 it could not go on, 2 somebody drives it or none is unfinished.

    Example: ecom --spec enhanced.yaml migrate resume
    """
    _move(context, "resume")


@migrate.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def finish(context: Context, *, yes: bool) -> None:
    """Take the old form's workloads away, when release.validation_period is over; there is no rollback then.

    The old namespace stays, with the database, its volume, its passwords, and the doors that lead its
    address to the new one.

    Exit codes: 0 they are gone, 1 refused (it is too early, or the new form is not live), 2 not confirmed.

    Example: ecom --spec enhanced.yaml migrate finish --yes
    """
    if not yes:
        click.confirm("Afterwards the old form cannot be brought back. Go on?", abort=True)
    _move(context, "finish")


def _migration(context: Context) -> Migration:
    from ecom_platform.platforms.opening import open_moving
    from ecom_platform.release.migration import moving

    return moving(open_moving(context.shop, context.settings.state), context.shop, who(), lambda _: None)


def _move(context: Context, action: str) -> None:
    _migration(context)  # a spec that names no other namespace is refused before there is a run
    sys.exit(run_job(context, "migration", config={"ops": {MOVE: {"config": {"action": action, "by": who()}}}}))
