"""Carries retention out in a store: the record of a removal first, then the objects, the manifest last.

Whatever happens between, the snapshot is expired from its record on, and the next run finishes the
work. Also sweeps what dumps left that never came to a manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ecom_platform.backup import catalogue as records
from ecom_platform.backup.catalogue_reading import Catalogue, Entry, read_catalogue
from ecom_platform.backup.manifest import MANIFEST, Removal, Status
from ecom_platform.backup.retention_guard import Guarded, Limits, guarded_plan
from ecom_platform.backup.retention_policy import Policy, Rules
from ecom_platform.backup.signing import SigningKey
from ecom_platform.clients.objects import ObjectStore
from ecom_platform.errors import RefusedError

LEFTOVER_AGE = timedelta(hours=24)
"""A dump is over after this time or will never be: what lies there without a manifest was left."""


@dataclass(frozen=True)
class Applied:
    """What was done for a source in a store. plan.refused says why nothing was removed."""

    store: str
    plan: Guarded
    removals: tuple[Removal, ...]


def plan_store(
    store: ObjectStore,
    *,
    shop: str,
    policy: Policy | Rules,
    limits: Limits,
    now: datetime,
    trusted: Collection[str] | None = None,
) -> tuple[Catalogue, list[Guarded]]:
    """The store's catalogue as it is now, and a plan for each source in it."""
    catalogue = read_catalogue(store, shop=shop, trusted=trusted)
    sources = sorted({each.manifest.source for each in catalogue.of(None)})
    rules = policy if isinstance(policy, Rules) else Rules(policy)
    return catalogue, [guarded_plan(catalogue, source, rules.of(source), now, limits) for source in sources]


def apply_retention(
    store: ObjectStore,
    *,
    shop: str,
    policy: Policy | Rules,
    limits: Limits,
    key: SigningKey,
    by: str,
    progress: Callable[[str], None],
    trusted: Collection[str] | None = None,
) -> list[Applied]:
    """Reads the catalogue, judges and removes at once, so that no old plan is ever carried out.

    by: who asked, for the records. A refused source is left alone and the others go on. A store's
    error stops the work, which may be repeated at any time.
    """
    catalogue, plans = plan_store(
        store, shop=shop, policy=policy, limits=limits, now=datetime.now(UTC), trusted=trusted
    )
    if not catalogue.problems:
        finish_removals(store, catalogue, progress)
    applied = []
    for plan in plans:
        removals = [_remove(store, each, why, key=key, by=by, progress=progress) for each, why in plan.remove]
        for refusal in plan.refused:
            progress(f"{store.name}: nothing of {plan.source} was removed: {refusal}")
        applied.append(Applied(store.name, plan, tuple(removals)))
    return applied


def _remove(
    store: ObjectStore,
    entry: Entry,
    reasons: tuple[str, ...],
    *,
    key: SigningKey,
    by: str,
    progress: Callable[[str], None],
) -> Removal:
    manifest = entry.manifest
    removal = Removal(
        snapshot=manifest.id,
        at=datetime.now(UTC),
        snapshot_at=manifest.snapshot_at,
        manifest=entry.digest,
        reasons=reasons,
        by=by,
        previous=manifest.previous,
    )
    records.record_removal(store, removal, manifest, key)
    if _delete_folder(store, manifest.folder, progress):
        progress(f"{store.name}: removed {manifest.id}: {', '.join(reasons)}")
    return removal


def finish_removals(store: ObjectStore, catalogue: Catalogue, progress: Callable[[str], None]) -> list[str]:
    """Deletes what is left of snapshots that are expired already; the ids of those that are gone now."""
    left = [each.manifest for each in catalogue.entries if each.status is Status.EXPIRED]
    return [manifest.id for manifest in left if _delete_folder(store, manifest.folder, progress)]


def sweep(
    store: ObjectStore,
    *,
    shop: str,
    leased: Callable[[str], bool],
    progress: Callable[[str], None],
    age: timedelta = LEFTOVER_AGE,
    trusted: Collection[str] | None = None,
) -> list[str]:
    """Deletes what dumps left that ended without a manifest (objects and unfinished uploads older than
    age), and what removals left that were stopped half way.

    leased: whether somebody takes a snapshot of that source (KIND/NAME) now.
    Raises RefusedError while the catalogue has a problem: a folder without a manifest may then be a
    snapshot whose manifest somebody took away.
    """
    catalogue = read_catalogue(store, shop=shop, trusted=trusted)
    if catalogue.problems:
        seen = f"its catalogue cannot be trusted: {catalogue.problems[0]}"
        raise RefusedError(f"sweep the store {store.name}", seen, "Find out what happened to that snapshot first.")
    before = datetime.now(UTC) - age

    def busy(key: str) -> bool:
        return leased("/".join(key.split("/")[1:3]))

    left = [each for each, changed in catalogue.unfinished.items() if changed < before and not busy(each)]
    finished = finish_removals(store, catalogue, progress)
    gone = [folder for folder in left if _delete_folder(store, folder, progress)]
    swept = [*finished, *gone, *store.abort_unfinished(shop, before, busy)]
    for each in swept:
        progress(f"{store.name}: swept {each}")
    return swept


def _delete_folder(store: ObjectStore, folder: str, progress: Callable[[str], None]) -> bool:
    """The manifest last, so that a removal that stops half way can be seen and finished.

    False if the store keeps an object locked; then a later run finishes.
    """
    keys = [each.key for each in store.list(folder)]
    try:
        for key in sorted(keys, key=lambda each: each.endswith(f"/{MANIFEST}")):
            store.delete(key)
    except RefusedError as error:
        progress(f"{store.name}: {folder} stays for now: {error.seen}")
        return False
    return True
