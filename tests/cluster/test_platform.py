"""The platform's chart on a cluster: Dagster answers, runs are pods, and no tag softens them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from ecom_platform.clients.dagster_api import RETRY_RUN, TERMINAL, DagsterApi
from ecom_platform.errors import ConfigurationError, UnreachableError
from tests.cluster.conftest import Release
from tests.cluster.facts import broken, read
from tests.cluster.inside import images_of, is_tried_again
from tests.cluster.tools import SCRIPTS, Cluster, eventually

pytestmark = pytest.mark.timeout(600)
HEALTH = "{ instance { daemonHealth { allDaemonStatuses { required healthy } } } }"
METADATA = """query ($run: ID!) { runOrError(runId: $run) { ... on Run { assetMaterializations {
  metadataEntries { label ... on TextMetadataEntry { text } } } } } }"""


def ask(address: str, query: str, **variables: object) -> Any:
    import httpx

    answer = httpx.post(
        f"{address}/graphql", json={"query": query, "variables": variables}, timeout=30, trust_env=False
    )
    return answer.json()["data"]


def result(api: DagsterApi, run: str, seconds: float = 120) -> str:
    """How the run ended."""

    def ended() -> str | None:
        status = api.follow(run, None).status
        return status if status in TERMINAL else None

    return eventually(f"run {run} ends", ended, seconds)


@pytest.fixture(scope="module")
def address(cluster: Cluster, platform: Release) -> Iterator[str]:
    """The webserver as the chart's values make it: read-only, with the real code location."""
    with cluster.forward(platform.namespace, "service/webserver", 80) as where:
        yield where


def test_the_real_code_location_is_loaded_and_the_daemon_is_well(address: str) -> None:
    def healthy() -> bool | None:
        statuses = ask(address, HEALTH)["instance"]["daemonHealth"]["allDaemonStatuses"]
        return True if statuses and all(each["healthy"] for each in statuses if each["required"]) else None

    eventually("every daemon is healthy", healthy, 60)
    with pytest.raises(ConfigurationError, match=r"Jobs are .*deploy.*validate"):
        DagsterApi(address).launch("no such job", config={}, tags={})


def test_the_exporter_reads_dagsters_records_in_its_own_pod(cluster: Cluster, platform: Release) -> None:
    import httpx

    def well() -> str | None:
        text = httpx.get(f"{where}/metrics", timeout=30, trust_env=False).text
        return text if text.count("ecom_daemon_healthy{") >= 5 and "ecom_facts_read{" in text else None

    with cluster.forward(platform.namespace, "service/metrics", 9464) as where:
        text = eventually("the exporter tells of the daemons", well, 90)
    read_parts = [line for line in text.splitlines() if line.startswith("ecom_facts_read{")]
    assert [line for line in read_parts if not line.endswith(" 1.0")] == []


def test_a_read_only_webserver_launches_nothing(address: str) -> None:
    with pytest.raises(ConfigurationError, match="Unauthorized"):
        DagsterApi(address).launch("report", config={}, tags={})


def test_the_platforms_own_pods_weigh_less_than_1500_mb(cluster: Cluster, platform: Release) -> None:
    def weights() -> list[int] | None:
        done = cluster.kubectl(
            "get", "--raw", f"/apis/metrics.k8s.io/v1beta1/namespaces/{platform.namespace}/pods", check=False
        )
        if done.code != 0:
            pytest.skip("the cluster has no metrics-server")
        pods = [each for each in json.loads(done.stdout)["items"] if not each["metadata"]["name"].startswith("probe-")]
        found = [kibibytes(c["usage"]["memory"]) for each in pods for c in each["containers"]]
        return found if len(found) >= 4 else None

    assert sum(eventually("every pod is measured", weights, 90)) < 1_500_000


def kibibytes(quantity: str) -> int:
    units = {"Ki": 1, "Mi": 1024, "Gi": 1024**2}
    return int(quantity[:-2]) * units[quantity[-2:]] if quantity[-2:] in units else int(quantity) // 1024


