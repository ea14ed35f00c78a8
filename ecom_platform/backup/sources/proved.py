"""What the `restores` stage does for folders, the configuration and sets: find a snapshot, prove it, record the proof.

Goes here: the checks of these assets and which verdict belongs to which. Not here: how they are proved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecom_platform.backup.catalogue import record_proof
from ecom_platform.backup.catalogue_reading import read_catalogue
from ecom_platform.backup.manifest import Manifest
from ecom_platform.backup.opening import chosen_snapshot, identities_for
from ecom_platform.backup.signing import ensure_signing_key
from ecom_platform.backup.sources import complete, configuration, set_members
from ecom_platform.backup.sources.tree_index import SAME_CONTENT, SAME_MODE, SAME_TIME, THERE
from ecom_platform.backup.sources.tree_proof import CLEANED, TreeVerification, restore_tree, verify_tree
from ecom_platform.backup.trust import trusted_signers
from ecom_platform.clients.objects import ObjectStore
from ecom_platform.platforms.protocol import Platform
from ecom_platform.records import Findings, Record
from ecom_platform.spec import Shop
from ecom_platform.verdicts import Verdict

Progress = Callable[[str], None]

RESTORED = "restored"
_TREE = {
    RESTORED: "every object was fetched, decrypted and written into an empty folder without an error",
    "content": "every file, folder and link is there and no other, each with its bytes or its target",
    "modes": "every mode is as it was",
    "times": "every time of change is as it was, to the nanosecond",
    "cleaned_up": "the scratch folder is gone",
}
_CONFIGURATION = {**_TREE, "usable": "the restored spec describes the shop, and every document can be read"}
_ACCEPTED = {"accepted": "the cluster would take every restored object, and make of it what it was"}
_COMPLETE = {
    "members": "every member is there, and is the one that was named",
    "members_proved": "every member was restored and compared",
    "together": "all members were taken in one run",
    "rebuild_file": "the rebuild file is whole and names what is there",
}
_CLAIMS = {
    THERE: "content",
    SAME_CONTENT: "content",
    SAME_MODE: "modes",
    SAME_TIME: "times",
    CLEANED: "cleaned_up",
    configuration.SPEC_READS: "usable",
    configuration.DOCUMENTS_READ: "usable",
    configuration.ACCEPTED: "accepted",
    complete.MEMBERS_THERE: "members",
    complete.MEMBERS_PROVED: "members_proved",
    complete.TOGETHER: "together",
    complete.REBUILD_FITS: "rebuild_file",
}
"""Which check a verdict belongs to, by its claim; all others are `restored`."""


@dataclass(frozen=True)
class SourceProof(Record):
    """A snapshot that was proved. entries: of a tree, or members of a set."""

    snapshot: str
    source: str
    store: str
    entries: int
    plain_bytes: int
    total_seconds: float
    snapshot_timestamp: float

    def to_metadata(self) -> dict[str, Any]:
        return dict(vars(self))


def checks(shop: Shop, source: str) -> dict[str, str]:
    """The checks of the proof of a source."""
    if source == set_members.SOURCE:
        return _COMPLETE
    if source == configuration.SOURCE:
        asked = shop.platform == "kubernetes" and shop.kubernetes.scratch_namespaces
        return _CONFIGURATION | (_ACCEPTED if asked else {})
    return _TREE


def prove(
    platform: Platform, shop: Shop, source: str, *, snapshot: str, store: str, progress: Progress
) -> tuple[Findings, SourceProof]:
    """Verify the snapshot (an id or `latest`) from the store (empty: the spec's first) and record the outcome
    beside it. Verdicts for checks(). Raises when it could not be tried: no key, no room, no store.
    """
    key = ensure_signing_key(platform.signing_key())
    stored, manifest = chosen_snapshot(platform, shop, source, snapshot, store)
    progress(f"verifying {manifest.id} from {stored.name}")
    if source == set_members.SOURCE:
        done = _verify_set(platform, shop, stored, manifest)
    else:
        done = verify_tree(
            stored,
            manifest,
            identities_for(platform, manifest),
            scratch=platform.scratch(),
            progress=progress,
            look=_look(platform) if source == configuration.SOURCE else None,
        )
    record_proof(stored, manifest, done.as_dict(), key)
    return Findings(_grouped(done.verdicts)), _record(stored, manifest, done)


def _verify_set(platform: Platform, shop: Shop, store: ObjectStore, manifest: Manifest) -> TreeVerification:
    catalogue = read_catalogue(store, shop=manifest.shop, trusted=trusted_signers(platform, shop))
    members = set_members.members_of(manifest)
    return TreeVerification(complete.verify_set(store, catalogue, manifest), entries=len(members))


def _look(platform: Platform) -> Callable[[Path], list[Verdict]]:
    return lambda folder: [*configuration.judge_restored(folder), *platform.judge_documents(folder)]


def restore_to(
    platform: Platform, shop: Shop, source: str, *, target: Path, snapshot: str, store: str, progress: Progress
) -> SourceProof:
    """Restore a tree for good into a folder that is empty or not there, and compare it there.

    Raises RefusedError if it holds anything, ProofFailed if what came back is not what was taken.
    """
    stored, manifest = chosen_snapshot(platform, shop, source, snapshot, store)
    progress(f"restoring {manifest.id} from {stored.name} into {target}")
    done = restore_tree(stored, manifest, identities_for(platform, manifest), target, progress)
    return _record(stored, manifest, done)


def _grouped(verdicts: list[Verdict]) -> Mapping[str, list[Verdict]]:
    groups: dict[str, list[Verdict]] = {}
    for each in verdicts:
        groups.setdefault(_CLAIMS.get(each.claim, RESTORED), []).append(each)
    return groups


def _record(store: ObjectStore, manifest: Manifest, done: TreeVerification) -> SourceProof:
    return SourceProof(
        snapshot=manifest.id,
        source=manifest.source,
        store=store.name,
        entries=done.entries,
        plain_bytes=done.plain_bytes,
        total_seconds=round(done.total, 3),
        snapshot_timestamp=manifest.snapshot_at.timestamp(),
    )
