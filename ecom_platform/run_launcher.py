"""Launches runs on this machine, and knows which of them are dead.

Dagster's own launcher cannot tell: a run whose process was killed together with its code server would
stay "started" for ever and keep its pool, and no dump of that database would begin again. Named by
dagster.yaml; the monitoring daemon asks it, and fails the run. Not here: anything about shops.
"""

from __future__ import annotations

from dagster import DagsterEventType, DagsterRun, DefaultRunLauncher
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus

from ecom_platform.clients.processes import lives


class LocalRunLauncher(DefaultRunLauncher):
    """DefaultRunLauncher with a look at the process that executes the run."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """FAILED when the process that started the run is gone."""
        records = self._instance.get_records_for_run(run.run_id, of_type=DagsterEventType.RUN_START, ascending=False)
        for record in records.records:
            event = record.event_log_entry.dagster_event
            if event is None or event.pid is None:
                continue
            if lives(event.pid, since=record.event_log_entry.timestamp):
                return CheckRunHealthResult(WorkerStatus.RUNNING)
            return CheckRunHealthResult(WorkerStatus.FAILED, f"its process {event.pid} is gone")
        return CheckRunHealthResult(WorkerStatus.RUNNING, "no process is known yet")