@pytest.fixture(scope="module")
def launching(cluster: Cluster, platform: Release) -> Iterator[DagsterApi]:
    """The same release upgraded: a webserver that may launch, and the tests' own code location."""
    files = {each: (SCRIPTS / each).read_text(encoding="utf-8") for each in ("probe_location.py", "facts.sh")}
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "probe-location", "namespace": platform.namespace},
            "data": files,
        }
    )
    sets = (
        *platform.sets,
        "webserver.readOnly=false",
        "codeLocation.module=probe_location",
        "environmentVariables.PYTHONPATH=/app:/probe",
        "extraVolumes[0].name=probe",
        "extraVolumes[0].configMap.name=probe-location",
        "extraVolumeMounts[0].name=probe",
        "extraVolumeMounts[0].mountPath=/probe",
        "runs.startTimeoutSeconds=30",
        "runs.scratch.tmp=64Mi",
        "runs.resources.requests.cpu=50m",
    )
    newest = json.loads(cluster.helm("history", platform.name, "-n", platform.namespace, "-o", "json").stdout)[-1]
    cluster.install(platform.chart, platform.name, platform.namespace, sets)
    with cluster.forward(platform.namespace, "service/webserver", 80) as where:
        api = DagsterApi(where)

        def loaded() -> bool | None:
            entries = ask(where, "{ repositoriesOrError { ... on RepositoryConnection { nodes { jobs { name } } } } }")
            names = {job["name"] for node in entries["repositoriesOrError"].get("nodes", []) for job in node["jobs"]}
            return True if "dump" in names else None

        eventually("the tests' code location is loaded", loaded, 180)
        yield api
    back = ("rollback", platform.name, str(newest["revision"]), "-n", platform.namespace, "--wait", "--timeout", "5m")
    cluster.helm(*back)
    arguments = cluster.get("deployment/webserver", platform.namespace)["spec"]["template"]["spec"]["containers"][0]
    assert "--read-only" in arguments["args"]


def job_ended(cluster: Cluster, platform: Release, run: str, how: str) -> bool | None:
    """Whether the run had one Job, and that ended so; None while it has not."""
    jobs = cluster.get("jobs", platform.namespace, "-l", f"dagster/run-id={run}")
    return True if [each["status"].get(how) for each in jobs] == [1] else None


def test_a_run_is_a_hardened_pod_that_sees_its_own_secrets_and_no_identity(
    cluster: Cluster, platform: Release, launching: DagsterApi
) -> None:
    begun = time.monotonic()
    run = launching.launch("dump", config={}, tags={})
    assert result(launching, run) == "SUCCESS", cluster.state(platform.namespace)
    seconds = time.monotonic() - begun
    entries = ask(launching.address, METADATA, run=run)["runOrError"]["assetMaterializations"][0]["metadataEntries"]
    seen = json.loads(next(each["text"] for each in entries if each["label"] == "seen"))
    assert broken(read(seen["facts"]), token=True) == []
    assert seen["secrets"] == ["/run/secrets/ecom/store/access-key", "/run/secrets/ecom/store/secret-key"]
    assert seen["spec"] is True
    assert seconds < 60
    eventually("the run's Job has succeeded", lambda: job_ended(cluster, platform, run, "succeeded"), 30)


def test_only_a_job_that_restores_gets_the_identity(launching: DagsterApi) -> None:
    run = launching.launch("restore", config={}, tags={})
    assert result(launching, run) == "SUCCESS"


def test_a_failed_run_fails_its_pod_too(cluster: Cluster, platform: Release, launching: DagsterApi) -> None:
    run = launching.launch("failing", config={}, tags={})
    assert result(launching, run) == "FAILURE"
    eventually("the run's Job has failed", lambda: job_ended(cluster, platform, run, "failed"), 30)


@pytest.mark.parametrize(
    "softened",
    [
        {"pod_spec_config": {"service_account_name": "daemon"}},
        {"container_config": {"security_context": {"read_only_root_filesystem": False}}},
    ],
)
def test_a_tag_cannot_soften_a_run(launching: DagsterApi, softened: dict[str, Any]) -> None:
    run = launching.launch("dump", config={}, tags={"dagster-k8s/config": json.dumps(softened)})
    assert result(launching, run) == "FAILURE"


def why(api: DagsterApi, run: str) -> str:
    """What the run's end says."""
    events = api.follow(run, None).events
    return "\n".join(each["message"] for each in events if each["__typename"] == "RunFailureEvent")


def at_work(api: DagsterApi, run: str) -> bool | None:
    return True if any(each.get("message") == "at work" for each in api.follow(run, None).events) else None


def running_jobs(cluster: Cluster, platform: Release, run: str) -> list[str]:
    found = cluster.get("jobs", platform.namespace, "-l", f"dagster/run-id={run}")
    return [each["metadata"]["name"] for each in found if not {"succeeded", "failed"} & set(each["status"])]


@pytest.mark.parametrize("how", [("--grace-period=0", "--force"), ("--grace-period=20",)], ids=["at once", "asked"])
def test_a_run_whose_pod_is_deleted_fails_and_is_tried_again(
    cluster: Cluster, platform: Release, launching: DagsterApi, how: tuple[str, ...]
) -> None:
    run = launching.launch("enduring", config={}, tags={})
    eventually("the run is at work", lambda: at_work(launching, run), 120)
    chosen = ("-l", f"dagster/run-id={run}")
    cluster.kubectl("delete", "pod", "-n", platform.namespace, *chosen, *how, seconds=90)
    assert result(launching, run) == "FAILURE"
    print(why(launching, run))
    assert "pod is gone" in why(launching, run) or "interrupted" in why(launching, run)
    tried_again(cluster, platform, launching, run)


