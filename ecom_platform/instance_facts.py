"""Reads from a Dagster instance what its checks, runs, schedules, sensors and daemons are at, as samples.

Everything is read anew each time, so a restart changes nothing; in few questions, for each opens a connection where
Dagster keeps its records in PostgreSQL. Not here: pages of evidence (evidence_log.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorTick, TickStatus
from dagster._core.storage.event_log.base import AssetRecord

from ecom_platform.monitoring.samples import Sample
from ecom_platform.spec import Shop
from ecom_platform.verdicts import Outcome

HEARTBEAT_SECONDS = 300.0
"""Heartbeats come every 30 s; a daemon with much to do on a busy machine lets some out."""

RUNS = 500
"""Runs that are looked at: a week of one every twenty minutes."""

DRILL_FIGURES = ("rto_seconds", "rto_budget_seconds", "rpo_seconds", "rpo_budget_seconds", "orders_lost")
_OVER = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_ON = (InstigatorStatus.RUNNING, InstigatorStatus.DECLARED_IN_CODE)


def check_samples(instance: dg.DagsterInstance, shop: Shop, assets: Sequence[dg.AssetsDefinition]) -> Iterator[Sample]:
    """The newest evaluation of each check. One whose run ended before it was judged is inconclusive; one whose run
    goes on is left out.
    """
    keys = [check for asset in assets for check in asset.check_keys]
    # Not public; the public one asks for one check, and on PostgreSQL each question opens a connection.
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys) if keys else {}
    for check in keys:
        record = records.get(check)
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
    stages = ("restores", "drills")
    keys = [key for asset in assets for key in asset.keys if key.path[1] in stages]
    newest = {each.asset_entry.asset_key: each for each in instance.get_asset_records(keys)} if keys else {}
    for key in keys:
        stage, subject = key.path[1], key.path[-1]
        found = _figures(newest.get(key))
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


def _figures(record: AssetRecord | None) -> tuple[float, dict[str, float]] | None:
    """When the newest materialisation was, and its numbers; None without one."""
    entry = record.asset_entry.last_materialization if record else None
    if entry is None or entry.asset_materialization is None:
        return None
    metadata = entry.asset_materialization.metadata
    numbers = {name: float(value.value) for name, value in metadata.items() if isinstance(value.value, int | float)}
    return entry.timestamp, numbers


def run_samples(instance: dg.DagsterInstance, shop: Shop, jobs: Sequence[str]) -> Iterator[Sample]:
    """When the newest run of each job that is over ended, as far as the newest RUNS runs go back."""
    told: set[str] = set()
    for record in instance.get_run_records(dg.RunsFilter(statuses=list(_OVER)), limit=RUNS):
        job = record.dagster_run.job_name
        if job in jobs and job not in told and record.end_time:
            told.add(job)
            labels = {"shop": shop.shop, "job": job, "end": record.dagster_run.status.value.lower()}
            yield Sample("ecom_job_last_run_timestamp_seconds", record.end_time, labels)


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
    states = _states(instance, schedules)
    ticks = _newest_ticks(instance, states.values())
    since = {name: _since(state) for name, state in states.items()}
    due = {name: max(_last_due(schedules[name].cron, now), since[name]) for name in states}
    started = _started_since(instance, min(due.values())) if due else []
    for name, state in states.items():
        labels = {"shop": shop.shop, "schedule": name}
        made_up = [at for job, at in started if job == schedules[name].job and at >= due[name]]
        yield Sample("ecom_schedule_due_timestamp_seconds", due[name], labels)
        yield from _tick_samples(
            ticks.get(state.selector_id), "schedule", labels, at_least=max([since[name], *made_up])
        )


def _since(state: InstigatorState) -> float:
    data = cast("Any", state.instigator_data)
    return (data.start_timestamp if data else None) or 0.0


def _started_since(instance: dg.DagsterInstance, moment: float) -> list[tuple[str, float]]:
    """Job and Unix seconds of the newest RUNS runs since then."""
    after = dg.RunsFilter(created_after=datetime.fromtimestamp(moment, UTC))
    records = instance.get_run_records(after, limit=RUNS)
    return [(each.dagster_run.job_name, each.create_timestamp.timestamp()) for each in records]


def sensor_samples(instance: dg.DagsterInstance, shop: Shop, intervals: Mapping[str, float]) -> Iterator[Sample]:
    """Of the sensors that are on. intervals: seconds between two ticks, by sensor."""
    states = _states(instance, intervals)
    ticks = _newest_ticks(instance, states.values())
    for name, state in states.items():
        labels = {"shop": shop.shop, "sensor": name}
        yield Sample("ecom_sensor_interval_seconds", intervals[name], labels)
        yield from _tick_samples(ticks.get(state.selector_id), "sensor", labels)


def _states(instance: dg.DagsterInstance, names: Collection[str]) -> dict[str, InstigatorState]:
    if instance.schedule_storage is None:  # an instance in memory, which ticks nothing
        return {}
    states = instance.all_instigator_state(instigator_statuses=set(_ON))
    return {each.instigator_name: each for each in states if each.instigator_name in names}


def _newest_ticks(instance: dg.DagsterInstance, states: Collection[InstigatorState]) -> dict[str, InstigatorTick]:
    """The newest tick by selector; in one question where the storage can do that."""
    storage = instance.schedule_storage
    if storage is None or not states:
        return {}
    if storage.supports_batch_queries:
        found = storage.get_batch_ticks([each.selector_id for each in states], limit=1)
        return {selector: ticks[0] for selector, ticks in found.items() if ticks}
    asked = ((each, instance.get_ticks(each.instigator_origin_id, each.selector_id, limit=1)) for each in states)
    return {state.selector_id: ticks[0] for state, ticks in asked if ticks}


def _tick_samples(
    tick: InstigatorTick | None, kind: str, labels: dict[str, str], *, at_least: float = 0.0
) -> Iterator[Sample]:
    """at_least: what counts as a tick too."""
    at = max(at_least, tick.timestamp if tick else 0.0)
    if at:
        yield Sample(f"ecom_{kind}_tick_timestamp_seconds", at, labels)
    if kind == "schedule" or (tick and tick.status is not TickStatus.STARTED):
        yield Sample(f"ecom_{kind}_tick_failed", tick is not None and tick.status is TickStatus.FAILURE, labels)


def _last_due(cron: str, now: datetime) -> float:
    # Not public; another reading of cron could disagree with the scheduler's just where it matters.
    from dagster._utils.schedules import get_latest_completed_cron_tick

    return get_latest_completed_cron_tick(cron, now, "UTC").timestamp()
