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
from ecom_platform.cli import sources
from ecom_platform.cli.context import Context
from ecom_platform.cli.runs import run_job
from ecom_platform.errors import ConfigurationError


@click.command()
@click.argument("source", required=False)
@click.pass_obj
def backup(context: Context, *, source: str | None) -> None:
    """Take a snapshot of SOURCE, or of every database of the spec, into every store.

    SOURCE is a database, `folder-NAME`, `configuration`, or `complete`: everything, recorded as a set.
    A snapshot that was taken is not yet proved: see `ecom verify`.
    Exit codes: 0 taken and stored everywhere, 1 failed, 2 usage or configuration.

    Example: ecom backup folder-media
    """
    chosen = (
        [sources.named(context, source)] if source else [f"database/{each.name}" for each in context.shop.databases]
    )
    if not chosen:
        raise ConfigurationError("choose what to back up", "the spec has no database", "Name a source.")
    paths = tuple(keys.source_path(context.shop, "backups", each) for each in chosen)
    # A set consists of what its own run took.
    whole = chosen == [sources.COMPLETE]
    sys.exit(run_job(context, sources.BACKUP_JOBS[sources.kind_of(chosen[0])], assets=() if whole else paths))


@click.command()
@click.option("--store", help="Only this store; default: all of the spec.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def snapshots(context: Context, *, store: str | None, as_json: bool) -> None:
    """List the snapshots in the stores, newest first, with what may be said of each.

    Statuses: taken, stored, proved, failed, expired; only a proved one is usable.
    Exit codes: 0 the catalogues are sound, 1 something in them is missing or altered, or a set is broken.

    Example: ecom snapshots --json
    """
    from ecom_platform.backup.catalogue import as_json as line_of
    from ecom_platform.backup.catalogue_reading import read_catalogue
    from ecom_platform.backup.sources.set_members import broken_sets
    from ecom_platform.backup.trust import trusted_signers
    from ecom_platform.clients.objects import open_store

    names = [_store(context, store)] if store else list(context.shop.stores)
    trusted = trusted_signers(context.platform, context.shop)
    catalogues = {
        name: read_catalogue(open_store(context.platform.store(name)), shop=context.shop.shop, trusted=trusted)
        for name in names
    }
    lines = [line_of(entry, name) for name, found in catalogues.items() for entry in found.entries]
    click.echo(json.dumps(lines, indent=2)) if as_json else _print_table(lines)
    problems = [f"{name}: {problem}" for name, found in catalogues.items() for problem in found.problems]
    problems += [f"{name}: {broken}" for name, found in catalogues.items() for broken in broken_sets(found)]
    for problem in problems:
        click.echo(f"problem  {problem}", err=True)
    sys.exit(1 if problems else 0)


_source_option = click.option(
    "--source", "--database", "source", help="Whose snapshot: a database, folder-NAME, configuration or complete."
)


@click.command()
@click.argument("snapshot", default="latest")
@_source_option
@click.option("--store", help="Fetch it from this store; default: the first of the spec.")
@click.pass_obj
def verify(context: Context, *, snapshot: str, source: str | None, store: str | None) -> None:
    """Restore SNAPSHOT (an id, or `latest`) into a throw-away server or folder and compare everything.

    What is live is not touched. Exit codes: 0 proved, 1 not proved, 2 usage or configuration, 3 inconclusive.

    Example: ecom verify latest --source folder-media
    """
    place = _store(context, store) if store else ""
    chosen = sources.of_snapshot(context, snapshot, source, place)
    path = keys.source_path(context.shop, "restores", chosen)
    config = {"snapshot": snapshot, "store": place}
    job = sources.VERIFY_JOBS[sources.kind_of(chosen)]
    sys.exit(run_job(context, job, assets=(path,), config=_ops({path: config})))


@click.command()
@click.argument("snapshot")
@click.option("--to", "target", required=True, metavar="URL|PATH", help="An empty database or an empty folder.")
@_source_option
@click.option("--store", help="Fetch it from this store; default: the first of the spec.")
@click.pass_obj
def restore(context: Context, *, snapshot: str, target: str, source: str | None, store: str | None) -> None:
    """Restore SNAPSHOT (an id, or `latest`) into an empty database or folder and compare it there.

    A database's goes to a URL (postgresql://USER@HOST/NAME), a folder's or the configuration's to a path. What
    holds anything is refused; nothing is overwritten. Give the password by PGPASSWORD or ~/.pgpass rather than
    in the URL, where other users of this machine can read it.
    Exit codes: 0 restored and equal, 1 failed, 2 usage or configuration.

    Example: ecom restore latest --to postgresql://me@localhost/empty
    """
    place = _store(context, store) if store else ""
    chosen = sources.of_snapshot(context, snapshot, source, place)
    config = {"snapshot": snapshot, "store": place}
    kind = sources.kind_of(chosen)
    _refuse_misfit(kind, snapshot, target)
    if kind != "database":
        config |= {"source": chosen, "target": str(Path(target).resolve())}
        sys.exit(run_job(context, "restore_files", config={"ops": {"restore_tree": {"config": config}}}))
    with _target_file(context, target) as path:
        config |= {"database": chosen.partition("/")[2], "target_file": str(path)}
        sys.exit(run_job(context, "restore", config={"ops": {"restore_snapshot": {"config": config}}}))


def _refuse_misfit(kind: str, snapshot: str, target: str) -> None:
    is_url = "://" in target
    if kind == "complete":
        advice = "Restore its members one by one; its rebuild file names them."
        raise ConfigurationError(f"restore {snapshot}", "a set is no content but names it", advice)
    if is_url != (kind == "database"):
        wanted = "a database's URL, postgresql://..." if kind == "database" else "the path of an empty folder"
        raise ConfigurationError(f"restore {snapshot} to {target}", f"it is of a {kind}", f"Give {wanted}.")


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
    from ecom_platform.backup.trust import trusted_signers
    from ecom_platform.clients.objects import open_store

    key = ensure_signing_key(context.platform.signing_key())
    trusted = trusted_signers(context.platform, context.shop)
    for name in context.shop.stores:
        store = open_store(context.platform.store(name))
        manifest = find(store, snapshot, shop=context.shop.shop, trusted=trusted)
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
        click.echo("  ".join(f"{column!s:<17}" for column in columns).rstrip())


def _ops(configs: dict[tuple[str, ...], dict[str, str]]) -> dict[str, object]:
    return {"ops": {keys.config_name(path): {"config": config} for path, config in configs.items()}}


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
