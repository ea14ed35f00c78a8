"""What the `backups` stage does for folders, the configuration and sets: take, and look whether it is so.

Goes here: the checks of these assets and their records. Not here: how each is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ecom_platform.backup.manifest import Manifest
from ecom_platform.backup.signing import ensure_signing_key
from ecom_platform.backup.sources import complete, configuration, set_members
from ecom_platform.backup.sources.folder import tree_source
from ecom_platform.backup.sources.taking import Source, Writing, take_snapshot
from ecom_platform.backup.stored import is_encrypted, is_stored
from ecom_platform.backup.trust import trusted_signers
from ecom_platform.clients.objects import open_store
from ecom_platform.platforms.protocol import Platform
from ecom_platform.records import Findings, Record
from ecom_platform.spec import Shop
from ecom_platform.verdicts import Verdict, equal, holds

Progress = Callable[[str], None]

_STORED = {"in_every_store": "every store of the spec holds the whole snapshot; read back, not believed"}
_TREE = {
    "fingerprinted": "every file, folder and link was listed as it was read, with the hash of each file",
    "encrypted": "every stored object is an age file; its first bytes were read back",
}
FOLDER_CHECKS = {**_STORED, **_TREE}
CONFIGURATION_CHECKS = {**_STORED, **_TREE, "no_secrets": "no document holds the value of a secret"}
COMPLETE_CHECKS = {**_STORED, "members": "the set names a snapshot of every source, all taken in this run"}


@dataclass(frozen=True)
class SourceRecord(Record):
    """A snapshot that was taken and stored; nothing here says that it can be restored. Sizes in bytes.

    entries: files, folders and links of a tree, or members of a set. left_out: sockets, pipes, devices.
    moved_on: entries that changed or went after they had been read; the snapshot has them as they were read.
    """

    snapshot: str
    source: str
    stores: tuple[str, ...]
    entries: int
    plain_bytes: int
    stored_bytes: int
    snapshot_timestamp: float
    total_seconds: float
    left_out: int = 0
    moved_on: int = 0

    def to_metadata(self) -> dict[str, Any]:
        return vars(self) | {"stores": list(self.stores)}


def take_folder(platform: Platform, shop: Shop, name: str, *, progress: Progress) -> tuple[Findings, SourceRecord]:
    """Verdicts for FOLDER_CHECKS and the record."""
    tree = platform.folder_tree(name)
    manifest = _take(platform, shop, tree_source("folder", name, tree), progress)
    for each in tree.left_out:
        progress(f"left out, because it is no file, folder or link: {each!r}")
    for each in tree.moved_on:
        progress(f"changed after it had been read: {each!r}")
    return _tree_findings(platform, shop, manifest, {}), _record(manifest)


def take_configuration(platform: Platform, shop: Shop, *, progress: Progress) -> tuple[Findings, SourceRecord]:
    """Verdicts for CONFIGURATION_CHECKS and the record. Raises RefusedError if a document holds a secret."""
    key = ensure_signing_key(platform.signing_key())
    documents = configuration.gather(platform, shop, key)
    manifest = _take(platform, shop, configuration.configuration_source(documents), progress)
    secrets = len(platform.secret_values())
    kept = holds(
        "no document holds a secret", secrets, f"{len(documents)} documents, looked through for {secrets} secrets"
    )
    return _tree_findings(platform, shop, manifest, {"no_secrets": [kept]}), _record(manifest)


def take_complete(
    platform: Platform, shop: Shop, members: Mapping[str, str], began: datetime, *, progress: Progress
) -> tuple[Findings, SourceRecord]:
    """Verdicts for COMPLETE_CHECKS and the record. members: id by source, all taken since `began`."""
    manifest = complete.take_set(members, began, _writing(platform, shop, progress))
    named = sorted(each.source for each in set_members.members_of(manifest))
    findings = {
        "in_every_store": _in_stores(platform, shop, manifest),
        "members": [equal("the set has every source", sorted(sources_of(shop)), named)],
    }
    return Findings(findings), _record(manifest)


def sources_of(shop: Shop) -> list[str]:
    """Everything that is backed up of a shop, but sets: KIND/NAME."""
    databases = [f"database/{each.name}" for each in shop.databases]
    folders = [f"folder/{each.name}" for each in shop.folders]
    return [*databases, *folders, configuration.SOURCE]


def _writing(platform: Platform, shop: Shop, progress: Progress) -> Writing:
    return Writing(
        shop.shop,
        [platform.store(name) for name in shop.stores],
        platform.recipients(),
        ensure_signing_key(platform.signing_key()),
        progress,
    )


def _take(platform: Platform, shop: Shop, source: Source, progress: Progress) -> Manifest:
    return take_snapshot(source, _writing(platform, shop, progress))


def _in_stores(platform: Platform, shop: Shop, manifest: Manifest) -> list[Verdict]:
    trusted = trusted_signers(platform, shop)
    return [is_stored(open_store(platform.store(name)), manifest, trusted) for name in shop.stores]


def _tree_findings(platform: Platform, shop: Shop, manifest: Manifest, own: Mapping[str, list[Verdict]]) -> Findings:
    stores = [open_store(platform.store(name)) for name in shop.stores if manifest.stores.get(name) == "stored"]
    return Findings(
        {
            "in_every_store": _in_stores(platform, shop, manifest),
            "fingerprinted": list(_is_fingerprinted(manifest)),
            "encrypted": [verdict for each in stores for verdict in is_encrypted(each, manifest)],
            **own,
        }
    )


def _is_fingerprinted(manifest: Manifest) -> Iterator[Verdict]:
    listed = int(manifest.fingerprint["entries"])
    yield holds(
        "the list has an entry at least", listed, f"{listed:,} entries, {manifest.fingerprint['files']:,} files"
    )


def _record(manifest: Manifest) -> SourceRecord:
    fingerprint = manifest.fingerprint
    return SourceRecord(
        snapshot=manifest.id,
        source=manifest.source,
        stores=tuple(manifest.stores),
        entries=int(fingerprint["entries"]) if "entries" in fingerprint else len(fingerprint["members"]),
        plain_bytes=manifest.plain_bytes,
        stored_bytes=manifest.stored_bytes,
        snapshot_timestamp=manifest.snapshot_at.timestamp(),
        total_seconds=manifest.seconds["total"],
        left_out=int(fingerprint.get("left_out", 0)),
        moved_on=int(fingerprint.get("moved_on", 0)),
    )
