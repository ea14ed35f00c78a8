"""A shop that its cluster operates, for tests: its spec, its command, its runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecom_platform.clients.commands import Completed, run
from ecom_platform.clients.dagster_api import TERMINAL, WILL_RETRY, DagsterApi
from ecom_platform.clients.kubernetes_api import Cluster
from ecom_platform.platforms.kubernetes import KubernetesPlatform, rollout
from ecom_platform.platforms.kubernetes.names import LOAD_WORKER, LOAD_WORKER_PORT
from ecom_platform.platforms.kubernetes.reach import Reach
from ecom_platform.platforms.kubernetes.values import merged
from ecom_platform.settings import ROOT
from ecom_platform.spec import Release, Shop, Thresholds
from tests.cluster.scraping import PEERS
from tests.cluster.tools import eventually

UP_SECONDS = 900
"""On a machine that does much else; alone it takes two minutes."""

DUMP_BYTES_PER_SECOND = 400_000
"""So slow that a test meets a dump in its middle, also on a machine that does much else."""

WORKERS = 2


RUNS = (
    "query ($job: String!) { runsOrError(filter: {pipelineName: $job}) { ... on Runs { results { runId status } } } }"
)
STEPS = "query ($run: ID!) { runOrError(runId: $run) { ... on Run { stepStats { stepKey startTime endTime } } } }"
LOCATIONS = "query { workspaceOrError { ... on Workspace { locationEntries { displayMetadata { key value } } } } }"
STARTED = "query ($run: ID!) { runOrError(runId: $run) { ... on Run { creationTime startTime endTime } } }"


@dataclass(frozen=True)
class Inside:
    """A shop that its cluster operates. spec: the file; up: what the second, whole `ecom up` said."""

    spec: Path
    state: Path
    shop: Shop
    platform: KubernetesPlatform
    up: Completed

    def ecom(self, *arguments: str, seconds: float = UP_SECONDS) -> Completed:
        environment = {**os.environ, "ECOM_STATE": str(self.state.parent)}
        argv = [sys.executable, "-m", "ecom_platform.cli", "--spec", str(self.spec), *arguments]
        return run(argv, timeout=seconds, check=False, environment=environment, folder=ROOT, keep=None)

    @property
    def api(self) -> DagsterApi:
        address = self.platform.webserver()
        assert address is not None
        return DagsterApi(address)


def spec_of(tag_of: Shop, seaweedfs: str) -> Shop:
    """The example, small: one copy of each service, few orders, dumps slow enough to be met in the middle."""
    repository, _, tag = seaweedfs.rpartition(":")
    backend = tag_of.service("backend").image
    place = {"persistence": {"size": "1Gi", "whenDeleted": "Delete"}}
    values = {
        "database": place,
        "networkPolicies": {"monitoring": PEERS},
        "seaweedfs": {"image": {"repository": repository, "tag": tag}, "persistence": {"size": "1Gi"}},
        "runs": {"resources": {"requests": {"cpu": "50m", "memory": "256Mi"}}},
    }
    where = tag_of.kubernetes.model_copy(
        update={
            "platform_image": backend.replace("/backend:", "/platform:"),
            "platform_values": values,
            "values": merged(tag_of.kubernetes.values, {"networkPolicies": {"monitoring": PEERS}}),
        }
    )
    database = tag_of.databases[0]
    tasks = database.tasks.model_copy(update={"seed": ("python", "-m", "shop.seed", "--orders", "500")})
    database = database.model_copy(update={"tasks": tasks, "dump_bytes_per_second": DUMP_BYTES_PER_SECOND})
    load = tag_of.load and tag_of.load.model_copy(update={"rate": 40.0, "minimum_requests": 60, "workers": WORKERS})
    released = Release.model_validate(
        {"load": "8s", "scenario": "get", "path": "/api/products?limit=5", "dwell": "10s", "probes": 20}
    )
    return tag_of.model_copy(
        update={
            "kubernetes": where,
            "databases": (database,),
            "load": load,
            "leave_out": (),
            "release": released.model_copy(update={"allowed_slow_down": None}),
            "thresholds": Thresholds(p95_ms=15_000, error_rate=0.2, utilisation=1.0, requests_per_second=10),
        }
    )


def killed_on_its_way(place: Inside) -> None:
    """`ecom up`, ended by SIGKILL as soon as the platform's release is there."""
    argv = [sys.executable, "-m", "ecom_platform.cli", "--spec", str(place.spec), "up"]
    environment = {**os.environ, "ECOM_STATE": str(place.state.parent)}
    process = subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        installing = place.platform.installation.helm
        eventually("the platform's release is being made", installing.state, 240)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait(20)


