"""Launches runs as pods of the cluster, and leaves nothing of a run that could not begin.

Dagster's own launcher leaves the Job of a run whose pod never started (an image that cannot be pulled, no node
with room) behind when the monitoring daemon gives it up; the pod would begin once its trouble is over, hours
later, beside the run that was launched in its place. Named by the instance's configuration in the platform's
chart. Not here: anything about shops.
"""

from __future__ import annotations

from collections.abc import Sequence

from dagster import DagsterRun, DagsterRunStatus
from dagster_k8s import K8sRunLauncher
from dagster_k8s.job import get_job_name_from_run_id
from kubernetes.client import V1Pod


def ended_by_the_cluster(pods: Sequence[V1Pod]) -> str:
    """Why the cluster itself ended pods (evicted by a node that is short or by a drain, preempted, lost with their
    node), in its words; empty where it did not. Dagster tells of containers only.
    """
    told: list[str] = []
    for pod in pods:
        status = pod.status
        words = [(status.reason, status.message)]
        words += [(each.reason, each.message) for each in status.conditions or () if each.type == "DisruptionTarget"]
        told += [f"{reason}: {message}" for reason, message in words if reason]
    return f"The cluster ended its pod: {'; '.join(dict.fromkeys(told))}" if told else ""


class ClusterRunLauncher(K8sRunLauncher):
    """K8sRunLauncher that takes the Job of a run away which is given up before it began."""

    def get_run_worker_debug_info(
        self,
        run: DagsterRun,
        include_container_logs: bool | None = True,  # noqa: FBT001, FBT002 - as its parent has it
    ) -> str | None:
        """Why the run's pod does not run. The monitoring daemon asks before it marks a run as failed, and only
        then; a run that is still starting has timed out.
        """
        namespace = self.get_container_context_for_run(run).namespace
        job: str = get_job_name_from_run_id(run.run_id)  # type: ignore[no-untyped-call]
        try:
            pods: list[V1Pod] = self._api_client.get_pods_in_job(job, namespace=namespace)
            said = super().get_run_worker_debug_info(run, include_container_logs=include_container_logs)
            first = ended_by_the_cluster(pods) if pods else "Its pod is gone: it was deleted or evicted."
            return f"{first}\n{said}" if first else said
        finally:
            if run.status in (DagsterRunStatus.STARTING, DagsterRunStatus.NOT_STARTED):
                self._api_client.delete_job(job_name=job, namespace=namespace)
