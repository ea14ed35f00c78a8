"""Brings a folder of application data back: its newest proved snapshot restored beside it and compared, then exchanged.

What was left of the folder is kept under another name. The same for a drill and for the day on which it is needed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from ecom_platform.backup.encryption import Identities
from ecom_platform.backup.recovery_set import RecoverySet, newest_proved, restore_folder
from ecom_platform.backup.trust import trusted_signers
from ecom_platform.clients.objects import ObjectStore, open_store
from ecom_platform.errors import ConfigurationError, EcomError, MissingError, ProofFailed
from ecom_platform.platforms.protocol import Platform
from ecom_platform.records import Record
from ecom_platform.recovery.probes import files_in
from ecom_platform.spec import Shop


@dataclass(frozen=True)
class FolderRecovery(Record):
    """kept: the path of what was there before."""

    folder: str
    snapshot: str
    store: str
    files: int
    kept: str


def recover_folder(platform: Platform, shop: Shop, name: str, *, progress: Callable[[str], None]) -> FolderRecovery:
    """From the first store that has a proved snapshot. Raises MissingError if none has, ProofFailed if it differs."""
    keys = platform.identities()
    if not keys:
        raise ConfigurationError(f"recover the folder {name}", "this platform has no private key", "Name one.")
    store, chosen = _first(platform, shop, name)
    place = platform.folder(name)
    fresh = place.with_name(f"{name}.next")
    shutil.rmtree(fresh, ignore_errors=True)  # half of an earlier try
    manifest = chosen.member(f"folder/{name}")
    progress(f"restoring {manifest.id} of {name} from {store.name}")
    done = restore_folder(store, chosen, name, Identities("\n".join(keys)), fresh, progress=progress)
    if bad := [str(each) for each in done.verdicts if not each.passed]:
        raise ProofFailed(f"restore the folder {name}", "; ".join(bad[:3]))
    kept = place.with_name(f"{name}.kept-{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    place.rename(kept)
    fresh.rename(place)
    return FolderRecovery(name, manifest.id, store.name, files_in(platform.folder(name)), str(kept))


def _first(platform: Platform, shop: Shop, name: str) -> tuple[ObjectStore, RecoverySet]:
    seen = []
    for each in shop.stores:
        try:
            store = open_store(platform.store(each))
            chosen = newest_proved(store, shop.shop, trusted_signers(platform, shop))
            chosen.member(f"folder/{name}")
        except EcomError as error:
            seen.append(f"{each}: {error.seen}")
        else:
            return store, chosen
    raise MissingError(f"find a proved snapshot of the folder {name}", "; ".join(seen), "See `ecom snapshots`.")
