"""Proves a snapshot of a shop's database: finds it in a store, has it restored and compared, records the proof.

Goes here: what the `restores` stage does. Not here: the restore and the comparison (verification.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from ecom_platform.backup.archives import copy_archive
from ecom_platform.backup.catalogue import record_proof
from ecom_platform.backup.manifest import Manifest
from ecom_platform.backup.opening import chosen_snapshot, identities_for
from ecom_platform.backup.restore import Copy
from ecom_platform.backup.scratch import space_for, sweep
from ecom_platform.backup.signing import ensure_signing_key
from ecom_platform.backup.verification import Verification, restore_to_database, verify_snapshot
from ecom_platform.clients.objects import ObjectStore
from ecom_platform.clients.sql import split_url, url_with_password
from ecom_platform.clients.web import session
from ecom_platform.errors import EcomError
from ecom_platform.platforms.protocol import DatabaseAccess, Platform
from ecom_platform.records import Findings, Record
from ecom_platform.spec import Database, Service, Shop
from ecom_platform.verdicts import Verdict, failed, holds

_CHECKS = {
    "restored": "every archive was fetched, decrypted and restored without an error, with its roles",
    "content": "every table has its rows, and each value of each row",
    "sequences": "every sequence stands where it stood",
    "definitions": "schema, constraints, indexes, functions, grants and all other definitions came back",
    "cleaned_up": "the scratch server and its files are gone",
}
_READ_PATH = {"read_path": "the shop's own service, started against the restored copy, reads from it"}
_CLAIMS = {
    "every table has its rows and content": "content",
    "every large object is there": "content",
    "the fingerprints can be compared": "content",
    "every sequence has its value": "sequences",
    "every definition came back": "definitions",
    "the restored copy can be read": "read_path",
}
"""Which check a verdict of the verification belongs to, by its claim; all others are `restored`."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class ProofRecord(Record):
    """A snapshot that was restored and compared. seconds by phase; phases run beside each other."""

    snapshot: str
    store: str
    tables: int
    rows: int
    plain_bytes: int
    total_seconds: float
    snapshot_timestamp: float
    seconds: Mapping[str, float]

    def to_metadata(self) -> dict[str, Any]:
        phases = {f"{name}_seconds": round(value, 3) for name, value in self.seconds.items()}
        return {name: value for name, value in vars(self).items() if name != "seconds"} | phases


def checks(database: Database) -> dict[str, str]:
    """The checks of the database's proof; the read path only where the spec names a service for it."""
    return _CHECKS | (_READ_PATH if database.read_path else {})


def prove(
    platform: Platform, shop: Shop, database: Database, *, snapshot: str, store: str, progress: Progress
) -> tuple[Findings, ProofRecord]:
    """Verify the snapshot (an id or `latest`) from the store (empty: the spec's first) and record the outcome
    beside it. Verdicts for checks(). Raises when it could not be tried: no key, no room, no store.
    """
    key = ensure_signing_key(platform.signing_key())
    stored, manifest = chosen(platform, shop, database, snapshot, store)
    progress(f"verifying {manifest.id} from {stored.name}")
    scratch = platform.scratch()
    verification = verify_snapshot(
        manifest.fingerprint,
        archives(platform, stored, manifest),
        scratch_folder=scratch,
        space_needed=space_for(int(manifest.fingerprint["bytes"]), manifest.plain_bytes),
        read_path=_read_path(platform, shop, database),
        progress=progress,
    )
    record_proof(stored, manifest, verification.as_dict(), key)
    left = sweep(scratch)
    tidy = holds("nothing is left of the scratch server", not left, ", ".join(left) or "gone")
    return _grouped(verification, tidy), _record(stored, manifest, verification)


def restore_to(
    platform: Platform,
    shop: Shop,
    database: Database,
    *,
    target_file: Path,
    snapshot: str,
    store: str,
    progress: Progress,
) -> ProofRecord:
    """Restore into the empty database whose URL the file holds, and compare it there.

    Raises RefusedError if it is not empty, ProofFailed if what came back is not what was dumped.
    """
    stored, manifest = chosen(platform, shop, database, snapshot, store)
    target = split_url(target_file.read_text(encoding="utf-8").strip())
    progress(f"restoring {manifest.id} from {stored.name} into {target.url}")
    verification = restore_to_database(
        manifest.fingerprint,
        archives(platform, stored, manifest),
        target,
        folder=platform.scratch(),
        progress=progress,
    )
    return _record(stored, manifest, verification)


def chosen(
    platform: Platform, shop: Shop, database: Database, snapshot: str, store: str
) -> tuple[ObjectStore, Manifest]:
    """The store (empty: the spec's first) and the snapshot (an id or `latest`) in it. Raises ConfigurationError or
    MissingError for what is not there, CorruptBackup for a catalogue that cannot be trusted.
    """
    return chosen_snapshot(platform, shop, f"database/{database.name}", snapshot, store)


def archives(platform: Platform, store: ObjectStore, manifest: Manifest) -> dict[str, Copy]:
    """The snapshot's archives, to be read once each. Raises ConfigurationError where no key is."""
    identities = identities_for(platform, manifest)
    return {name: partial(copy_archive, store, manifest, name, identities) for name in manifest.archives}


def _read_path(platform: Platform, shop: Shop, database: Database) -> Callable[[DatabaseAccess], Verdict] | None:
    if database.read_path is None:
        return None
    service = shop.service(database.read_path)
    return lambda access: read_restored(platform, service, access)


def read_restored(platform: Platform, service: Service, access: DatabaseAccess) -> Verdict:
    """Start the service against the restored copy and read a product through it."""
    claim = "the restored copy can be read"
    try:
        with (
            _url_file(platform.scratch(), access) as path,
            platform.read_path(service, path) as url,
            session(url) as started,
        ):
            answer = started.get("/api/products?limit=1")
    except EcomError as error:
        return failed(claim, str(error))
    content = answer.json()
    products = content.get("products") if isinstance(content, dict) else None
    first = products[0].get("name") if products else None
    return holds(
        claim, answer.status == 200 and products, f"{service.name} answered {answer.status}, product {first!r}"
    )


@contextmanager
def _url_file(folder: Path, access: DatabaseAccess) -> Iterator[Path]:
    """The whole URL in a file that only its owner can read; gone afterwards."""
    with NamedTemporaryFile("w", dir=folder, prefix="url-") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(url_with_password(access))
        file.flush()
        yield Path(file.name)


def _grouped(verification: Verification, tidy: Verdict) -> Findings:
    groups: dict[str, list[Verdict]] = {"cleaned_up": [tidy]}
    for verdict in verification.verdicts:
        groups.setdefault(_CLAIMS.get(verdict.claim, "restored"), []).append(verdict)
    return Findings(groups)


def _record(store: ObjectStore, manifest: Manifest, verification: Verification) -> ProofRecord:
    return ProofRecord(
        snapshot=manifest.id,
        store=store.name,
        tables=verification.tables,
        rows=verification.rows,
        plain_bytes=verification.plain_bytes,
        total_seconds=round(verification.total, 3),
        snapshot_timestamp=manifest.snapshot_at.timestamp(),
        seconds=verification.seconds,
    )
