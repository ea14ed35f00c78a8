"""Takes a snapshot of a shop's database and looks whether it really is where it should be.

Goes here: what the `backups` stage does. Not here: how a dump streams (dump.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ecom_platform.backup.catalogue import find_entry, read_catalogue
from ecom_platform.backup.dump import Options, dump_database
from ecom_platform.backup.manifest import Manifest, Status
from ecom_platform.backup.signing import ensure_signing_key
from ecom_platform.clients.objects import ObjectStore, open_store
from ecom_platform.errors import EcomError
from ecom_platform.platforms.protocol import Platform
from ecom_platform.records import Findings, Record
from ecom_platform.spec import Database, Shop
from ecom_platform.verdicts import Verdict, equal, failed, holds

CHECKS = {
    "in_every_store": "every store of the spec holds the whole snapshot; read back, not believed",
    "fingerprinted": "the content of every table was fingerprinted in the dump's own snapshot",
    "encrypted": "every stored object is an age file; its first bytes were read back",
}
AGE_HEADER = b"age-encryption.org/v1"


@dataclass(frozen=True)
class SnapshotRecord(Record):
    """A snapshot that was taken and stored; nothing here says that it restores. Sizes in bytes."""

    snapshot: str
    stores: tuple[str, ...]
    tables: int
    rows: int
    plain_bytes: int
    stored_bytes: int
    snapshot_timestamp: float
    seconds: dict[str, float]
    recipients: tuple[str, ...]
    server_version: str

    def to_metadata(self) -> dict[str, Any]:
        phases = {f"{name}_seconds": value for name, value in self.seconds.items()}
        listed = {"stores": list(self.stores), "recipients": list(self.recipients)}
        return {name: value for name, value in vars(self).items() if name != "seconds"} | phases | listed


def take(
    platform: Platform, shop: Shop, database: Database, *, progress: Callable[[str], None]
) -> tuple[Findings, SnapshotRecord]:
    """Dump the database into every store of the spec; verdicts for CHECKS and the record."""
    accesses = [platform.store(name) for name in shop.stores]
    manifest = dump_database(
        platform.database(database, "backup"),
        shop=shop.shop,
        name=database.name,
        stores=accesses,
        recipients=platform.recipients(),
        signing_key=ensure_signing_key(platform.signing_key()),
        progress=progress,
        options=Options(bytes_per_second=database.dump_bytes_per_second),
    )
    stores = [open_store(each) for each in accesses]
    findings = Findings(
        {
            "in_every_store": [_is_stored(each, manifest) for each in stores],
            "fingerprinted": list(_is_fingerprinted(manifest)),
            "encrypted": [verdict for each in stores for verdict in _is_encrypted(each, manifest)],
        }
    )
    return findings, _record(manifest)


def _record(manifest: Manifest) -> SnapshotRecord:
    tables = manifest.fingerprint["tables"]
    return SnapshotRecord(
        snapshot=manifest.id,
        stores=tuple(manifest.stores),
        tables=len(tables),
        rows=sum(each["rows"] for each in tables.values()),
        plain_bytes=manifest.plain_bytes,
        stored_bytes=manifest.stored_bytes,
        snapshot_timestamp=manifest.snapshot_at.timestamp(),
        seconds=dict(manifest.seconds),
        recipients=manifest.recipients,
        server_version=manifest.server_version,
    )


def _is_stored(store: ObjectStore, manifest: Manifest) -> Verdict:
    claim = f"the store {store.name} holds {manifest.id}"
    said = manifest.stores.get(store.name)
    if said != Status.STORED:
        return failed(claim, f"{said or 'the manifest does not name it'}")
    try:
        entry = find_entry(read_catalogue(store, shop=manifest.shop), store.name, manifest.id, manifest.source)
    except EcomError as error:
        return failed(claim, str(error))
    return equal(claim, Status.STORED.value, entry.status.value)


def _is_fingerprinted(manifest: Manifest) -> Iterator[Verdict]:
    tables = manifest.fingerprint.get("tables")
    yield holds("the manifest has a fingerprint", tables is not None, f"{len(tables or {})} tables")


def _is_encrypted(store: ObjectStore, manifest: Manifest) -> Iterator[Verdict]:
    for part in manifest.objects:
        claim = f"{part.name} in {store.name} is an age file"
        try:
            head = next(iter(store.read(part.key)), b"")[: len(AGE_HEADER)]
        except EcomError as error:
            yield failed(claim, str(error))
        else:
            yield holds(claim, head == AGE_HEADER, f"begins with {head[:21]!r}")
