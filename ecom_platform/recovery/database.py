"""Brings a managed database back: nobody writes, a proved snapshot restored beside it and compared, names exchanged.

The same for a drill and for the night on which it is needed (`ecom recover --database NAME`). What was there is kept
under another name, never overwritten. It may be called again after a crash at any point.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ecom_platform.backup.catalogue_reading import Catalogue, read_catalogue
from ecom_platform.backup.manifest import Manifest, Status
from ecom_platform.backup.proof import archives
from ecom_platform.backup.trust import trusted_signers
from ecom_platform.backup.verification import Verification, restore_to_database
from ecom_platform.clients.objects import ObjectStore, open_store
from ecom_platform.errors import EcomError, MissingError, ProofFailed
from ecom_platform.platforms.protocol import Platform
from ecom_platform.records import Record
from ecom_platform.recovery.choice import Candidate, Choice, newest_whole
from ecom_platform.spec import Database, Shop

Progress = Callable[[str], None]

TRIES = 3
"""Snapshots that are tried, newest first: after three that are proved and do not restore, a person must look."""


@dataclass(frozen=True)
class DatabaseRecovery(Record):
    """A database that serves again. kept: the name of what was there; empty if nothing was.

    stopped_at, back_at: monotonic seconds; between them nobody could write. failures: what was tried before and did
    not restore. passed_over: newer proved snapshots that hold the damage, with the reason.
    """

    database: str
    snapshot: str
    store: str
    snapshot_timestamp: float
    kept: str
    tables: int
    rows: int
    database_bytes: int
    restore_seconds: float
    stopped_at: float
    back_at: float
    failures: tuple[str, ...] = ()
    passed_over: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Held:
    """A snapshot and the stores that hold the whole of it, in the spec's order."""

    manifest: Manifest
    stores: tuple[ObjectStore, ...]


def recover_database(
    platform: Platform, shop: Shop, database: Database, *, snapshot: str = "", progress: Progress
) -> DatabaseRecovery:
    """snapshot: an id, or empty for the newest proved one that does not hold the damage itself.

    Raises MissingError if there is none, ProofFailed if none of those tried restores; the fence then stays closed,
    because what is behind it is damaged.
    """
    problems: list[str] = []
    held = proved(platform, shop, database, problems)
    choice = _choose(held, database, snapshot)
    if platform.ensure_server(database):
        progress("the server began anew; its files are kept aside")
    platform.fence(database, closed=True)
    stopped = time.monotonic()
    progress(f"nobody writes to {database.name}; restoring {choice.chosen}")
    began = time.monotonic()
    order = _order(held, choice)
    manifest, store, verification = _restore(platform, platform, database, order, problems=problems, progress=progress)
    seconds = time.monotonic() - began
    kept = platform.put_in_place(database)
    progress(f"{database.name} serves again; what was there is kept as {kept or 'nothing'}")
    return DatabaseRecovery(
        database=database.name,
        snapshot=manifest.id,
        store=store,
        snapshot_timestamp=manifest.snapshot_at.timestamp(),
        kept=kept,
        tables=verification.tables,
        rows=verification.rows,
        database_bytes=int(manifest.fingerprint["bytes"]),
        restore_seconds=round(seconds, 3),
        stopped_at=stopped,
        back_at=time.monotonic(),
        failures=tuple(problems),
        passed_over=choice.passed_over,
    )


def fill_from(live: Platform, shop: Shop, target: Platform, database: Database, *, progress: Progress) -> str:
    """The newest proved snapshot of a live shop's database, in a database of another platform; its id.

    The live shop's catalogue is read, and nothing else of it. Raises MissingError if nothing is proved.
    """
    problems: list[str] = []
    held = proved(live, shop, database, problems)
    order = _order(held, newest_whole([candidate(each.manifest) for each in held.values()], database.growing))
    manifest, _, _ = _restore(live, target, database, order, problems=problems, progress=progress)
    target.put_in_place(database)
    return manifest.id


def proved(platform: Platform, shop: Shop, database: Database, problems: list[str]) -> dict[str, Held]:
    """By id, the snapshots that were proved in any store, each with all stores that hold it.

    problems: gets a line for each store that could not be read. Raises MissingError if nothing is proved anywhere.
    """
    catalogues: list[tuple[ObjectStore, Catalogue]] = []
    trusted = trusted_signers(platform, shop)
    for name in shop.stores:
        try:
            store = open_store(platform.store(name))
            catalogues.append((store, read_catalogue(store, shop=shop.shop, trusted=trusted)))
        except EcomError as error:
            problems.append(f"the store {name}: {error.seen}")
    held = dict(_held(catalogues, f"database/{database.name}"))
    if not held:
        raise MissingError(
            f"find a proved snapshot of {database.name}",
            "; ".join([f"none in {', '.join(store.name for store, _ in catalogues) or 'any store'}", *problems]),
            "Only what was restored and compared is used by itself; name another one with --snapshot.",
        )
    return held


def _held(catalogues: Sequence[tuple[ObjectStore, Catalogue]], source: str) -> Iterator[tuple[str, Held]]:
    found = [(store, entry) for store, catalogue in catalogues for entry in catalogue.of(source)]
    good = {entry.manifest.id for _, entry in found if entry.status is Status.PROVED}
    good -= {entry.manifest.id for _, entry in found if entry.status is Status.FAILED}
    for name in sorted(good):
        those = [(store, entry) for store, entry in found if entry.manifest.id == name]
        whole = tuple(store for store, entry in those if entry.status in (Status.STORED, Status.PROVED))
        yield name, Held(those[0][1].manifest, whole)


def _choose(held: Mapping[str, Held], database: Database, snapshot: str) -> Choice:
    if snapshot and snapshot not in held:
        raise MissingError(f"find the snapshot {snapshot}", f"proved are {', '.join(held)}", "See `ecom snapshots`.")
    if snapshot:
        return Choice(snapshot, {})
    return newest_whole([candidate(each.manifest) for each in held.values()], database.growing)


def candidate(manifest: Manifest) -> Candidate:
    return Candidate(manifest.id, {name: int(each["rows"]) for name, each in manifest.fingerprint["tables"].items()})


def _order(held: Mapping[str, Held], choice: Choice) -> list[Held]:
    """The chosen one, then older ones."""
    return [held[name] for name in sorted(held, reverse=True) if choice.chosen and name <= choice.chosen][:TRIES]


def _restore(
    source: Platform,
    target: Platform,
    database: Database,
    order: Sequence[Held],
    *,
    problems: list[str],
    progress: Progress,
) -> tuple[Manifest, str, Verification]:
    """The first one that restores into the target and is equal, from the first store of the source that gives it."""
    for held in order:
        for store in held.stores:
            try:
                empty = target.replacement(database)
                copies = archives(source, store, held.manifest)
                done = restore_to_database(
                    held.manifest.fingerprint, copies, empty, folder=target.scratch(), progress=progress
                )
            except EcomError as error:
                problems.append(f"{held.manifest.id} from {store.name}: {error.seen[:300]}")
                progress(problems[-1])
            else:
                return held.manifest, store.name, done
    raise ProofFailed(
        f"recover the database {database.name}",
        "; ".join(problems) or "no snapshot to try",
        "Nobody can write to it now. See `ecom snapshots`, and name another snapshot or mend the store.",
    )
