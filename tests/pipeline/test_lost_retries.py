"""A retry that Dagster's daemon passed by comes all the same, once; shown with that daemon and its race."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import create_test_daemon_workspace_context
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget
from dagster._daemon.auto_run_reexecution.event_log_consumer import EventLogConsumerDaemon

from ecom_platform.clients.dagster_api import MAX_RETRIES, RETRY_RUN
from ecom_platform.policies import LOST_RETRY_GRACE, LOST_RETRY_WINDOW
from schedules import lost_retries
from tests.cluster.scripts import probe_location

pytestmark = pytest.mark.filterwarnings("ignore:The 'warn' method is deprecated:DeprecationWarning")  # Dagster's
JOB = "enduring"


@dataclass(frozen=True)
class Place:
    """An instance that tries lost runs again, and the part of its daemon that does."""

    instance: dg.DagsterInstance
    workspace: WorkspaceProcessContext

    def run(self) -> dg.DagsterRun:
        (location,) = self.workspace.create_request_context().code_locations
        (repository,) = location.get_repositories().values()
        job = repository.get_full_job(JOB)
        return self.instance.create_run_for_job(
            probe_location.defs.resolve_job_def(JOB),
            status=dg.DagsterRunStatus.STARTED,
            tags={MAX_RETRIES: "1"},
            remote_job_origin=job.get_remote_origin(),
            job_code_origin=job.get_python_origin(),
        )

    def daemon_looks(self) -> None:
        for _ in EventLogConsumerDaemon().run_iteration(self.workspace):
            pass

    def sensor_looks(self, now: datetime) -> str:
        sensor = lost_retries.build({JOB}, "", clock=lambda: now)
        told = sensor(dg.build_sensor_context(instance=self.instance, sensor_name=sensor.name))
        assert isinstance(told, dg.SkipReason)
        return str(told.skip_message)

    def tries_of(self, run: dg.DagsterRun) -> list[str]:
        group = self.instance.get_run_group(run.run_id)
        assert group is not None
        return [each.run_id for each in group[1] if each.run_id != run.run_id]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    overrides = {
        "run_retries": {"enabled": True, "max_retries": 0, "retry_on_asset_or_op_failure": False},
        # Queued is as far as a run comes here: nobody launches it.
        "run_coordinator": {"module": "dagster.core.run_coordinator", "class": "QueuedRunCoordinator"},
    }
    target = PythonFileTarget(str(probe_location.__file__), None, None, "probe")
    with (
        dg.instance_for_test(overrides=overrides, temp_dir=str(tmp_path)) as instance,
        create_test_daemon_workspace_context(target, instance) as workspace,
    ):
        yield Place(instance, workspace)


def fail_while_the_daemon_looks(place: Place, run: dg.DagsterRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon's look falls between the event that the run failed and the status of the run."""
    storage = place.instance.run_storage
    write_status = storage.handle_run_event

    def write_late(*arguments: object) -> None:
        place.daemon_looks()
        write_status(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(storage, "handle_run_event", write_late)
        place.instance.report_run_failed(run, "its pod is gone")


def later(seconds: float = LOST_RETRY_GRACE.total_seconds() + 1) -> datetime:
    return datetime.fromtimestamp(datetime.now(UTC).timestamp() + seconds, UTC)


def test_a_retry_that_the_daemon_passed_by_comes_once(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.daemon_looks()  # from here on it counts failures
    run = place.run()
    fail_while_the_daemon_looks(place, run, monkeypatch)
    place.daemon_looks()
    assert place.tries_of(run) == [], "the fault itself: promised, and never looked at again"

    assert "none" in place.sensor_looks(datetime.now(UTC)), "it may be on its way"
    assert run.run_id in place.sensor_looks(later())
    place.daemon_looks()
    (again,) = place.tries_of(run)
    found = place.instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.tags[RETRY_RUN] == again

    assert "none" in place.sensor_looks(later())
    place.daemon_looks()
    assert place.tries_of(run) == [again]


def test_it_is_asked_for_once_even_where_nobody_answers(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.daemon_looks()
    run = place.run()
    fail_while_the_daemon_looks(place, run, monkeypatch)
    assert run.run_id in place.sensor_looks(later())
    assert "none" in place.sensor_looks(later())


def test_what_is_tried_again_in_time_or_is_old_is_left_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.daemon_looks()
    in_time, old = place.run(), place.run()
    place.instance.report_run_failed(in_time, "its pod is gone")
    place.daemon_looks()
    assert len(place.tries_of(in_time)) == 1
    fail_while_the_daemon_looks(place, old, monkeypatch)
    assert "none" in place.sensor_looks(later(LOST_RETRY_WINDOW.total_seconds() + 60))
