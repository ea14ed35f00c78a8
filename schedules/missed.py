"""Catches up a backup whose time came while nobody was there to start it.

Dagster looks back for partitioned schedules only: a tick that fell into an outage of its daemon is gone. So a
sensor compares the newest snapshot with the last tick. Not here: who is told (freshness and notices do that).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg

from ecom_platform import policies
from ecom_platform.spec import Shop
from jobs.table import UnresolvedJob
from schedules.cron_table import ScheduleRow

EVERYTHING = "everyday"
"""The job that brings snapshots of everything, too."""

WAITING = (
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
)


def last_tick(cron: str, now: datetime) -> datetime:
    """The newest moment of the schedule that is not after now, as the scheduler itself counts."""
    # Not public; another reading of cron could disagree with the scheduler's just where it matters.
    from dagster._utils.schedules import get_latest_completed_cron_tick

    return get_latest_completed_cron_tick(cron, now, "UTC").astimezone(UTC)


def missed(tick: datetime, now: datetime, newest: Sequence[datetime]) -> bool:
    """Whether a tick passed and what it should have brought is not there.

    newest: of each thing that it backs up, the moment of its newest snapshot. Within the grace a tick is
    not missed: its run may be on its way. A snapshot of the future, by a clock that was put right since,
    says nothing of any tick.
    """
    return now - tick > policies.CATCH_UP_GRACE and any(not tick <= each <= now for each in newest)


def build(
    shop: Shop,
    schedules: Sequence[tuple[ScheduleRow, dg.ScheduleDefinition]],
    jobs: Mapping[str, UnresolvedJob],
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> list[dg.SensorDefinition]:
    """A sensor for each schedule that brings snapshots; `jobs` are by their row names. clock: for tests."""
    whole = [jobs[name] for name in (EVERYTHING,) if name in jobs]
    return [
        _sensor(row, schedule, [jobs[row.job], *whole], [_key(shop, each) for each in row.brings], clock)
        for row, schedule in schedules
        if row.brings
    ]


def _key(shop: Shop, subject: str) -> dg.AssetKey:
    return dg.AssetKey([shop.shop, "backups", subject])


def _sensor(
    row: ScheduleRow,
    schedule: dg.ScheduleDefinition,
    jobs: Sequence[UnresolvedJob],
    assets: Sequence[dg.AssetKey],
    clock: Callable[[], datetime],
) -> dg.SensorDefinition:
    """Asks for the first of the jobs, once for each tick that was missed, unless one of them is at it."""
    job, on = jobs[0], schedule.default_status is dg.DefaultScheduleStatus.RUNNING

    @dg.sensor(
        name=f"{schedule.name}_missed",
        job=job,
        minimum_interval_seconds=policies.CATCH_UP_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING if on else dg.DefaultSensorStatus.STOPPED,
        description=f"Starts {job.name} when a tick of {schedule.name} ({row.cron}) was missed.",
    )
    def catch_up(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        now = clock()
        tick = last_tick(row.cron, now)
        # What was never taken is missed only from the first look on: a new platform has nothing to catch up.
        began = datetime.fromisoformat(json.loads(context.cursor)["began"]) if context.cursor else now
        cursor = json.dumps({"began": began.isoformat()})
        instance = context.instance
        if is_stopped(instance, schedule.name):
            return dg.SensorResult(skip_reason=f"{schedule.name} was stopped by a person", cursor=cursor)
        if not missed(tick, now, [_newest(instance, each) or began for each in assets]):
            return dg.SensorResult(skip_reason=f"nothing was missed; the last tick was {tick:%F %R} UTC", cursor=cursor)
        if running := _running(instance, [each.name for each in jobs]):
            return dg.SensorResult(skip_reason=f"run {running} is at it", cursor=cursor)
        context.log.warning("the tick of %s was missed; asking for %s", tick.isoformat(), job.name)
        request = dg.RunRequest(run_key=f"{job.name} {tick.isoformat()}", tags={"ecom/missed": tick.isoformat()})
        return dg.SensorResult([request], cursor=cursor)

    return catch_up


def is_stopped(instance: dg.DagsterInstance, schedule: str) -> bool:
    """Whether a person stopped the schedule; one that nobody touched has no state."""
    states = [each for each in instance.all_instigator_state() if each.instigator_name == schedule]
    return bool(states) and not any(each.is_running for each in states)


def _newest(instance: dg.DagsterInstance, asset: dg.AssetKey) -> datetime | None:
    event = instance.get_latest_materialization_event(asset)
    if event is None or event.asset_materialization is None:
        return None
    # The moment whose content it is; the event came when everything was stored.
    taken = event.asset_materialization.metadata.get("snapshot_timestamp")
    moment = taken.value if taken is not None else event.timestamp
    assert isinstance(moment, int | float)
    return datetime.fromtimestamp(moment, UTC)


def _running(instance: dg.DagsterInstance, jobs: Sequence[str]) -> str | None:
    for job in jobs:
        filters = dg.RunsFilter(job_name=job, statuses=list(WAITING))
        for record in instance.get_run_records(filters, limit=1):
            return record.dagster_run.run_id
    return None
