"""Reads a store's catalogue whole and checks it: the listing, each record's signature and place, the chain.

Goes here: what is there and what is wrong with it. Not here: choosing and writing (catalogue.py).
"""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeVar

from pydantic import ValidationError

from ecom_platform.backup.manifest import MANIFEST, REMOVED, Hold, Manifest, Proof, Removal, Status
from ecom_platform.backup.signing import Opened, digest_of, open_record
from ecom_platform.clients.objects import ObjectStore, StoredObject
from ecom_platform.errors import CorruptBackup, MissingError
from ecom_platform.verdicts import Outcome

Record = TypeVar("Record", Manifest, Proof, Hold, Removal)
Beside = TypeVar("Beside", Proof, Hold)

READINGS = 3
"""How often a catalogue is read again that changes while it is read."""


@dataclass(frozen=True)
class Problem:
    """Something that a sound catalogue does not have. snapshot: the id that it is about.

    fatal: this snapshot's own manifest cannot be trusted.
    """

    snapshot: str
    seen: str
    fatal: bool = False

    def __str__(self) -> str:
        return f"{self.snapshot}: {self.seen}"


@dataclass(frozen=True)
class Entry:
    """A snapshot and what the store says of it. digest: SHA-256 of its manifest, hex. signer: of its manifest."""

    manifest: Manifest
    status: Status
    digest: str
    signer: str = ""
    proofs: tuple[Proof, ...] = ()
    held: Hold | None = None

    @property
    def proved_at(self) -> datetime | None:
        """When it was last shown to restore; None unless its status is proved."""
        passed = [each.at for each in self.proofs if each.outcome is Outcome.PASSED]
        return max(passed) if passed and self.status is Status.PROVED else None


@dataclass(frozen=True)
class Catalogue:
    """entries: newest first, expired ones too. removals: of snapshots that retention removed, by
    SOURCE and id. unfinished: folders with objects and no manifest, by their newest change.
    """

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    removals: Mapping[tuple[str, str], Removal] = field(default_factory=dict)
    unfinished: Mapping[str, datetime] = field(default_factory=dict)

    def of(self, source: str | None) -> list[Entry]:
        """Entries that were not removed, newest first."""
        return [
            each
            for each in self.entries
            if each.status is not Status.EXPIRED and source in (None, each.manifest.source)
        ]


def read_catalogue(store: ObjectStore, *, shop: str | None = None, trusted: Collection[str] | None = None) -> Catalogue:
    """Everything the store holds of a shop, or of all shops.

    trusted: public keys that may sign; None takes any, which shows accidents but no forger.
    Raises UnreachableError or PermanentError if the store cannot be listed and read whole.
    """
    for _ in range(READINGS - 1):
        try:
            return _read_catalogue(store, shop, trusted)
        except MissingError:
            continue  # something that was listed is gone: retention is at work, or the list was late
    return _read_catalogue(store, shop, trusted)


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection meanwhile: all that is read is kept, and a collector that walks over it
    again and again takes a third of the time of a large catalogue.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@_uncollected()
def _read_catalogue(store: ObjectStore, shop: str | None, trusted: Collection[str] | None) -> Catalogue:
    listed = _listing(store, shop)
    records = [key for objects in listed.folders.values() for key in objects if key.endswith(".json")]
    read = _Reader(store, trusted, [*records, *listed.removed])
    removals = _removals(read, listed.removed)
    entries, unfinished = [], {}
    for folder, objects in listed.folders.items():
        key = f"{folder}/{MANIFEST}"
        if key not in objects:
            unfinished[folder] = max(each.modified for each in objects.values())
            _, kind, name, snapshot = folder.split("/")
            if (f"{kind}/{name}", snapshot) not in removals and any(each.endswith(".json") for each in objects):
                read.report(snapshot, "its manifest is missing, and records of it are there")
        elif entry := _entry(read, folder, objects, removals):
            entries.append(entry)
    entries.sort(key=lambda each: each.manifest.id, reverse=True)
    problems = [*read.problems, *_chain_problems(entries, read.digests, removals)]
    return Catalogue(tuple(entries), tuple(problems), removals, unfinished)


@dataclass(frozen=True)
class _Listing:
    """folders: objects of each snapshot's folder by key; removed: keys of the removal records."""

    folders: Mapping[str, Mapping[str, StoredObject]]
    removed: list[str]


def _listing(store: ObjectStore, shop: str | None) -> _Listing:
    folders: dict[str, dict[str, StoredObject]] = defaultdict(dict)
    removed = []
    for each in store.list(shop or ""):
        parts = each.key.split("/")
        if len(parts) != 5:
            continue  # something that this program did not write
        if parts[3] == REMOVED:
            removed.append(each.key)
        else:
            folders["/".join(parts[:4])][each.key] = each
    return _Listing(folders, removed)


