"""Manifests and catalogues for tests that need no server."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from ecom_platform.backup.catalogue_reading import Catalogue, Entry, Problem
from ecom_platform.backup.manifest import Hold, Manifest, Part, Removal, Status, new_id

SOURCE = "database/shop"
START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)


def manifest(at: datetime, **changes: object) -> Manifest:
    """A small snapshot of that time, with one archive of four bytes."""
    name = new_id(at)
    draft = Manifest(
        id=name,
        shop="ecommerce",
        source=SOURCE,
        kind="database",
        started_at=at,
        finished_at=at + timedelta(minutes=1),
        snapshot_at=at,
        plain_bytes=4,
        stored_bytes=4,
        objects=(
            Part(
                name="data", key=f"ecommerce/{SOURCE}/{name}/data.dump.zst.age", size=4, sha256="0" * 64, plain_bytes=4
            ),
        ),
        recipients=("age1recipient",),
        server_version="18.6",
        tools={"pg_dump": "18.6"},
        fingerprint={"tables": {}},
        stores={"local": "stored"},
    )
    return draft.model_copy(update=changes)


def entry(at: datetime, status: Status = Status.PROVED, held: str = "") -> Entry:
    described = manifest(at)
    hold = Hold(snapshot=described.id, at=at, held=True, by="somebody", reason=held) if held else None
    return Entry(described, status, digest=described.id, held=hold)


def catalogue(
    entries: Iterable[Entry], problems: Iterable[Problem] = (), removals: Iterable[Removal] = ()
) -> Catalogue:
    ordered = sorted(entries, key=lambda each: each.manifest.id, reverse=True)
    return Catalogue(tuple(ordered), tuple(problems), {(SOURCE, each.snapshot): each for each in removals})
