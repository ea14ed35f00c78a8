"""The door for a recovery that has a store and a private key and nothing else: which shops are there, what can be
recovered of each, and the content.

    store = open_store(StoreAccess("from", "file:///..."))
    chosen = newest_proved(store, shops(store)[0])         # or newest_set(...): of one run, up to a week old
    spec = read_configuration(store, chosen, identities)   # a spec.Shop, and restore_configuration(...) for all of it
    for name in chosen.folders: restore_folder(store, chosen, name, identities, target)
    for name in chosen.databases:
        manifest, archives = database_archives(store, chosen, name, identities)
        restore_to_database(manifest.fingerprint, archives, target, folder=scratch)     # verification.py

Nothing here writes to the store, and nothing that was not proved there is offered. trusted: the public
halves of signing keys, if the recovering side knows them; without them accidents show and forgers do not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from ecom_platform.backup.archives import copy_archive
from ecom_platform.backup.catalogue_reading import Catalogue, Entry, read_catalogue
from ecom_platform.backup.encryption import Identities
from ecom_platform.backup.manifest import Manifest, Status
from ecom_platform.backup.restore import Copy
from ecom_platform.backup.sources import configuration, set_members
from ecom_platform.backup.sources.tree_proof import TreeVerification, restore_tree
from ecom_platform.clients.objects import ObjectStore
from ecom_platform.errors import MissingError
from ecom_platform.spec import Shop
from ecom_platform.spec_file import read_spec


@dataclass(frozen=True)
class RecoverySet:
    """Snapshots to recover from, by source (KIND/NAME).

    set_id: of the complete set, empty for a choice by source. signers: whose manifests these are. warnings:
    what is wrong with other records of the store; somebody should look at them after the recovery.
    """

    shop: str
    members: Mapping[str, Manifest]
    set_id: str = ""
    signers: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()

    def _names(self, kind: str) -> tuple[str, ...]:
        return tuple(sorted(each.partition("/")[2] for each in self.members if each.startswith(f"{kind}/")))

    @property
    def databases(self) -> tuple[str, ...]:
        return self._names("database")

    @property
    def folders(self) -> tuple[str, ...]:
        return self._names("folder")

    @property
    def has_configuration(self) -> bool:
        return configuration.SOURCE in self.members

    @property
    def oldest(self) -> datetime:
        """The earliest moment that a part of it shows."""
        return min(each.snapshot_at for each in self.members.values())

    def member(self, source: str) -> Manifest:
        """Raises MissingError that names what there is."""
        if source not in self.members:
            there = ", ".join(sorted(self.members))
            raise MissingError(f"recover {source} of {self.shop}", f"this set has {there}", "Name one of them.")
        return self.members[source]


@dataclass(frozen=True)
class SetState:
    """A complete set as its store holds it. broken: what keeps it from being rebuilt from; empty if nothing."""

    manifest: Manifest
    status: Status
    broken: tuple[str, ...]

    @property
    def usable(self) -> bool:
        return self.status is Status.PROVED and not self.broken


def shops(store: ObjectStore) -> list[str]:
    """The shops that have snapshots in the store. Raises MissingError if there are none."""
    found = {each.key.split("/")[0] for each in store.list() if each.key.endswith("/manifest.json")}
    if not found:
        raise MissingError(f"look for shops in {store.where}", "it holds no snapshot", "Is it the right address?")
    return sorted(found)


def sets(store: ObjectStore, shop: str, trusted: Collection[str] | None = None) -> list[SetState]:
    """The shop's complete sets, newest first."""
    catalogue = read_catalogue(store, shop=shop, trusted=trusted)
    return [
        SetState(each.manifest, each.status, tuple(set_members.broken(catalogue, each.manifest)))
        for each in catalogue.of(set_members.SOURCE)
    ]


def newest_set(store: ObjectStore, shop: str, trusted: Collection[str] | None = None) -> RecoverySet:
    """The newest complete set that was proved and whose members are all there and proved.

    Raises MissingError that says why each set that there is cannot be used.
    """
    catalogue = read_catalogue(store, shop=shop, trusted=trusted)
    proved = {(each.manifest.source, each.manifest.id): each for each in _proved(catalogue)}
    reasons = []
    for entry in catalogue.of(set_members.SOURCE):
        members = set_members.members_of(entry.manifest)
        wrong = set_members.broken(catalogue, entry.manifest)
        wrong += [f"{each.source} {each.id} is not proved" for each in members if (each.source, each.id) not in proved]
        wrong += [] if entry.status is Status.PROVED else [f"it is {entry.status}"]
        if not wrong:
            chosen = [proved[each.source, each.id] for each in members]
            return _set(shop, chosen, catalogue, entry.manifest.id)
        reasons.append(f"{entry.manifest.id}: {wrong[0]}")
    raise MissingError(
        f"find a proved set of {shop} in {store.where}",
        "; ".join(reasons[:3]) or "there is no set",
        "Recover from the newest proved snapshots instead.",
    )


def newest_proved(store: ObjectStore, shop: str, trusted: Collection[str] | None = None) -> RecoverySet:
    """The newest proved snapshot of each source: the least loss, of moments that may lie a day apart.

    Raises MissingError if nothing is proved.
    """
    catalogue = read_catalogue(store, shop=shop, trusted=trusted)
    chosen: dict[str, Entry] = {}
    for entry in _proved(catalogue):
        if entry.manifest.kind != set_members.KIND:
            chosen.setdefault(entry.manifest.source, entry)
    if not chosen:
        raise MissingError(f"find a proved snapshot of {shop} in {store.where}", "none is proved", "Verify one first.")
    return _set(shop, chosen.values(), catalogue)


def _set(shop: str, chosen: Collection[Entry], catalogue: Catalogue, set_id: str = "") -> RecoverySet:
    return RecoverySet(
        shop,
        {each.manifest.source: each.manifest for each in chosen},
        set_id,
        frozenset(each.signer for each in chosen),
        tuple(str(each) for each in catalogue.problems),
    )


def _proved(catalogue: Catalogue) -> list[Entry]:
    return [each for each in catalogue.of(None) if each.status is Status.PROVED]


def read_configuration(store: ObjectStore, chosen: RecoverySet, identities: Identities) -> Shop:
    """The shop's spec as it was."""
    with TemporaryDirectory() as place:
        folder = Path(place) / "configuration"
        restore_configuration(store, chosen, identities, folder)
        return read_spec(folder / configuration.SPEC)


def restore_configuration(
    store: ObjectStore, chosen: RecoverySet, identities: Identities, target: Path
) -> TreeVerification:
    """All documents into a folder that is empty or not there; compared there."""
    return restore_tree(store, chosen.member(configuration.SOURCE), identities, target)


def restore_folder(
    store: ObjectStore,
    chosen: RecoverySet,
    name: str,
    identities: Identities,
    target: Path,
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> TreeVerification:
    """A folder's files into a folder that is empty or not there; compared there."""
    return restore_tree(store, chosen.member(f"folder/{name}"), identities, target, progress)


def database_archives(
    store: ObjectStore, chosen: RecoverySet, name: str, identities: Identities
) -> tuple[Manifest, Mapping[str, Copy]]:
    """The snapshot of a database, and its archives as verification.py takes them."""
    manifest = chosen.member(f"database/{name}")
    return manifest, {each: partial(copy_archive, store, manifest, each, identities) for each in manifest.archives}
