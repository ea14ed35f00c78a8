"""Waits for what the cluster was told to run, and says at once why it cannot: pods, Deployments, Jobs.

Not here: telling the cluster what to run.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime

from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.errors import CommandFailed, DeadlineExceeded, MissingError
from ecom_platform.platforms.kubernetes.names import selector

POLL_SECONDS = 0.5  # two small requests a second; a pod takes seconds to start
LOG_LINES = 15
UNSCHEDULABLE_SECONDS = 3.0
"""A pod may be unschedulable for a moment while another one leaves; a place that is missing stays missing."""

VOLUME_SECONDS = 180.0
"""A new volume is made by a controller, and its pod has no place until then; a busy one takes minutes."""

REFUSED_SECONDS = 5.0
"""A pod may be refused for a moment: by a limit that the same upgrade lifts, or a quota that one that leaves still
fills. The controller tries ten times within this time."""

_CANNOT_START = (
    "ImagePullBackOff",
    "ErrImagePull",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "CrashLoopBackOff",
)
_TEMPLATE_HASH = "pod-template-hash"
_REVISION = "deployment.kubernetes.io/revision"


class RolloutFailed(CommandFailed):
    """What should run cannot start; the text has the reason and the last lines of the log."""


def wait_for_deployment(cluster: Cluster, namespace: str, name: str, *, seconds: float, tried: str) -> None:
    """Until every replica is of the newest template, ready, and no other one is left.

    Raises RolloutFailed at once for a crash loop, an image that cannot be pulled, a pod that no node
    takes or that is not admitted; DeadlineExceeded; MissingError.
    """
    deadline = time.monotonic() + seconds
    while True:
        deployment = cluster.read("deployments", name, namespace)
        if rolled_out(deployment):
            return
        _refuse_trouble(cluster, namespace, deployment, tried)
        if time.monotonic() > deadline:
            seen = f"not complete after {seconds:g} s: {_counts(deployment)}"
            raise DeadlineExceeded(tried, f"{seen}{_why(cluster, namespace, deployment)}")
        time.sleep(POLL_SECONDS)


def rolled_out(deployment: Object) -> bool:
    """As `kubectl rollout status` judges, with the availability of every replica."""
    status, wanted = deployment.get("status") or {}, deployment["spec"].get("replicas", 1)
    counts = [status.get(each, 0) for each in ("replicas", "updatedReplicas", "availableReplicas")]
    seen = status.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    return seen and counts == [wanted] * 3


def _counts(deployment: Object) -> str:
    status = deployment.get("status") or {}
    names = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    return f"wanted {deployment['spec'].get('replicas', 1)}, " + ", ".join(f"{n} {status.get(n, 0)}" for n in names)


def newest_pods(cluster: Cluster, namespace: str, deployment: Object) -> list[Object]:
    """The pods of the Deployment's newest template; none before the controller has seen it."""
    status = deployment.get("status") or {}
    if status.get("observedGeneration", 0) < deployment["metadata"]["generation"]:
        return []
    labels = selector(deployment["spec"]["selector"]["matchLabels"])
    revision = (deployment["metadata"].get("annotations") or {}).get(_REVISION)
    for each in cluster.list("replicasets", namespace, labels=labels):
        if (each["metadata"].get("annotations") or {}).get(_REVISION) == revision and _owned(each, deployment):
            own = f"{labels},{_TEMPLATE_HASH}={each['metadata']['labels'][_TEMPLATE_HASH]}"
            return cluster.list("pods", namespace, labels=own)
    return []


def _owned(child: Object, owner: Object) -> bool:
    references = child["metadata"].get("ownerReferences") or []
    return any(each["uid"] == owner["metadata"]["uid"] for each in references)


def _refuse_trouble(cluster: Cluster, namespace: str, deployment: Object, tried: str) -> None:
    for condition in (deployment.get("status") or {}).get("conditions") or []:
        kind, reason = (condition["type"], condition["status"]), condition.get("reason")
        refused = kind == ("ReplicaFailure", "True") and _age(condition) > REFUSED_SECONDS
        if refused or reason == "ProgressDeadlineExceeded":
            generation = (deployment.get("status") or {}).get("observedGeneration", 0)
            if generation >= deployment["metadata"]["generation"]:
                raise RolloutFailed(tried, f"{reason}: {condition.get('message')}", _NEXT)
    refuse_troubled_pods(cluster, namespace, newest_pods(cluster, namespace, deployment), tried)


_NEXT = "Mend that and deploy again; what ran before runs on."


def refuse_troubled_pods(cluster: Cluster, namespace: str, pods: Iterable[Object], tried: str) -> None:
    """Raises RolloutFailed for the first pod that cannot start, with its reason and its log's end."""
    for pod in pods:
        if trouble := trouble_of(pod):
            name, (container, why) = pod["metadata"]["name"], trouble
            said = last_log(cluster, namespace, name, container) if container else ""
            ending = f"; its log ends:\n{said}" if said else ""
            raise RolloutFailed(tried, f"pod {name}: {why}{ending}", _NEXT)