class _Reader:
    """Reads all records at once; what cannot be trusted becomes a problem and is left out.

    digests: SHA-256 of each manifest's bytes, trusted or not, by SOURCE/ID.
    """

    def __init__(self, store: ObjectStore, trusted: Collection[str] | None, keys: Iterable[str]) -> None:
        self.problems: list[Problem] = []
        self.digests: dict[str, str] = {}
        self._opened: dict[str, Opened | CorruptBackup] = {}
        # Each is checked while the next ones are on their way.
        for key, record in store.get_many(keys):
            if key.endswith(f"/{MANIFEST}"):
                self.digests["/".join(key.split("/")[1:4])] = digest_of(record)
            try:
                self._opened[key] = open_record(record, trusted)
            except CorruptBackup as error:
                self._opened[key] = error

    def open(self, key: str, kind: type[Record]) -> tuple[Record, Opened] | None:
        *_, parent, file = key.split("/")
        snapshot = file.removesuffix(".json") if kind is Removal else parent
        opened = self._opened[key]
        if isinstance(opened, CorruptBackup):
            self.report(snapshot, f"{file}: {opened.seen}", fatal=kind is Manifest)
            return None
        try:
            record = kind.model_validate_json(opened.content)
        except ValidationError as error:
            self.report(snapshot, f"{file}: {error.error_count()} fields do not fit", fatal=kind is Manifest)
            return None
        if record.snapshot != snapshot:
            self.report(snapshot, f"{file} is that of {record.snapshot}", fatal=kind is Manifest)
            return None
        return record, opened

    def report(self, snapshot: str, seen: str, *, fatal: bool = False) -> None:
        self.problems.append(Problem(snapshot, seen, fatal))


def _removals(read: _Reader, keys: Iterable[str]) -> dict[tuple[str, str], Removal]:
    found = {}
    for key in keys:
        _, kind, name, *_ = key.split("/")
        if opened := read.open(key, Removal):
            found[f"{kind}/{name}", opened[0].snapshot] = opened[0]
    return found


def _entry(
    read: _Reader,
    folder: str,
    objects: Mapping[str, StoredObject],
    removals: Mapping[tuple[str, str], Removal],
) -> Entry | None:
    opened = read.open(f"{folder}/{MANIFEST}", Manifest)
    if opened is None:
        return None
    manifest, record = opened
    if manifest.folder != folder or any(not each.key.startswith(f"{folder}/") for each in manifest.objects):
        read.report(manifest.id, f"its manifest names another place, {manifest.folder}", fatal=True)
        return None
    proofs = [each for each in _beside(read, folder, objects, Proof) if each.manifest == record.digest]
    holds = _beside(read, folder, objects, Hold)
    status = _status(manifest, objects, proofs)
    if (manifest.source, manifest.id) in removals:
        status = Status.EXPIRED
    elif status is Status.TAKEN:
        read.report(manifest.id, _absent(manifest, objects))
    held = holds[-1] if holds and holds[-1].held else None
    return Entry(manifest, status, record.digest, record.key, tuple(proofs), held)


def _beside(read: _Reader, folder: str, objects: Mapping[str, StoredObject], kind: type[Beside]) -> list[Beside]:
    """The records of that kind in a snapshot's folder, oldest first."""
    prefix: Literal["proof", "hold"] = "proof" if kind is Proof else "hold"
    keys = sorted(key for key in objects if key.startswith(f"{folder}/{prefix}-"))
    found = [opened[0] for key in keys if (opened := read.open(key, kind))]
    return sorted(found, key=lambda each: each.at)


def _status(manifest: Manifest, objects: Mapping[str, StoredObject], proofs: list[Proof]) -> Status:
    if _absent(manifest, objects):
        return Status.TAKEN
    conclusive = [each.outcome for each in proofs if each.outcome is not Outcome.INCONCLUSIVE]
    if not conclusive:
        return Status.STORED
    return Status.PROVED if conclusive[-1] is Outcome.PASSED else Status.FAILED


def _absent(manifest: Manifest, objects: Mapping[str, StoredObject]) -> str:
    """What a listing shows to be wrong with the snapshot's objects; empty if nothing."""
    for part in manifest.objects:
        stored = objects.get(part.key)
        if stored is None:
            return f"the object {part.name} is not there"
        if stored.size != part.size:
            return f"the object {part.name} has {stored.size} bytes, {part.size} were written"
    return ""


def _chain_problems(
    entries: list[Entry], digests: Mapping[str, str], removals: Mapping[tuple[str, str], Removal]
) -> Iterable[Problem]:
    """Follows each snapshot's link to the one before it."""
    known = {f"{source}/{snapshot}": each.manifest for (source, snapshot), each in removals.items()}
    known.update(digests)
    links = [(each.manifest.source, each.manifest.id, each.manifest.previous) for each in entries]
    links += [(source, snapshot, each.previous) for (source, snapshot), each in removals.items()]
    for source, snapshot, previous in links:
        if previous is None:
            continue
        digest = known.get(f"{source}/{previous.id}")
        if digest is None:
            yield Problem(previous.id, f"it is missing: {snapshot} was taken after it, and nothing says it was removed")
        elif digest != previous.sha256:
            yield Problem(previous.id, f"its manifest is not the one that was there when {snapshot} was taken")
