"""Pools, retries, freshness and pod shapes: each number once, with its reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from ecom_platform.clients.dagster_api import MAX_RETRIES
from ecom_platform.monitoring.alerts import LATENESS
from ecom_platform.platforms.run_secrets import RUN_SECRETS, SECRETS
from ecom_platform.spec import Database, Shop

TRANSIENT_RETRIES = dg.RetryPolicy(max_retries=2, delay=5, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)
"""Two more attempts after about 5 and 10 s: a restarting server is back by then, and an operator who
waits is told within half a minute. Permanent errors are not retried at all (failures.py)."""

SENSOR_INTERVAL_SECONDS = 5
"""Validation begins at most 15 s after a deploy: one tick, the launch and the import fit in."""

CATCH_UP_GRACE = timedelta(minutes=10)
"""How long after a tick a backup counts as missed: the scheduler starts its run within a minute, and a
restarting platform gets the time to come up."""

CATCH_UP_INTERVAL_SECONDS = 60
"""How often it is looked for: a tenth of the grace, and a look costs two queries."""

LOST_RETRY_GRACE = timedelta(seconds=30)
"""How long after a run's end its promised retry counts as lost: Dagster's daemon looks each 5 s."""

LOST_RETRY_WINDOW = timedelta(hours=6)
"""Of older runs the next one has come by itself."""

LOST_RETRY_INTERVAL_SECONDS = 30


IDENTITY_TAGS = {
    "dagster-k8s/config": {
        "pod_spec_config": {
            "volumes": [{"name": "identity", "secret": {"secret_name": SECRETS["identity"], "default_mode": 0o440}}]
        },
        "container_config": {
            "volume_mounts": [
                {"name": "identity", "mount_path": str(RUN_SECRETS / "identity"), "read_only": True},
            ]
        },
    }
}
"""The pod of a run that restores, and no other, has the identity that opens backups."""

PODS_LOST = "1"
"""One more attempt after a run's pod was lost, for jobs that may be repeated: a deploy that was done does nothing
again, the lease keeps a second dump out while the first one's connection lives, and proofs work on throw-away
copies."""


def in_pods(shop: Shop) -> bool:
    """Whether these definitions are those of the platform's pods in a cluster."""
    return shop.platform == "kubernetes" and shop.kubernetes.inside


def job_tags(shop: Shop, *, repeatable: bool, restores: bool) -> dict[str, Any]:
    """Of a job of the shop: how often it is tried after a lost pod, and what its pod mounts. Only for pods."""
    if not in_pods(shop):
        return {}
    opens = restores and (shop.encryption.managed or shop.encryption.identity is not None)
    return {MAX_RETRIES: PODS_LOST if repeatable else "0", **(IDENTITY_TAGS if opens else {})}


def database_pool(shop: str, database: str) -> str:
    """The pool of all work that reads or replaces one database. Its limit is one (dagster.yaml's
    default), so two dumps of one database never overlap."""
    return f"{shop}_database_{database}".replace("-", "_")


def drill_pool(shop: str) -> str:
    """One drill at a time: two copies of a shop would take each other's processors, and miss each other's budgets."""
    return f"{shop}_drills".replace("-", "_")


def drill_freshness(*, whole: bool) -> dg.FreshnessPolicy:
    """Stale when a scheduled drill did not succeed twice in a row: weekly ones, and monthly ones of the whole."""
    every = timedelta(days=31 if whole else 7)
    return dg.FreshnessPolicy.time_window(fail_window=2 * every, warn_window=every + timedelta(days=1))


def source_pool(shop: str, subject: str) -> str:
    """The pool of all work that takes snapshots of one source beside the databases; its limit is one."""
    return f"{shop}_{subject}".replace("-", "_")


def source_freshness(period: timedelta) -> dg.FreshnessPolicy:
    """Stale when a whole period of its schedule, and the time to take it, passed without a new one."""
    return dg.FreshnessPolicy.time_window(fail_window=period + 2 * LATENESS, warn_window=period + LATENESS)


def longest_gap(cron: str) -> timedelta:
    """The longest time between two ticks of a schedule, looked for over the 60 before a fixed day, which
    are two months of a daily schedule.
    """
    # As schedules/missed.py: no other reading of cron may disagree with the scheduler's.
    from dagster._utils.schedules import reverse_cron_string_iterator

    before = reverse_cron_string_iterator(datetime(2025, 1, 1, tzinfo=UTC).timestamp(), cron, "UTC")
    ticks = [next(before) for _ in range(60)]
    return max((later - earlier for earlier, later in zip(ticks[1:], ticks, strict=False)), default=timedelta(days=1))


VELERO_FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=30), warn_window=timedelta(hours=26))
"""Velero's backups are a day's; a run of them may take some hours."""


def velero_pool(shop: str, namespace: str) -> str:
    """One backup or proof of a namespace at a time: a proof takes away what an earlier one left."""
    return f"{shop}_velero_{namespace}".replace("-", "_")


def backup_freshness(database: Database) -> dg.FreshnessPolicy:
    """Stale when the newest proved snapshot is older than the recovery point that was promised.

    It warns at the budget and fails an hour later; the same policy stands on the dump and on its
    proof, because a dump that nobody restored proves nothing.
    """
    return dg.FreshnessPolicy.time_window(fail_window=database.rpo + LATENESS, warn_window=database.rpo)
