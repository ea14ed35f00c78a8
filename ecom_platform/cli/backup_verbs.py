"""`ecom backup | snapshots | verify | restore | hold | unhold`: thin; the work is in runs and in backup/."""

from __future__ import annotations

import getpass
import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ecom_platform import keys
from ecom_platform.cli.context import Context
from ecom_platform.cli.runs import run_job
from ecom_platform.errors import ConfigurationError
from ecom_platform.spec import Database


@click.command()
@click.argument("database", required=False)
@click.pass_obj
def backup(context: Context, *, database: str | None) -> None:
    """Take a snapshot of DATABASE, or of every database of the spec, into every store.

    A snapshot that was taken is not yet proved: see `ecom verify`.
    Exit codes: 0 taken and stored everywhere, 1 failed, 2 usage or configuration.

    Example: ecom backup shop
    """
    chosen = [_database(context, database)] if database else list(context.shop.databases)
    paths = tuple(keys.database_path(context.shop, "backups", each.name) for each in chosen)
    sys.exit(run_job(context, "backup", assets=paths))


@click.command()
@click.option("--store", help="Only this store; default: all of the spec.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def snapshots(context: Context, *, store: str | None, as_json: bool) -> None:
    """List the snapshots in the stores, newest first, with what may be said of each.

    Statuses: taken, stored, proved, failed, expired; only a proved one is usable.
    Exit codes: 0 the catalogues are sound, 1 something in them is missing or altered.

    Example: ecom snapshots --json
    """
    from ecom_platform.backup.catalogue import as_json as line_of
    from ecom_platform.backup.catalogue_reading import read_catalogue
    from ecom_platform.clients.objects import open_store

    names = [_store(context, store)] if store else list(context.shop.stores)
    catalogues = {
        name: read_catalogue(open_store(context.platform.store(name)), shop=context.shop.shop) for name in names
    }
    lines = [line_of(entry, name) for name, found in catalogues.items() for entry in found.entries]
    click.echo(json.dumps(lines, indent=2)) if as_json else _print_table(lines)
    problems = [f"{name}: {problem}" for name, found in catalogues.items() for problem in found.problems]
    for problem in problems:
        click.echo(f"problem  {problem}", err=True)
    sys.exit(1 if problems else 0)


@click.command()
@click.argument("snapshot", default="latest")
@click.option("--database", help="Whose snapshot; needed only where the spec has several databases.")
@click.option("--store", help="Fetch it from this store; default: the first of the spec.")
@click.pass_obj
def verify(context: Context, *, snapshot: str, database: str | None, store: str | None) -> None:
    """Restore SNAPSHOT (an id, or `latest`) into a throw-away server and compare every table.

    The live database is not touched. Exit codes: 0 proved, 1 not proved, 2 usage or configuration.

    Example: ecom verify latest
    """
    chosen = _one_database(context, database)
    path = keys.database_path(context.shop, "restores", chosen.name)
    config = {"snapshot": snapshot, "store": _store(context, store) if store else ""}
    sys.exit(run_job(context, "verify_restore", assets=(path,), config=_ops({path: config})))


@click.command()
@click.argument("snapshot")
@click.option("--to", "target", required=True, metavar="URL", help="An empty database: postgresql://USER@HOST/NAME.")
@click.option("--database", help="Whose snapshot; needed only where the spec has several databases.")
@click.option("--store", help="Fetch it from this store; default: the first of the spec.")
@click.pass_obj
def restore(context: Context, *, snapshot: str, target: str, database: str | None, store: str | None) -> None:
    """Restore SNAPSHOT (an id, or `latest`) into an empty database and compare it there.

    A database that holds anything is refused; nothing is overwritten. Give the password by PGPASSWORD
    or ~/.pgpass rather than in the URL, where other users of this machine can read it.
    Exit codes: 0 restored and equal, 1 failed, 2 usage or configuration.

    Example: ecom restore latest --to postgresql://me@localhost/empty
    """
    chosen = _one_database(context, database)
    with _target_file(context, target) as path:
        config = {
            "database": chosen.name,
            "snapshot": snapshot,
            "store": _store(context, store) if store else "",
            "target_file": str(path),
        }
        sys.exit(run_job(context, "restore", config={"ops": {"restore_snapshot": {"config": config}}}))


@click.command()
@click.argument("snapshot")
@click.option("--reason", required=True, help="Why it must stay; shown by `ecom snapshots`.")
@click.pass_obj
def hold(context: Context, *, snapshot: str, reason: str) -> None:
    """Keep SNAPSHOT from retention, in every store, until `ecom unhold`.

    Example: ecom hold 20261124T120000Z-1a2b3c4d --reason "audit 2026"
    """
    _set_hold(context, snapshot, held=True, reason=reason)


@click.command()
@click.argument("snapshot")
@click.option("--reason", default="released", show_default=True, help="Why it may go.")
@click.pass_obj
def unhold(context: Context, *, snapshot: str, reason: str) -> None:
    """Let retention remove SNAPSHOT again.

    Example: ecom unhold 20261124T120000Z-1a2b3c4d
    """
    _set_hold(context, snapshot, held=False, reason=reason)


def _set_hold(context: Context, snapshot: str, *, held: bool, reason: str) -> None:
    from ecom_platform.backup.catalogue import find, record_hold
    from ecom_platform.backup.signing import ensure_signing_key
    from ecom_platform.clients.objects import open_store

    key = ensure_signing_key(context.platform.signing_key())
    for name in context.shop.stores:
        store = open_store(context.platform.store(name))
        manifest = find(store, snapshot, shop=context.shop.shop)
        record_hold(store, manifest, held=held, by=getpass.getuser(), reason=reason, key=key)
        click.echo(f"{name}: {manifest.id} is {'held' if held else 'let go'}")


def _print_table(lines: list[dict[str, object]]) -> None:
    """One line a snapshot, cut for no terminal: ids are there to be copied."""
    for each in lines:
        held = "held" if each["held"] else ""
        columns = (
            each["store"],
            each["source"],
            each["id"],
            each["status"],
            f"{each['stored_bytes']:>15,} bytes",
            held,
        )
        click.echo("  ".join(f"{column!s:<14}" for column in columns).rstrip())


def _ops(configs: dict[tuple[str, ...], dict[str, str]]) -> dict[str, object]:
    return {"ops": {keys.config_name(path): {"config": config} for path, config in configs.items()}}


def _database(context: Context, name: str) -> Database:
    known = [each.name for each in context.shop.databases]
    if name not in known:
        raise ConfigurationError(f"find the database {name}", "the spec has none of that name", f"It has {known}.")
    return context.shop.database(name)


def _one_database(context: Context, name: str | None) -> Database:
    if name:
        return _database(context, name)
    if len(context.shop.databases) != 1:
        raise ConfigurationError(
            "choose a database", f"the spec has {len(context.shop.databases)}", "Name one with --database."
        )
    return context.shop.databases[0]


def _store(context: Context, name: str) -> str:
    if name not in context.shop.stores:
        known = ", ".join(context.shop.stores)
        raise ConfigurationError(f"find the store {name}", "the spec has none of that name", f"It has {known}.")
    return name


@contextmanager
def _target_file(context: Context, target: str) -> Iterator[Path]:
    """The target's URL, with its password, in a file of mode 600: a run's config is stored in clear."""
    from ecom_platform.clients.sql import split_url, url_with_password
    from ecom_platform.platforms.protocol import DatabaseAccess

    access = split_url(target)
    known = access.password or os.environ.get("PGPASSWORD", "")
    path = context.platform.scratch() / f"target-{secrets.token_hex(8)}"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(url_with_password(DatabaseAccess(access.url, known)))
    try:
        yield path
    finally:
        path.unlink()
