"""Proves a snapshot of a tree: restores it into an empty folder, reads that back from the disk and compares;
or restores it for good into a folder that somebody names.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecom_platform.backup.archives import copy_archive, open_archive
from ecom_platform.backup.encryption import Identities
from ecom_platform.backup.manifest import Manifest
from ecom_platform.backup.scratch import check_space, scratch_folder
from ecom_platform.backup.sources.tree_index import CONTENT, INDEX, compare_trees, read_index
from ecom_platform.backup.sources.tree_reader import Entry
from ecom_platform.backup.sources.tree_writer import read_tree, refuse_used, write_tree
from ecom_platform.clients.objects import ObjectStore
from ecom_platform.errors import CorruptBackup, ProofFailed
from ecom_platform.verdicts import Outcome, Verdict, failed, holds, passed, worst

RESTORES = "the files restore"
CLEANED = "nothing is left of the scratch folder"
BLOCK_BYTES = 4096
"""What an entry takes on a disk at least."""

Progress = Callable[[str], None]
Look = Callable[[Path], list[Verdict]]
"""Judges the restored folder further, before it is removed."""


@dataclass
class TreeVerification:
    """verdicts: never empty. seconds by phase: restore (fetch and decrypt run inside of it), compare."""

    verdicts: list[Verdict] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    plain_bytes: int = 0
    entries: int = 0

    @property
    def outcome(self) -> Outcome:
        return worst(self.verdicts)

    @property
    def total(self) -> float:
        return sum(self.seconds.values())

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, for a record beside the snapshot."""
        return {
            "outcome": self.outcome.value,
            "verdicts": [each.as_dict() for each in self.verdicts],
            "seconds": {phase: round(value, 3) for phase, value in self.seconds.items()},
            "total": round(self.total, 3),
            "plain_bytes": self.plain_bytes,
            "entries": self.entries,
        }


def verify_tree(
    store: ObjectStore,
    manifest: Manifest,
    identities: Identities,
    *,
    scratch: Path,
    progress: Progress = lambda _: None,
    look: Look | None = None,
) -> TreeVerification:
    """Restore into a scratch folder, compare, remove it.

    What is damaged is a failed verdict; no key, no room, no store raise.
    """
    with scratch_folder(scratch) as place:
        check_space(place, int(manifest.fingerprint["bytes"]) + BLOCK_BYTES * int(manifest.fingerprint["entries"]))
        folder = place / "restored"
        done = _restored(store, manifest, identities, folder, progress)
        if look is not None and done.outcome is Outcome.PASSED:
            done.verdicts += look(folder)
    done.verdicts.append(holds(CLEANED, not place.exists(), "gone" if not place.exists() else str(place)))
    return done


def restore_tree(
    store: ObjectStore, manifest: Manifest, identities: Identities, folder: Path, progress: Progress = lambda _: None
) -> TreeVerification:
    """Restore for good into a folder that is empty or not there yet, and compare it there.

    Raises RefusedError if it holds anything, ProofFailed if what came back is not what was taken.
    """
    refuse_used(folder)
    done = _restored(store, manifest, identities, folder, progress)
    if done.outcome is not Outcome.PASSED:
        wrong = "; ".join(str(each) for each in done.verdicts if not each.passed)
        raise ProofFailed(f"restore {manifest.id} into {folder}", wrong, "Do not use that folder; remove it.")
    return done


def read_entries(store: ObjectStore, manifest: Manifest, identities: Identities) -> dict[str, Entry]:
    """The snapshot's own list. Raises CorruptBackup."""
    pieces: list[bytes] = []
    copy_archive(store, manifest, INDEX, identities, pieces.append)
    return read_index(b"".join(pieces), manifest.fingerprint)


def _restored(
    store: ObjectStore, manifest: Manifest, identities: Identities, folder: Path, progress: Progress
) -> TreeVerification:
    done = TreeVerification()
    clock = time.monotonic()
    try:
        expected = read_entries(store, manifest, identities)
        done.plain_bytes = _write(store, manifest, identities, folder, progress)
    except CorruptBackup as error:
        done.verdicts.append(failed(RESTORES, f"{error.tried}: {error.seen}"))
        done.seconds["restore"] = time.monotonic() - clock
        return done
    done.seconds["restore"] = time.monotonic() - clock
    done.verdicts.append(passed(RESTORES, f"{len(expected):,} entries, {done.plain_bytes:,} bytes"))
    done.entries = len(expected)
    progress("comparing")
    clock = time.monotonic()
    done.verdicts += compare_trees(expected, read_tree(folder))
    done.seconds["compare"] = time.monotonic() - clock
    return done


def _write(store: ObjectStore, manifest: Manifest, identities: Identities, folder: Path, progress: Progress) -> int:
    folder.mkdir(mode=0o700, exist_ok=True)
    told = time.monotonic()

    def tell(written: int) -> None:
        nonlocal told
        if time.monotonic() - told >= 1:
            told = time.monotonic()
            progress(f"{written / 1e6:,.1f} MB restored")

    with open_archive(store, manifest, CONTENT, identities) as tar:
        return write_tree(tar, folder, tell)


def grouped(verdicts: list[Verdict], groups: Mapping[str, str], otherwise: str) -> dict[str, list[Verdict]]:
    """Verdicts by check. groups: which check a claim belongs to; all others go to `otherwise`."""
    found: dict[str, list[Verdict]] = {}
    for each in verdicts:
        found.setdefault(groups.get(each.claim, otherwise), []).append(each)
    return found
