"""Asks again for the retry of a run whose pod was lost, where the instance promised it and lost it.

Dagster stores first that a run failed, then its status, then that it will be tried again. Its daemon reads each
failure once: a look between the first and the second meets a run that has not failed yet, passes on, and never
comes back. A second word of the same failure makes it look again; it tries a run again at most once for all that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime

import dagster as dg

from ecom_platform import policies
from ecom_platform.clients.dagster_api import RETRY_RUN, WILL_RETRY

ASKED_AGAIN = "ecom/retry_asked_again"


def build(
    jobs: Collection[str], prefix: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> dg.SensorDefinition:
    """The sensor of these jobs' runs. clock: for tests."""

    @dg.sensor(
        name=f"{prefix}lost_retries",
        minimum_interval_seconds=policies.LOST_RETRY_INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks again for a retry that the instance promised to a run whose pod was lost, and lost.",
    )
    def look(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        lost = [run for run in lost_retries(context.instance, clock()) if run.job_name in jobs]
        for run in lost:
            context.instance.report_run_failed(run, "It was to be tried again and was not; asking once more.")
            context.instance.add_run_tags(run.run_id, {ASKED_AGAIN: clock().isoformat()})
        return dg.SkipReason(f"asked again for {', '.join(each.run_id for each in lost)}" if lost else "none was lost")

    return look


def lost_retries(instance: dg.DagsterInstance, now: datetime) -> list[dg.DagsterRun]:
    """The failed runs of late that are to be tried again, were not, and were not asked for again."""
    promised = dg.RunsFilter(
        statuses=[dg.DagsterRunStatus.FAILURE],
        tags={WILL_RETRY: "true"},
        updated_after=now - policies.LOST_RETRY_WINDOW,
    )
    return [
        record.dagster_run
        for record in instance.get_run_records(promised)
        if not {RETRY_RUN, ASKED_AGAIN} & set(record.dagster_run.tags)
        and record.end_time is not None
        and now.timestamp() - record.end_time > policies.LOST_RETRY_GRACE.total_seconds()
    ]