def tried_again(cluster: Cluster, platform: Release, launching: DagsterApi, run: str) -> None:
    """Once, with success; and nothing is left of the first."""
    assert is_tried_again(launching, run)
    # A retry that the daemon passed by is asked for again within a minute.
    again = eventually("it is tried again", lambda: launching.follow(run, None).tags.get(RETRY_RUN), 180)
    assert result(launching, again) == "SUCCESS"
    assert running_jobs(cluster, platform, run) == []


def test_a_run_that_a_drained_node_evicts_fails_and_is_tried_again(
    cluster: Cluster, platform: Release, launching: DagsterApi
) -> None:
    run = launching.launch("enduring", config={}, tags={})
    eventually("the run is at work", lambda: at_work(launching, run), 120)
    (pod,) = cluster.get("pods", platform.namespace, "-l", f"dagster/run-id={run}")
    about = {"name": pod["metadata"]["name"], "namespace": platform.namespace}
    asked = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": about}
    where = f"/api/v1/namespaces/{platform.namespace}/pods/{about['name']}/eviction"
    cluster.kubectl("create", "--raw", where, "-f", "-", stdin=json.dumps(asked))
    assert result(launching, run) == "FAILURE"
    print(why(launching, run))
    # The pod may say so itself, before its end is looked into.
    assert "Eviction" in why(launching, run) or "interrupted" in why(launching, run)
    tried_again(cluster, platform, launching, run)


def test_a_run_that_the_kubelet_evicts_for_its_files_fails_with_that_reason(
    cluster: Cluster, platform: Release, launching: DagsterApi
) -> None:
    run = launching.launch("overflowing", config={}, tags={})
    assert result(launching, run, 240) == "FAILURE"

    def evicted() -> bool | None:
        (pod,) = cluster.get("pods", platform.namespace, "-l", f"dagster/run-id={run}")
        return True if pod["status"].get("reason") == "Evicted" else None

    # The run may end first: its process is told to stop, and says so, before the kubelet writes down why.
    eventually("the kubelet says that it evicted the pod", evicted, 60)
    print(why(launching, run))
    assert "exceeds the limit" in why(launching, run) or "interrupted" in why(launching, run)
    tried_again(cluster, platform, launching, run)


def test_a_run_that_is_out_of_memory_says_so(cluster: Cluster, platform: Release, launching: DagsterApi) -> None:
    run = launching.launch("starving", config={}, tags={})
    assert result(launching, run) == "FAILURE"
    print(why(launching, run))
    assert "OOMKilled" in why(launching, run) or "137" in why(launching, run)
    assert not is_tried_again(launching, run)
    assert running_jobs(cluster, platform, run) == []


@pytest.fixture
def an_image_that_is_nowhere(cluster: Cluster, platform: Release, launching: DagsterApi) -> Iterator[None]:
    """The code location tells the launcher an image that no registry has."""

    def use(image: str) -> None:
        target = ("deployment/code-location", "-n", platform.namespace)
        cluster.kubectl("set", "env", *target, f"DAGSTER_CURRENT_IMAGE={image}")
        cluster.kubectl("rollout", "status", *target, "--timeout=180s", seconds=200)

        def loaded() -> bool | None:
            try:
                launching.reload("ecom_platform")
                # The pod that goes still answers for a while, and says the image of before.
                return True if image in images_of(launching) and "dump" in launching.jobs() else None
            except UnreachableError:
                return None  # a webserver that waits for the pod that went

        eventually("the code location is loaded again", loaded, 180)

    try:
        use("ecom/platform:no-such-tag")
        yield
    finally:
        use(cluster.image("platform"))


@pytest.mark.usefixtures("an_image_that_is_nowhere")
def test_a_run_whose_image_cannot_be_pulled_fails_with_that_reason_and_leaves_no_job(
    cluster: Cluster, platform: Release, launching: DagsterApi
) -> None:
    def launched() -> str | None:
        try:
            return launching.launch("enduring", config={}, tags={})
        except UnreachableError:
            return None  # a webserver that asked the pod that went

    run = eventually("Dagster takes the run", launched, 60)
    assert result(launching, run) == "FAILURE"
    print(why(launching, run))
    assert "pull" in why(launching, run).lower()
    eventually("its Job is gone", lambda: True if running_jobs(cluster, platform, run) == [] else None, 60)
