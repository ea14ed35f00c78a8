"""Samples from a store's catalogue: how old, how large, proved or not; and whether retention would be refused. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from ecom_platform import keys
from ecom_platform.backup.catalogue_reading import Catalogue, Entry
from ecom_platform.backup.manifest import Status
from ecom_platform.backup.retention_guard import Limits, guarded_plan
from ecom_platform.backup.retention_policy import Rules
from ecom_platform.monitoring.samples import Sample
from ecom_platform.spec import Shop


def budget_samples(shop: Shop, periods: Mapping[str, timedelta]) -> Iterator[Sample]:
    """What the spec promises, so that rules compare with nothing else.

    periods: how old the newest proved snapshot may be, by source beside the databases (KIND/NAME).
    """
    budgets = {f"database/{each.name}": each.rpo for each in shop.databases} | dict(periods)
    for source, budget in budgets.items():
        labels = {"shop": shop.shop, "source": keys.subject_of(source)}
        yield Sample("ecom_backup_rpo_seconds", budget.total_seconds(), labels)
        for store in shop.stores:
            yield Sample("ecom_backup_expected", 1, {**labels, "store": store})
    yield Sample("ecom_release_dwell_seconds", shop.release.dwell.total_seconds(), {"shop": shop.shop})
    for database in shop.databases:
        labels = {"shop": shop.shop, "source": f"database-{database.name}"}
        yield Sample("ecom_backup_rto_seconds", database.rto.total_seconds(), labels)


def store_samples(
    here: Mapping[str, str], catalogue: Catalogue, rules: Rules, limits: Limits, now: datetime
) -> Iterator[Sample]:
    """What one store holds of a shop. here: their labels. now: aware."""
    yield Sample("ecom_catalogue_problems", len(catalogue.problems), here)
    for source in sorted({each.manifest.source for each in catalogue.of(None)}):
        labels = {**here, "source": keys.subject_of(source)}
        yield from _source_samples(catalogue.of(source), labels)
        refused = bool(guarded_plan(catalogue, source, rules.of(source), now, limits).refused)
        yield Sample("ecom_retention_refused", refused, labels)


def _source_samples(entries: list[Entry], labels: dict[str, str]) -> Iterator[Sample]:
    """entries: of one source, newest first, at least one."""
    newest = entries[0].manifest
    yield Sample("ecom_backup_newest_timestamp_seconds", newest.snapshot_at.timestamp(), labels)
    yield Sample("ecom_backup_newest_bytes", newest.stored_bytes, labels)
    yield Sample("ecom_backup_stored_bytes", sum(each.manifest.stored_bytes for each in entries), labels)
    proved = [each.manifest.snapshot_at.timestamp() for each in entries if each.status is Status.PROVED]
    if proved:
        yield Sample("ecom_backup_verified_timestamp_seconds", max(proved), labels)
    for status in Status:
        if status is not Status.EXPIRED:
            count = sum(each.status is status for each in entries)
            yield Sample("ecom_backup_snapshots", count, {**labels, "status": status.value})
