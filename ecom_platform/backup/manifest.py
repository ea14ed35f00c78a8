"""What a snapshot is: its manifest and the write-once records beside it, and where each lies in a store.

Only data and names here; catalogue.py reads and writes them.

    SHOP/SOURCE/ID/ARCHIVE.dump.zst.age    the content
    SHOP/SOURCE/ID/manifest.json           written last: with it the content is a snapshot
    SHOP/SOURCE/ID/proof-TIME.json         a verification: passed, failed or inconclusive
    SHOP/SOURCE/ID/hold-TIME.json          somebody holds it, or lets it go
    SHOP/SOURCE/removed/ID.json            retention removed it; stays for good

SOURCE is two segments, KIND/NAME ("database/shop").
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict

from ecom_platform.verdicts import Outcome

FORMAT = 1
MANIFEST = "manifest.json"
REMOVED = "removed"
_MOMENT = "%Y%m%dT%H%M%SZ"


class Status(StrEnum):
    """What may be said of a snapshot in one store; only `proved` is usable."""

    TAKEN = "taken"
    """It has a manifest, but not every object of it is there in its size."""
    STORED = "stored"
    """Every object is there. Nobody has shown yet that it restores."""
    PROVED = "proved"
    """The newest conclusive verification passed."""
    FAILED = "failed"
    """The newest conclusive verification failed."""
    EXPIRED = "expired"
    """Retention removed it, or is about to finish removing it."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Part(_Record):
    """One object. sha256: of the stored bytes, hex; sizes in bytes."""

    name: str
    key: str
    size: int
    sha256: str
    plain_bytes: int


class Link(_Record):
    """The snapshot before, by the SHA-256 of its manifest."""

    id: str
    sha256: str


class Manifest(_Record):
    """A snapshot in one store. stores: by name, "stored" or what went wrong there.

    snapshot_at: the moment whose content this is. fingerprint: what fingerprints.py saw in the same
    database snapshot. previous: the newest snapshot of this source that the store held before.
    seconds: how long each phase took.
    """

    format: Literal[1] = 1
    id: str
    shop: str
    source: str
    kind: str
    started_at: AwareDatetime
    finished_at: AwareDatetime
    snapshot_at: AwareDatetime
    plain_bytes: int
    stored_bytes: int
    objects: tuple[Part, ...]
    recipients: tuple[str, ...]
    server_version: str
    tools: Mapping[str, str]
    fingerprint: Mapping[str, Any]
    stores: Mapping[str, str]
    seconds: Mapping[str, float] = {}
    tags: tuple[str, ...] = ()
    previous: Link | None = None

    @property
    def snapshot(self) -> str:
        """The id, by the name that the other records have for it."""
        return self.id

    @property
    def folder(self) -> str:
        return folder_of(self.shop, self.source, self.id)

    @property
    def complete(self) -> bool:
        """Whether every store has it."""
        return all(said == Status.STORED for said in self.stores.values())

    @property
    def archives(self) -> tuple[str, ...]:
        return tuple(each.name for each in self.objects)

    def part(self, name: str) -> Part:
        return next(each for each in self.objects if each.name == name)


class Proof(_Record):
    """A verification of a snapshot. verification: what the verifier measured and judged."""

    snapshot: str
    manifest: str
    at: AwareDatetime
    outcome: Outcome
    verification: Mapping[str, Any]


class Hold(_Record):
    """Keeps a snapshot from retention while held is true; a later record with false lets it go."""

    snapshot: str
    at: AwareDatetime
    held: bool
    by: str
    reason: str


class Removal(_Record):
    """Retention removed a snapshot. manifest: SHA-256 of the manifest; previous: its link, so that
    the chain can be followed past it.
    """

    snapshot: str
    at: AwareDatetime
    snapshot_at: AwareDatetime
    manifest: str
    reasons: tuple[str, ...]
    by: str
    previous: Link | None = None


def new_id(at: datetime, newest: str = "") -> str:
    """A snapshot's id: unique without asking anybody, and later than the newest one in the order of
    text even if the clock went backwards; so the order of ids is the order in which they were taken.
    """
    moment = at.astimezone(UTC)
    if newest:
        before = datetime.strptime(newest.split("-", maxsplit=1)[0], _MOMENT).replace(tzinfo=UTC)
        moment = max(moment, before + timedelta(seconds=1))
    return f"{moment:{_MOMENT}}-{secrets.token_hex(4)}"


def folder_of(shop: str, source: str, snapshot: str) -> str:
    return f"{shop}/{source}/{snapshot}"


def manifest_key(shop: str, source: str, snapshot: str) -> str:
    return f"{folder_of(shop, source, snapshot)}/{MANIFEST}"


def removal_key(shop: str, source: str, snapshot: str) -> str:
    return f"{shop}/{source}/{REMOVED}/{snapshot}.json"


def moment_key(folder: str, record: Literal["proof", "hold"], at: datetime) -> str:
    """A key that no other record of that kind has."""
    return f"{folder}/{record}-{at.astimezone(UTC):%Y%m%dT%H%M%S%fZ}-{secrets.token_hex(2)}.json"