def ask(api: DagsterApi, query: str, **variables: str) -> Any:
    return api._ask(query, variables)


def runs_of(api: DagsterApi, job: str) -> list[str]:
    """Newest first."""
    return [each["runId"] for each in ask(api, RUNS, job=job)["runsOrError"]["results"]]


def status_of(api: DagsterApi, run_id: str) -> str:
    return api.follow(run_id, None).status


def ended(api: DagsterApi, run_id: str, seconds: float = 300) -> str:
    return eventually(
        f"run {run_id} ends", lambda: next((s for s in [status_of(api, run_id)] if s in TERMINAL), None), seconds
    )


def images_of(api: DagsterApi) -> list[str]:
    """What the code locations tell the launcher."""
    entries = ask(api, LOCATIONS)["workspaceOrError"]["locationEntries"]
    return [each["value"] for entry in entries for each in entry["displayMetadata"] if each["key"] == "image"]


def is_tried_again(api: DagsterApi, run_id: str) -> bool:
    """What the instance says of a run that failed, as soon as it says it."""
    return eventually("the word on a next try", lambda: api.follow(run_id, None).tags.get(WILL_RETRY), 60) == "true"


def pods_of_run(place: Inside, run_id: str) -> list[dict[str, Any]]:
    where = place.platform.names.platform_namespace
    return place.platform.cluster.list("pods", where, labels=f"dagster/run-id={run_id}")


def workers_of(place: Inside) -> dict[str, str]:
    """The pods that make load, and an address of each from here."""
    names = place.platform.names
    pods = place.platform.cluster.list(
        "pods", names.platform_namespace, labels=f"app.kubernetes.io/component={LOAD_WORKER}"
    )
    reach = Reach(place.platform.cluster, names.platform_namespace)
    return {each["metadata"]["name"]: reach.pod(each, LOAD_WORKER_PORT) for each in pods if rollout.ready(each)}


def reads(api: DagsterApi, run_id: str) -> bool:
    assert status_of(api, run_id) not in TERMINAL
    return any("on PostgreSQL" in each.get("message", "") for each in api.follow(run_id, None).events)


def active_jobs(place: Inside, run_id: str) -> list[str]:
    where = place.platform.names.platform_namespace
    found = place.platform.cluster.list("jobs", where, labels=f"dagster/run-id={run_id}")
    return [each["metadata"]["name"] for each in found if each["status"].get("active")]


def told_runs(said: str) -> set[str]:
    """The runs that `ecom launch` said it follows."""
    return set(re.findall(r"^run (\S+)  http", said, re.MULTILINE))


def dumped(api: DagsterApi, run_id: str) -> tuple[float, float]:
    """When the run's dump began and ended, in seconds."""
    steps = ask(api, STEPS, run=run_id)["runOrError"]["stepStats"]
    (step,) = [each for each in steps if "backups" in each["stepKey"]]
    return float(step["startTime"]), float(step["endTime"])


def settings_of(door: Cluster, place: Inside) -> set[str]:
    """The variables of the backend's green Deployment."""
    found = door.read("deployments", "backend-green", place.platform.names.namespace)
    return {each["name"] for each in found["spec"]["template"]["spec"]["containers"][0]["env"]}
