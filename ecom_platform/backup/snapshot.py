"""Takes a snapshot of a shop's database and looks whether it really is where it should be.

Goes here: what the `backups` stage does. Not here: how a dump streams (dump.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ecom_platform.backup.dump import Options, dump_database
from ecom_platform.backup.manifest import Manifest
from ecom_platform.backup.signing import ensure_signing_key
from ecom_platform.backup.stored import is_encrypted, is_stored
from ecom_platform.backup.trust import trusted_signers
from ecom_platform.clients.objects import open_store
from ecom_platform.platforms.protocol import Platform
from ecom_platform.records import Findings, Record
from ecom_platform.spec import Database, Shop
from ecom_platform.verdicts import Verdict, holds

CHECKS = {
    "in_every_store": "every store of the spec holds the whole snapshot; read back, not believed",
    "fingerprinted": "the content of every table was fingerprinted in the dump's own snapshot",
    "encrypted": "every stored object is an age file; its first bytes were read back",
}


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
    stores, trusted = [open_store(each) for each in accesses], trusted_signers(platform, shop)
    findings = Findings(
        {
            "in_every_store": [is_stored(each, manifest, trusted) for each in stores],
            "fingerprinted": list(_is_fingerprinted(manifest)),
            "encrypted": [verdict for each in stores for verdict in is_encrypted(each, manifest)],
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


def _is_fingerprinted(manifest: Manifest) -> Iterator[Verdict]:
    tables = manifest.fingerprint.get("tables")
    yield holds("the manifest has a fingerprint", tables is not None, f"{len(tables or {})} tables")
