"""Pods that live as long as a block: hardened as the namespace demands, and gone afterwards.

A run of the platform may make Jobs in the shop's namespace and remove no pod there, so inside the cluster each
pod is that of a Job.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.errors import DeadlineExceeded
from ecom_platform.platforms.kubernetes.names import MANAGED
from ecom_platform.platforms.kubernetes.rollout import POLL_SECONDS, refuse_troubled_pods

START_SECONDS = 60.0
LIFE_SECONDS = 600
"""The cluster itself ends a pod that its maker could not take away."""

POD_SECURITY: Mapping[str, object] = {
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "runAsGroup": 1000,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: Mapping[str, object] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


@dataclass(frozen=True)
class TemporaryPod:
    """What to run where. labels: also those of a component whose network policies are to hold for it.

    serves: False keeps the pod from ever being ready, so that no Service leads people to it.
    """

    name: str
    namespace: str
    image: str
    command: Sequence[str]
    labels: Mapping[str, str] = field(default_factory=dict)
    serves: bool = False

    def manifest(self) -> Object:
        gates = {} if self.serves else {"readinessGates": [{"conditionType": "ecom/never-serves"}]}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            # Letters at the end: no StatefulSet takes it for one of its own.
            "metadata": {"name": f"{self.name}-{_letters(5)}", "labels": {**MANAGED, **self.labels}},
            "spec": {
                "restartPolicy": "Never",
                "activeDeadlineSeconds": LIFE_SECONDS,
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "terminationGracePeriodSeconds": 0,
                "securityContext": dict(POD_SECURITY),
                **gates,
                "containers": [
                    {
                        "name": "main",
                        "image": self.image,
                        "command": list(self.command),
                        "securityContext": dict(CONTAINER_SECURITY),
                        "resources": {
                            "requests": {"cpu": "10m", "memory": "32Mi"},
                            "limits": {"cpu": "250m", "memory": "128Mi"},
                        },
                    }
                ],
            },
        }


@contextmanager
def running(cluster: Cluster, wanted: Mapping[str, TemporaryPod]) -> Iterator[dict[str, Object]]:
    """The pods by their keys, when all of them run; removed afterwards, also when the block fails.

    Raises RolloutFailed for one that cannot start, DeadlineExceeded.
    """
    kind = "jobs" if cluster.inside else "pods"
    made: dict[str, Object] = {}
    try:
        for key, each in wanted.items():
            body = _job_of(each.manifest()) if cluster.inside else each.manifest()
            made[key] = cluster.create(kind, body, each.namespace)
        yield _started(cluster, kind, made)
    finally:
        with ThreadPoolExecutor(max_workers=4) as together:
            list(together.map(lambda it: _delete(cluster, kind, it), made.values()))


def _job_of(pod: Object) -> Object:
    """A Job of that one pod. Its labels would be taken for those of a migration's Job, so it has few of its own."""
    template = {"metadata": {"labels": pod["metadata"]["labels"]}, "spec": pod["spec"]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": pod["metadata"]["name"], "labels": dict(MANAGED)},
        "spec": {"backoffLimit": 0, "ttlSecondsAfterFinished": LIFE_SECONDS, "template": template},
    }


def _started(cluster: Cluster, kind: str, made: Mapping[str, Object]) -> dict[str, Object]:
    deadline = time.monotonic() + START_SECONDS
    while True:
        now = {key: _pod_of(cluster, kind, it) for key, it in made.items()}
        there = {key: pod for key, pod in now.items() if pod is not None}
        if len(there) == len(now) and all(_runs(pod) for pod in there.values()):
            return there
        for pod in there.values():
            refuse_troubled_pods(cluster, pod["metadata"]["namespace"], [pod], "start a probe's pod")
        if time.monotonic() > deadline:
            late = [key for key in now if key not in there or not _runs(there[key])]
            raise DeadlineExceeded("start the probes' pods", f"not running after {START_SECONDS:g} s: {late}")
        time.sleep(POLL_SECONDS)


def _pod_of(cluster: Cluster, kind: str, made: Object) -> Object | None:
    """The pod as it is now; None while its Job has not made it."""
    name, namespace = made["metadata"]["name"], made["metadata"]["namespace"]
    if kind == "pods":
        return cluster.read("pods", name, namespace)
    found = cluster.list("pods", namespace, labels=f"batch.kubernetes.io/job-name={name}")
    return found[0] if found else None


def _runs(pod: Object) -> bool:
    statuses = pod["status"].get("containerStatuses") or []
    return bool(pod["status"].get("podIP")) and bool(statuses) and all("running" in each["state"] for each in statuses)


def _delete(cluster: Cluster, kind: str, made: Object) -> None:
    """A pod at once; a Job with its pod, whose own patience is none."""
    grace = 0 if kind == "pods" else None
    cluster.delete(kind, made["metadata"]["name"], made["metadata"]["namespace"], grace=grace)


def _letters(count: int) -> str:
    return "".join(secrets.choice("bcdfghjkmnpqrstvwxz") for _ in range(count))
