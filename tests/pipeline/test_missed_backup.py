"""A backup whose time came while nobody was there to start it is asked for, once, by a real instance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    ScheduleInstigatorData,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from ecom_platform.definitions import build_defs
from ecom_platform.policies import CATCH_UP_GRACE
from schedules import cron_table, missed
from tests.pipeline.conftest import Pipeline

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
KEY = dg.AssetKey(["ecommerce", "backups", "database-shop"])


def test_the_last_tick_is_the_newest_that_is_not_in_the_future() -> None:
    assert missed.last_tick("0 */6 * * *", NOON) == NOON
    assert missed.last_tick("0 */6 * * *", NOON - MINUTE) == NOON - timedelta(hours=6)
    assert missed.last_tick("0 */6 * * *", NOON + timedelta(days=3, hours=2)) == NOON + timedelta(days=3)
    assert missed.last_tick("30 1 29 2 *", NOON).year == 2024


@pytest.mark.parametrize(
    ("now", "newest", "is_missed"),
    [
        (NOON + CATCH_UP_GRACE, [NOON - MINUTE], False),  # its run may be on its way
        (NOON + CATCH_UP_GRACE + MINUTE, [NOON - MINUTE], True),
        (NOON + CATCH_UP_GRACE + MINUTE, [NOON + MINUTE], False),
        (NOON + CATCH_UP_GRACE + MINUTE, [NOON + MINUTE, NOON - MINUTE], True),  # one of two databases
        (NOON + timedelta(hours=1), [NOON + timedelta(days=1)], True),  # taken while the clock was wrong
    ],
)
def test_a_tick_is_missed_when_its_grace_is_over_and_no_snapshot_followed_it(
    now: datetime, newest: list[datetime], *, is_missed: bool
) -> None:
    assert missed.missed(NOON, now, newest) is is_missed


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """On the disk, with runs, events and the states of schedules, as a daemon has it."""
    with dg.instance_for_test(temp_dir=str(tmp_path)) as found:
        yield found


class Daemon:
    """Looks at the sensor as the daemon does: again and again, with the cursor of the last time."""

    def __init__(self, pipeline: Pipeline, instance: dg.DagsterInstance) -> None:
        self.pipeline, self.instance = replace(pipeline, instance=instance), instance
        self.cursor: str | None = None

    def looks(self, now: datetime) -> dg.SensorResult:
        defs = build_defs([self.pipeline.shop], self.pipeline.settings)
        jobs = {each.name: each for each in defs.resolve_all_job_defs()}
        schedules = cron_table.build(self.pipeline.shop, jobs, "production")
        sensors = {each.name: each for each in missed.build(self.pipeline.shop, schedules, jobs, clock=lambda: now)}
        sensor = sensors["backup_schedule_missed"]
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor, sensor_name=sensor.name)
        result = sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return result

    def asks(self, now: datetime) -> list[str | None]:
        return [each.run_key for each in self.looks(now).run_requests or ()]


@pytest.fixture
def daemon(pipeline: Pipeline, instance: dg.DagsterInstance) -> Daemon:
    return Daemon(pipeline, instance)


def test_a_tick_that_fell_into_an_outage_is_caught_up_once(daemon: Daemon) -> None:
    now = datetime.now(UTC)
    tick = missed.last_tick("0 */6 * * *", now)
    late = max(now, tick + CATCH_UP_GRACE + MINUTE)
    assert daemon.asks(tick - timedelta(hours=1)) == [], "a new platform has nothing to catch up"
    assert daemon.asks(tick + CATCH_UP_GRACE - MINUTE) == [], "the run may be on its way"
    # Here the clock jumps: nobody looked for a while.
    asked = daemon.asks(late)
    assert asked == [f"backup {tick.isoformat()}"]
    assert daemon.asks(late + MINUTE) == asked, "the same key, of which Dagster makes one run"
    assert daemon.pipeline.run("backup").success
    assert daemon.asks(max(late, datetime.now(UTC))) == [], "there is a snapshot now"
    assert daemon.asks(tick + timedelta(hours=6) + CATCH_UP_GRACE + MINUTE), "the next tick is another one"
    assert daemon.asks(tick - timedelta(days=1)) == [], "a clock that went back brings no storm of backups"


def test_nothing_is_asked_for_while_a_backup_runs(daemon: Daemon) -> None:
    daemon.looks(NOON - MINUTE)
    late = NOON + CATCH_UP_GRACE + MINUTE
    for job in ("backup", "everyday"):
        run = daemon.instance.create_run_for_job(
            build_defs([daemon.pipeline.shop], daemon.pipeline.settings).resolve_job_def(job),
            status=dg.DagsterRunStatus.STARTED,
        )
        assert run.run_id in str(daemon.looks(late).skip_reason)
        daemon.instance.delete_run(run.run_id)
    assert daemon.asks(late)


def test_a_schedule_that_a_person_stopped_is_not_caught_up(daemon: Daemon) -> None:
    daemon.looks(NOON - MINUTE)
    late = NOON + CATCH_UP_GRACE + MINUTE
    touched(daemon.instance, "backup_schedule", InstigatorStatus.STOPPED)
    assert "stopped by a person" in str(daemon.looks(late).skip_reason)
    touched(daemon.instance, "backup_schedule", InstigatorStatus.RUNNING)
    assert daemon.asks(late)


def touched(instance: dg.DagsterInstance, schedule: str, status: InstigatorStatus) -> None:
    """What Dagster records when somebody switches a schedule in the UI."""
    target = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name="here"))
    origin = RemoteRepositoryOrigin(target, "here").get_instigator_origin(schedule)
    state = InstigatorState(origin, InstigatorType.SCHEDULE, status, ScheduleInstigatorData("0 */6 * * *"))
    known = instance.get_instigator_state(origin.get_id(), state.selector_id)
    instance.update_instigator_state(state) if known else instance.add_instigator_state(state)