def wait_for_pod(cluster: Cluster, namespace: str, labels: str, *, seconds: float, tried: str) -> None:
    """Until one pod with these labels is ready. Raises RolloutFailed at once, DeadlineExceeded."""
    deadline = time.monotonic() + seconds
    while True:
        pods = cluster.list("pods", namespace, labels=labels)
        if any(ready(each) for each in pods):
            return
        refuse_troubled_pods(cluster, namespace, pods, tried)
        if time.monotonic() > deadline:
            raise DeadlineExceeded(tried, f"not ready after {seconds:g} s")
        time.sleep(POLL_SECONDS)


def last_log(cluster: Cluster, namespace: str, pod: str, container: str) -> str:
    """The end of the log of the newest run of a container that wrote one."""
    now = cluster.logs(pod, namespace, lines=LOG_LINES, container=container)
    return (now or cluster.logs(pod, namespace, lines=LOG_LINES, container=container, previous=True)).strip()


def trouble_of(pod: Object) -> tuple[str, str] | None:
    """Why a pod cannot start: the container (empty: the whole pod) and the reason; None if it still may."""
    status = pod.get("status") or {}
    for each in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        waiting = (each.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in _CANNOT_START:
            ended = (each.get("lastState") or {}).get("terminated") or {}
            cause = f" (last exit code {ended['exitCode']}, {ended.get('reason')})" if ended else ""
            return each["name"], f"{waiting['reason']}{cause}: {waiting.get('message', '')}"
    for condition in status.get("conditions") or ():
        unplaced = condition["type"] == "PodScheduled" and condition.get("reason") == "Unschedulable"
        if unplaced and condition["status"] == "False":
            why = str(condition.get("message"))
            patience = VOLUME_SECONDS if "unbound immediate PersistentVolumeClaims" in why else UNSCHEDULABLE_SECONDS
            if _age(condition) > patience:
                return "", f"Unschedulable: {why}"
    return None


def _age(condition: Object) -> float:
    since = datetime.fromisoformat(condition["lastTransitionTime"])
    return (datetime.now(UTC) - since).total_seconds()


def _why(cluster: Cluster, namespace: str, deployment: Object) -> str:
    """The last event and log lines of the pods that are not ready."""
    said = []
    for pod in newest_pods(cluster, namespace, deployment):
        if not ready(pod):
            name = pod["metadata"]["name"]
            container = pod["spec"]["containers"][0]["name"]
            events = cluster.events(namespace, name)[-2:]
            said.append(f"\npod {name}: {'; '.join(events)}\n{last_log(cluster, namespace, name, container)}")
    return "".join(said[:2])


def ready(pod: Object) -> bool:
    """Ready and not leaving."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    answers = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return answers and "deletionTimestamp" not in pod["metadata"]


def wait_for_job(cluster: Cluster, namespace: str, name: str, *, seconds: float, tried: str) -> Object:
    """The Job's pod when the Job has succeeded. Raises RolloutFailed with its log when it cannot, DeadlineExceeded."""
    deadline = time.monotonic() + seconds
    while True:
        job = cluster.read("jobs", name, namespace)
        pods = cluster.list("pods", namespace, labels=f"batch.kubernetes.io/job-name={name}")
        for condition in (job.get("status") or {}).get("conditions") or ():
            if condition["type"] == "Complete" and condition["status"] == "True":
                return next((each for each in pods if each["status"].get("phase") == "Succeeded"), {})
            if condition["type"] == "Failed" and condition["status"] == "True":
                why = f"{condition.get('reason')}: {condition.get('message')}"
                raise RolloutFailed(tried, f"{why}; its log ends:\n{failed_log(cluster, namespace, pods)}")
        refuse_troubled_pods(cluster, namespace, pods, tried)
        if time.monotonic() > deadline:
            raise DeadlineExceeded(tried, f"job {name} not done after {seconds:g} s")
        time.sleep(POLL_SECONDS)


def failed_log(cluster: Cluster, namespace: str, pods: list[Object]) -> str:
    """The end of what the container wrote that failed last."""
    for pod in sorted(pods, key=lambda each: each["metadata"]["creationTimestamp"], reverse=True):
        status = pod.get("status") or {}
        for each in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
            ended = (each.get("state") or {}).get("terminated") or {}
            if ended.get("exitCode"):
                return cluster.logs(pod["metadata"]["name"], namespace, lines=LOG_LINES, container=each["name"])
    return "nothing"


def wait_until_gone(cluster: Cluster, namespace: str, labels: str, *, seconds: float, tried: str) -> None:
    """Until no pod has these labels. Raises DeadlineExceeded."""
    deadline = time.monotonic() + seconds
    while left := cluster.list("pods", namespace, labels=labels):
        if time.monotonic() > deadline:
            raise DeadlineExceeded(tried, f"still there: {', '.join(each['metadata']['name'] for each in left)}")
        time.sleep(POLL_SECONDS)


def only_pod(pods: list[Object], what: str) -> Object:
    """The first one that is ready. Raises MissingError if none is."""
    for each in pods:
        if ready(each):
            return each
    raise MissingError(f"find {what}", "no pod of it is ready", "See `ecom status`.")
