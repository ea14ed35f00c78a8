"""Commands that run to their end as Jobs, in a pod like the chart's own migration: its image, secrets and policies."""

from __future__ import annotations

import copy
import secrets
from collections.abc import Sequence

from ecom_platform.clients.commands import KEPT_CHARACTERS, Completed
from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.errors import MissingError
from ecom_platform.platforms.kubernetes.names import COMPONENT, MANAGED, MIGRATION, Names, selector
from ecom_platform.platforms.kubernetes.rollout import wait_for_job

KEPT_SECONDS = 600
"""How long a Job stays whose maker died, for a person to look at."""

_BY_CONTROLLER = ("controller-uid", "job-name")


def newest_migration(cluster: Cluster, names: Names) -> Object:
    """The migration Job of the release's newest revision. Raises MissingError if there is none."""
    jobs = cluster.list("jobs", names.namespace, labels=selector(names.labels(MIGRATION)))
    own = [each for each in jobs if each["metadata"]["name"].startswith(f"{MIGRATION}-")]
    if not own:
        raise MissingError(
            f"find the migration of {names.release} in {names.namespace}",
            "there is no such Job",
            "Bring the shop up with `ecom up`; its values must have migration.enabled.",
        )
    return max(own, key=lambda each: int(each["metadata"]["name"].split("-")[1]))


def wait_for_migration(cluster: Cluster, names: Names, *, seconds: float) -> Object:
    """The newest migration's Job, which has succeeded: the roles and the schema are there."""
    migration = newest_migration(cluster, names)
    name, tried = migration["metadata"]["name"], "wait for the database's migration"
    wait_for_job(cluster, names.namespace, name, seconds=seconds, tried=tried)
    return migration


def migration_image(cluster: Cluster, names: Names) -> str:
    """The image of the newest migration."""
    return str(newest_migration(cluster, names)["spec"]["template"]["spec"]["containers"][0]["image"])


def run_task(cluster: Cluster, names: Names, command: Sequence[str], *, timeout: float, image: str = "") -> Completed:
    """Run the command once the newest migration is over, and take its Job away.

    image: instead of that migration's. Raises RolloutFailed with the log's end if it fails, DeadlineExceeded.
    """
    migration = wait_for_migration(cluster, names, seconds=timeout)
    job = cluster.create("jobs", _job(migration, command, timeout, image), names.namespace)
    name = job["metadata"]["name"]
    try:
        tried = f"run {' '.join(command)} in {names.namespace}"
        pod = wait_for_job(cluster, names.namespace, name, seconds=timeout + 30, tried=tried)
        said = cluster.logs(pod["metadata"]["name"], names.namespace, lines=200) if pod else ""
    finally:
        cluster.delete("jobs", name, names.namespace)
    return Completed(command[0] if command else "", 0, said[-KEPT_CHARACTERS:], "")


def _job(migration: Object, command: Sequence[str], timeout: float, image: str) -> Object:
    template = copy.deepcopy(migration["spec"]["template"])
    labels = template["metadata"]["labels"]
    kept = {name: value for name, value in labels.items() if name.rpartition("/")[2] not in _BY_CONTROLLER}
    template["metadata"] = {"labels": {**kept, COMPONENT: MIGRATION}}
    # The migration's first containers make roles and schema; this one's work comes after that.
    template["spec"]["initContainers"] = []
    own = template["spec"]["containers"][0]
    own["name"], own["command"] = "task", list(command)
    own["image"] = image or own["image"]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"task-{secrets.token_hex(4)}", "labels": {**MANAGED, COMPONENT: "task"}},
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": int(timeout),
            "ttlSecondsAfterFinished": KEPT_SECONDS,
            "template": template,
        },
    }
