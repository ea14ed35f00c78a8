"""`ecom recover`: bring back a damaged database, or the whole shop on an empty place."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path

import click

from ecom_platform.cli.context import Context
from ecom_platform.cli.runs import run_job
from ecom_platform.errors import ConfigurationError
from ecom_platform.settings import Settings

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.option("--database", help="Bring back this database of the running shop.")
@click.option("--snapshot", default="", help="With --database: this snapshot instead of the newest sound one.")
@click.option("--folder", help="Bring back this folder of the running shop.")
@click.option("--from", "url", metavar="URL", help="Rebuild the whole shop from this store: file:PATH, s3://BUCKET.")
@click.option("--identity", type=FILE, help="With --from: the file of the private key that was kept elsewhere.")
@click.option("--endpoint", default="", help="With --from: address of an S3 server that is not AWS.")
@click.option("--region", default="us-east-1", show_default=True, help="With --from: the bucket's region.")
@click.option("--access-key-file", type=FILE, help="With --from: else AWS_ACCESS_KEY_ID.")
@click.option("--secret-key-file", type=FILE, help="With --from: else AWS_SECRET_ACCESS_KEY.")
@click.option("--shop", default="", help="With --from: which shop, where the store has several.")
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), help="With --from: the state folder to be.")
@click.option("--configuration", is_flag=True, help="With --from: only the spec and the other documents.")
@click.pass_obj
def recover(context: Context, /, **given: str | Path | bool | None) -> None:
    """Bring back what a disaster took.

    --database: nobody writes any more, the newest proved snapshot that does not hold the damage is restored
    beside the damaged database and compared, and the shop is led there. What was there is kept.

    --folder: the same for a folder of application data.

    --from and --identity: on an empty machine, with this program and nothing else of the old one: spec, data
    and services come back from the store, are compared and tested. With --spec that spec is used.

    Exit codes: 0 it sells again, 1 it does not, 2 usage or configuration.

    \b
    Example: ecom recover --database shop
    Example: ecom recover --from s3://backups/shop --identity key.txt --into /srv/shop
    """
    lost = [name for name in ("database", "folder", "url") if given[name]]
    if len(lost) != 1:
        raise ConfigurationError("recover", "say what is lost", "Give one of --database, --folder, --from.")
    if lost == ["url"] and not given["identity"]:
        raise ConfigurationError("recover", "there is no private key", "Name its file with --identity.")
    verbs = {"database": _database, "folder": _folder, "url": _anew}
    sys.exit(verbs[lost[0]](context, given))


Given = Mapping[str, str | Path | bool | None]


def _database(context: Context, given: Given) -> int:
    name = _known(str(given["database"]), [each.name for each in context.shop.databases])
    config = {"database": name, "snapshot": given["snapshot"]}
    return run_job(context, "recover_database", config={"ops": {"bring_database_back": {"config": config}}})


def _folder(context: Context, given: Given) -> int:
    name = _known(str(given["folder"]), [each.name for each in context.shop.folders])
    return run_job(context, "recover_folder", config={"ops": {"bring_folder_back": {"config": {"folder": name}}}})


def _known(name: str, known: list[str]) -> str:
    if name not in known:
        raise ConfigurationError(f"recover {name}", "the spec has none of that name", f"It has {known}.")
    return name


@dataclass(frozen=True)
class _There(Context):
    """The context of the shop to be. state: its folder."""

    state: Path = field(default_factory=Path)

    @cached_property
    def settings(self) -> Settings:
        assert self.spec is not None
        return replace(super().settings, specs=(self.spec.resolve(),), state=self.state)


def _anew(context: Context, given: Given) -> int:
    from ecom_platform.backup.recovery_set import newest_proved
    from ecom_platform.recovery.anew import Escrow, choose_shop, describe, documents

    escrow = Escrow(
        url=str(given["url"]),
        identity_file=_path(given["identity"]),
        endpoint=str(given["endpoint"]),
        region=str(given["region"]),
        access_key_file=_path(given["access_key_file"]),
        secret_key_file=_path(given["secret_key_file"]),
    )
    state = Path(str(given["into"] or context.settings.state)).resolve()
    store = escrow.store()
    chosen = newest_proved(store, choose_shop(store, str(given["shop"])), escrow.signers())
    if given["configuration"]:
        click.echo(f"spec   {documents(escrow, store, chosen, state)}")
        return 0
    spec = describe(escrow, store, chosen, state, context.spec)
    there = _There(spec, state)
    config = asdict(escrow) | {"state": str(state)}
    ended = run_job(there, "recover", config={"ops": {"rebuild_shop": {"config": config}}})
    for warning in chosen.warnings:
        click.echo(f"look at  {warning}", err=True)
    if ended == 0:
        click.echo(f"spec   {spec}\nstate  {state}\nnext   ECOM_STATE={state} ecom --spec {spec} up")
    return ended


def _path(given: object) -> str:
    """Absolute: the run works in another folder."""
    return str(Path(str(given)).resolve()) if given else ""
