"""Reads from a Dagster instance what its checks, runs, schedules, sensors and daemons are at, as samples.

Everything is read anew each time, so a restart changes nothing. Not here: pages of evidence (evidence_log.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, TickStatus

from ecom_platform.monitoring.samples import Sample
from ecom_platform.spec import Shop
from ecom_platform.verdicts import Outcome

HEARTBEAT_SECONDS = 300.0
"""Heartbeats come every 30 s; a daemon with much to do on a busy machine lets some out."""

DRILL_FIGURES = ("rto_seconds", "rto_budget_seconds", "rpo_seconds", "rpo_budget_seconds", "orders_lost")
_OVER = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_ON = (InstigatorStatus.RUNNING, InstigatorStatus.DECLARED_IN_CODE)


def check_samples(instance: dg.DagsterInstance, shop: Shop, assets: Sequence[dg.AssetsDefinition]) -> Iterator[Sample]:
    """The newest evaluation of each check. One whose run ended before it was judged is inconclusive; one whose run
    goes on is left out.
    """
    for check in (check for asset in assets for check in asset.check_keys):
        record = instance.get_latest_asset_check_evaluation_record(check)
        if record is None:
            continue
        outcome = _outcome(record.event.dagster_event if record.event else None)
        if outcome is None and _goes_on(instance, record.run_id):
            continue
        stage, subject = check.asset_key.path[1], check.asset_key.path[-1]
        labels = {"shop": shop.shop, "stage": stage, "subject": subject, "check": check.name}
        at = record.event.timestamp if record.event else record.create_timestamp
        yield Sample("ecom_check_timestamp_seconds", at, labels)
        outcome = outcome or Outcome.INCONCLUSIVE
        for each in Outcome:
            yield Sample("ecom_check", each is outcome, {**labels, "outcome": each.value})


def _goes_on(instance: dg.DagsterInstance, run_id: str) -> bool:
    run = instance.get_run_by_id(run_id)
    return run is not None and not run.is_finished


def _outcome(event: dg.DagsterEvent | None) -> Outcome | None:
    """None for a check that was planned and not judged."""
    if event is None or event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return None
    evaluation = event.asset_check_evaluation_data
    said = evaluation.metadata.get("outcome")
    if said is not None:
        return Outcome(str(said.value))
    return Outcome.PASSED if evaluation.passed else Outcome.FAILED


def recovery_samples(
    instance: dg.DagsterInstance, shop: Shop, assets: Sequence[dg.AssetsDefinition]
) -> Iterator[Sample]:
    """Verified restores and drills: the newest of each that passed."""
    for key in (key for asset in assets for key in asset.keys):
        stage, subject = key.path[1], key.path[-1]
        if stage not in ("restores", "drills"):
            continue
        found = _newest(instance, key)
        if found is None:
            continue
        at, numbers = found
        if stage == "restores" and "total_seconds" in numbers:
            labels = {"shop": shop.shop, "source": subject}
            yield Sample("ecom_restore_seconds", numbers["total_seconds"], labels)
            yield Sample("ecom_restore_timestamp_seconds", at, labels)
        elif stage == "drills":
            labels = {"shop": shop.shop, "drill": subject}
            yield Sample("ecom_drill_timestamp_seconds", at, labels)
            for name in DRILL_FIGURES:
                if name in numbers:
                    yield Sample(f"ecom_drill_{name}", numbers[name], labels)


def _newest(instance: dg.DagsterInstance, key: dg.AssetKey) -> tuple[float, dict[str, float]] | None:
    records = instance.fetch_materializations(key, limit=1).records
    if not records or records[0].asset_materialization is None:
        return None
    metadata = records[0].asset_materialization.metadata
    numbers = {name: float(entry.value) for name, entry in metadata.items() if isinstance(entry.value, int | float)}
    return records[0].timestamp, numbers


def run_samples(instance: dg.DagsterInstance, shop: Shop, jobs: Sequence[str]) -> Iterator[Sample]:
    """When the newest run of each job that is over ended."""
    for job in jobs:
        found = instance.get_run_records(dg.RunsFilter(job_name=job, statuses=list(_OVER)), limit=1)
        if found and found[0].end_time:
            labels = {"shop": shop.shop, "job": job, "end": found[0].dagster_run.status.value.lower()}
            yield Sample("ecom_job_last_run_timestamp_seconds", found[0].end_time, labels)


def daemon_samples(instance: dg.DagsterInstance, shop: Shop, now: float) -> Iterator[Sample]:
    """now: Unix seconds. Dagster itself calls a daemon well for half an hour after its last heartbeat."""
    for name, status in sorted(instance.get_daemon_statuses().items()):
        if status.required:
            last = status.last_heartbeat.timestamp if status.last_heartbeat else 0.0
            well = bool(status.healthy) and now - last < HEARTBEAT_SECONDS
            yield Sample("ecom_daemon_healthy", well, {"shop": shop.shop, "daemon": name.lower()})


@dataclass(frozen=True)
class Schedule:
    cron: str
    job: str


def schedule_samples(
    instance: dg.DagsterInstance, shop: Shop, schedules: Mapping[str, Schedule], now: datetime
) -> Iterator[Sample]:
    """Of the schedules that are on, by name. Nothing was due before a schedule was switched on. A run of the job
    since the tick was due makes up for it, whoever started it.
    """
    for name, state in _states(instance, schedules).items():
        schedule, data = schedules[name], cast("Any", state.instigator_data)
        since = (data.start_timestamp if data else None) or 0.0
        due = max(_last_due(schedule.cron, now), since)
        labels = {"shop": shop.shop, "schedule": name}
        after = dg.RunsFilter(job_name=schedule.job, created_after=datetime.fromtimestamp(due, UTC))
        made_up = [each.create_timestamp.timestamp() for each in instance.get_run_records(after, limit=1)]
        yield Sample("ecom_schedule_due_timestamp_seconds", due, labels)
        yield from _tick_samples(instance, state, "schedule", labels, at_least=max([since, *made_up]))


def sensor_samples(instance: dg.DagsterInstance, shop: Shop, intervals: Mapping[str, float]) -> Iterator[Sample]:
    """Of the sensors that are on. intervals: seconds between two ticks, by sensor."""
    for name, state in _states(instance, intervals).items():
        labels = {"shop": shop.shop, "sensor": name}
        yield Sample("ecom_sensor_interval_seconds", intervals[name], labels)
        yield from _tick_samples(instance, state, "sensor", labels)


def _states(instance: dg.DagsterInstance, names: Collection[str]) -> dict[str, InstigatorState]:
    if instance.schedule_storage is None:  # an instance in memory, which ticks nothing
        return {}
    states = instance.all_instigator_state(instigator_statuses=set(_ON))
    return {each.instigator_name: each for each in states if each.instigator_name in names}


def _tick_samples(
    instance: dg.DagsterInstance, state: InstigatorState, kind: str, labels: dict[str, str], *, at_least: float = 0.0
) -> Iterator[Sample]:
    """at_least: what counts as a tick too."""
    ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
    at = max([at_least, *(each.timestamp for each in ticks)])
    if at:
        yield Sample(f"ecom_{kind}_tick_timestamp_seconds", at, labels)
    if kind == "schedule" or (ticks and ticks[0].status is not TickStatus.STARTED):
        failed = bool(ticks) and ticks[0].status is TickStatus.FAILURE
        yield Sample(f"ecom_{kind}_tick_failed", failed, labels)


def _last_due(cron: str, now: datetime) -> float:
    # Not public; another reading of cron could disagree with the scheduler's just where it matters.
    from dagster._utils.schedules import get_latest_completed_cron_tick

    return get_latest_completed_cron_tick(cron, now, "UTC").timestamp()
