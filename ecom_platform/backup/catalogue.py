"""The catalogue of a store is the store itself: manifests and the records beside them, found and written.

Nothing is cached and nothing is believed: each record's signature is checked, each manifest must
name its own place, and each snapshot names the one before by its hash, so that a missing, altered
or exchanged record shows. How that is read and checked is in catalogue_reading.py.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from ecom_platform.backup.archives import copy_archive, open_archive
from ecom_platform.backup.catalogue_reading import Catalogue, Entry, Problem, read_catalogue
from ecom_platform.backup.manifest import (
    MANIFEST,
    Hold,
    Link,
    Manifest,
    Proof,
    Removal,
    Status,
    moment_key,
    removal_key,
)
from ecom_platform.backup.signing import SigningKey, close_record, digest_of, open_record
from ecom_platform.clients.objects import ObjectStore
from ecom_platform.errors import CorruptBackup, MissingError
from ecom_platform.verdicts import Outcome

__all__ = [
    "Catalogue",
    "Entry",
    "Problem",
    "as_json",
    "copy_archive",
    "find",
    "find_entry",
    "newest_link",
    "open_archive",
    "read_catalogue",
    "record_hold",
    "record_proof",
    "record_removal",
    "snapshots",
    "status",
    "write_manifest",
]


def snapshots(
    store: ObjectStore, *, shop: str | None = None, source: str | None = None, trusted: Collection[str] | None = None
) -> list[Manifest]:
    """The manifests of all snapshots that were not removed, newest first.

    Raises CorruptBackup if a record of the store cannot be trusted.
    """
    catalogue = read_catalogue(store, shop=shop, trusted=trusted)
    if catalogue.problems:
        seen = "; ".join(str(each) for each in catalogue.problems[:5])
        raise CorruptBackup(f"read the catalogue of the store {store.name}", seen, "Look at `ecom snapshots`.")
    return [each.manifest for each in catalogue.of(source)]


def find(
    store: ObjectStore,
    wanted: str,
    source: str | None = None,
    *,
    shop: str | None = None,
    trusted: Collection[str] | None = None,
) -> Manifest:
    """The snapshot with that id (or a beginning of it that is unique), or the `latest`.

    Raises MissingError if there is none, and CorruptBackup if what is there cannot be trusted. The
    latest is the newest that the store names, sound or not: an unsound one is never passed over.
    """
    return find_entry(read_catalogue(store, shop=shop, trusted=trusted), store.name, wanted, source).manifest


def find_entry(catalogue: Catalogue, store: str, wanted: str, source: str | None = None) -> Entry:
    """As find(), in a catalogue that was read already."""
    tried = f"find the snapshot {wanted} in the store {store}"
    fatal = [each for each in catalogue.problems if each.fatal]
    entries = catalogue.of(source)
    if wanted == "latest":
        newest = max((each.manifest.id for each in entries), default="")
        fatal = [each for each in fatal if each.snapshot >= newest]
        entries = entries[:1]
    else:
        fatal = [each for each in fatal if each.snapshot.startswith(wanted)]
        entries = [each for each in entries if each.manifest.id.startswith(wanted)]
    if fatal:
        raise CorruptBackup(tried, str(fatal[0]), "Use another snapshot or another store, and find out who changed it.")
    if len(entries) != 1:
        seen = f"{len(entries)} begin with that" if entries else f"it is not among {len(catalogue.of(source))}"
        raise MissingError(tried, seen, "See `ecom snapshots` for what is there.")
    return entries[0]


def status(store: ObjectStore, manifest: Manifest, *, trusted: Collection[str] | None = None) -> Status:
    """What may be said of the snapshot now. Raises CorruptBackup if its records cannot be trusted."""
    catalogue = read_catalogue(store, shop=manifest.shop, trusted=trusted)
    for entry in catalogue.entries:
        if entry.manifest.id == manifest.id:
            return entry.status
    if (manifest.source, manifest.id) in catalogue.removals:
        return Status.EXPIRED
    return find_entry(catalogue, store.name, manifest.id, manifest.source).status


def record_proof(store: ObjectStore, manifest: Manifest, verification: Mapping[str, Any], key: SigningKey) -> Proof:
    """A write-once record of a verification. verification: JSON-able; its "outcome" is a verdicts.Outcome.

    The record names the manifest by its hash, so it proves nothing for another one of the same id.
    """
    at = datetime.now(UTC)
    held = open_record(store.get(f"{manifest.folder}/{MANIFEST}"), None)
    proof = Proof(
        snapshot=manifest.id,
        manifest=held.digest,
        at=at,
        outcome=Outcome(verification["outcome"]),
        verification=verification,
    )
    _put(store, moment_key(manifest.folder, "proof", at), proof, key)
    return proof


def record_hold(store: ObjectStore, manifest: Manifest, *, held: bool, by: str, reason: str, key: SigningKey) -> Hold:
    """Keep the snapshot from retention, or let it go again."""
    hold = Hold(snapshot=manifest.id, at=datetime.now(UTC), held=held, by=by, reason=reason)
    _put(store, moment_key(manifest.folder, "hold", hold.at), hold, key)
    return hold


def write_manifest(store: ObjectStore, manifest: Manifest, key: SigningKey) -> None:
    """The commit point of a snapshot in this store. Raises RefusedError if it is there already."""
    _put(store, f"{manifest.folder}/{MANIFEST}", manifest, key)


def record_removal(store: ObjectStore, removal: Removal, manifest: Manifest, key: SigningKey) -> None:
    """From now on the snapshot is expired. Raises RefusedError if it was before."""
    _put(store, removal_key(manifest.shop, manifest.source, manifest.id), removal, key)


def newest_link(store: ObjectStore, shop: str, source: str) -> Link | None:
    """The newest snapshot of the source that the store holds, whatever its manifest's state."""
    newest = ""
    for each in store.list(f"{shop}/{source}"):
        if each.key.endswith(f"/{MANIFEST}") and each.key > newest:
            newest = each.key
    if not newest:
        return None
    return Link(id=newest.split("/")[-2], sha256=digest_of(store.get(newest)))


def _put(store: ObjectStore, key: str, record: Manifest | Proof | Hold | Removal, signing: SigningKey) -> None:
    store.put_new(key, close_record(record.model_dump(mode="json"), signing))


def as_json(entry: Entry, store: str) -> dict[str, Any]:
    """A line for `ecom snapshots --json`."""
    content: dict[str, Any] = json.loads(entry.manifest.model_dump_json(exclude={"fingerprint"}))
    return {"store": store, "status": entry.status.value, "held": entry.held is not None, **content}
