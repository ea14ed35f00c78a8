"""`ecom release start | status | abort | rollback | resume | contract`: thin; the work is in runs and in release/."""

from __future__ import annotations

import getpass
import json
import socket
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from ecom_platform import keys
from ecom_platform.cli.context import Context
from ecom_platform.cli.runs import run_job
from ecom_platform.errors import ConfigurationError, RefusedError

if TYPE_CHECKING:
    from ecom_platform.release.state import State

CONTROL = "control_release"


@click.group()
def release() -> None:
    """Bring a new version live beside the old one, with evidence; docs/release.md is the guide.

    Example: ecom release start --version 1.1.0
    """


@release.command()
@click.option("--version", default="", help="Of every service; default: what the spec says.")
@click.option("--image", "images", multiple=True, metavar="SERVICE=IMAGE", help="Kubernetes; may be repeated.")
@click.pass_obj
def start(context: Context, *, version: str, images: tuple[str, ...]) -> None:
    """Release the spec's services, or all of them at --version.

    Nothing begins without a verified backup inside the recovery point. The new version runs beside the
    live one, is proved, validated and loaded there, gets the traffic, and is watched; when anything fails
    or cannot be judged, the old version is live again. A release whose driver died goes on. While one
    is under way a second is refused, but for a newer version, which takes its place.

    Exit codes: 0 the version is live for good, 1 it is not, and what was live before is again,
    2 usage, configuration, or a release is under way, 3 it could not be judged.

    Example: ecom release start --version 1.1.0
    """
    from ecom_platform.release import versions
    from ecom_platform.release.operations import Operator

    wanted = versions.wanted(context.shop, version, _images(images))
    # Refused here, a second start leaves no run that proves nothing.
    Operator(context.platform, context.shop, who(), lambda _: None).make_way(wanted.definition, ask=False)
    path = keys.service_path(context.shop, "releases", "release")
    config = {"wanted": wanted.model_dump_json(), "by": who()}
    sys.exit(run_job(context, "release", config={"ops": {keys.config_name(path): {"config": config}}}))


@release.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def status(context: Context, *, as_json: bool) -> None:
    """Show what is live, where the newest release stands, and who drives it.

    Exit codes: 0 it rests and its version is live, 1 it rests and the version before is,
    2 there was none, 3 it is unfinished.

    Example: ecom release status --json
    """
    from ecom_platform.release.findings import as_json as content_of
    from ecom_platform.release.state import read_state

    state = read_state(context.platform)
    if as_json:
        click.echo(json.dumps(content_of(state, datetime.now(UTC)), indent=2))
    else:
        show(state)
    sys.exit(code(state))


@release.command()
@click.pass_obj
def abort(context: Context) -> None:
    """Turn the release that is under way back; what was live before is live again when this returns.

    Exit codes: 0 it is turned back, 1 it is promoted already or could not be, 2 none is under way.

    Example: ecom release abort
    """
    _control(context, "abort")


@release.command()
@click.pass_obj
def rollback(context: Context) -> None:
    """Lead people back to the version before the newest release.

    It is brought back, proved and validated first. Refused after the contract migration.
    Exit codes: 0 it is live, 1 refused or not proved; then nothing changed for people.

    Example: ecom release rollback
    """
    _control(context, "rollback")


@release.command()
@click.pass_obj
def resume(context: Context) -> None:
    """Go on with a release whose driver died; what had judged half is judged anew.

    Exit codes: 0 it rests, 1 it could not go on, 2 somebody drives it or none is unfinished.

    Example: ecom release resume
    """
    _control(context, "resume")


@release.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def contract(context: Context, *, yes: bool) -> None:
    """Take away what only the version before needs, by the `contract` tasks; there is no rollback afterwards.

    Exit codes: 0 contracted, 1 refused or failed, 2 not confirmed.

    Example: ecom release contract --yes
    """
    if not yes:
        click.confirm("Afterwards the version before cannot run any more. Go on?", abort=True)
    _control(context, "contract")


def _control(context: Context, action: str) -> None:
    if context.shop.platform == "local":
        _refuse_without_release(context)
    config = {"action": action, "by": who()}
    sys.exit(run_job(context, "release_control", config={"ops": {CONTROL: {"config": config}}}))


def _refuse_without_release(context: Context) -> None:
    from ecom_platform.release.state import read_state

    if read_state(context.platform).journal is None:
        raise RefusedError("change a release", "the shop never had one", "See `ecom release start --help`.")


def who() -> str:
    return f"{getpass.getuser()} at {socket.gethostname()}"


def _images(pairs: tuple[str, ...]) -> dict[str, str]:
    for pair in pairs:
        if "=" not in pair:
            raise ConfigurationError("read --image", f"{pair!r} is not SERVICE=IMAGE", "As backend=ecom/backend:1.1.0.")
    return dict(pair.split("=", 1) for pair in pairs)


def code(state: State) -> int:
    if state.journal is None:
        return 2
    if not state.journal.release.ended:
        return 3
    return 0 if state.journal.release.promoted else 1


def show(state: State) -> None:
    if state.live:
        versions = ", ".join(f"{name} {version}" for name, version in state.live.definition.versions().items())
        click.echo(f"live      {versions}, since {state.live.since:%Y-%m-%d %H:%M:%S} UTC by {state.live.by}")
    journal = state.journal
    if journal is None:
        click.echo("release   there was none yet")
        return
    release = journal.release
    click.echo(f"release   {release.version} ({release.id}), {release.phase}, {release.old} to {release.new}")
    click.echo(f"started   {journal.started_at:%Y-%m-%d %H:%M:%S} UTC by {journal.started_by}")
    if release.reason:
        click.echo(f"reason    {release.reason}")
    if release.contract:
        click.echo(f"contract  {release.contract}")
    click.echo(f"driver    {_driver(state)}")
    for each in journal.timeline:
        spent = "" if each.seconds is None else f"{each.seconds:8.1f} s"
        said = " ".join(each.said.split())[:100]
        click.echo(f"  {each.at:%H:%M:%S}  {each.step:<22} {each.event:<12} {spent:<11} {said}".rstrip())


def _driver(state: State) -> str:
    from ecom_platform.release.lease import why_held

    if state.lease is None:
        return "nobody" if not state.unfinished else "nobody; `ecom release resume` goes on, `abort` turns back"
    held = why_held(state.lease, datetime.now(UTC))
    return held or f"dead ({state.lease.holder}); `ecom release resume` goes on, `abort` turns back"
