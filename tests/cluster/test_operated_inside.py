"""`ecom up` of a shop that is operated from inside its cluster: both charts, then everything as pods there."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import yaml

from ecom_platform.cli.runs import RETRY_RUN, WILL_RETRY
from ecom_platform.clients.commands import Completed
from ecom_platform.clients.kubernetes_api import Cluster as Door
from ecom_platform.load.generator import Progress, run_load
from ecom_platform.load.judge import judge_requests
from ecom_platform.load.plan import steady
from ecom_platform.platforms.kubernetes import KubernetesPlatform, patching, rollout
from ecom_platform.platforms.kubernetes.inside import as_values
from ecom_platform.platforms.kubernetes.names import COLOUR
from ecom_platform.release.state import read_state
from ecom_platform.spec_file import read_spec
from ecom_platform.verdicts import Outcome, worst
from tests.cluster import ci_job
from tests.cluster.inside import (
    STARTED,
    WORKERS,
    Inside,
    active_jobs,
    ask,
    dumped,
    ended,
    killed_on_its_way,
    pods_of_run,
    reads,
    runs_of,
    settings_of,
    spec_of,
    status_of,
    told_runs,
    workers_of,
)
from tests.cluster.scraping import prometheus_in
from tests.cluster.tools import Cluster, eventually
from tests.monitoring.prometheus import queries_of_everything
from tests.platforms.cluster import missing, shop_in_cluster
from tests.release.people import people

pytestmark = [pytest.mark.timeout(1200)]


NOT_HERE = ("ecom_key_written", "ecom_certificate_expiry", "ecom_schedule_")
"""Kubernetes writes mounted keys anew, this shop has no certificate, and a schedule ticks when its hour comes."""

SENSOR_SECONDS = 60.0
"""15 s are promised on a quiet machine; the figure is in the test's output."""


@pytest.fixture(scope="module")
def inside(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """Brought up by the command, which is killed once on its way and started again."""
    del cluster  # tells what is missing
    image = os.environ.get("ECOM_TEST_SEAWEEDFS", "")
    if not image:
        missing("ECOM_TEST_SEAWEEDFS names no image")
    folder = tmp_path_factory.mktemp("inside")
    shop = spec_of(shop_in_cluster(f"inside-{secrets.token_hex(3)}"), image)
    spec = folder / "shop.yaml"
    spec.write_text(yaml.safe_dump(as_values(shop), sort_keys=False), encoding="utf-8")
    assert read_spec(spec) == shop
    state = folder / shop.shop
    platform = KubernetesPlatform(shop, state)
    place = Inside(spec, state, shop, platform, Completed("", 0, "", ""))
    try:
        killed_on_its_way(place)
        up = place.ecom("up")
        assert up.code == 0, up.stderr[-4000:]
        yield Inside(spec, state, shop, platform, up)
    finally:
        platform.reset()
        platform.cluster.close()


def test_up_deploys_validates_backs_up_and_proves_in_the_cluster(inside: Inside) -> None:
    said = inside.up.stderr
    for step in ("deploy", "validate", "backup", "verify_restore", "walls and rights"):
        assert f"  {step:<28} " in said
    assert "FAILED" not in said
    for job in ("deploy", "validate", "backup", "verify_restore"):
        newest = runs_of(inside.api, job)[0]
        assert status_of(inside.api, newest) == "SUCCESS"
        assert pods_of_run(inside, newest) != [], f"{job} was no pod"


def test_no_secret_is_in_what_was_printed_in_the_values_or_in_the_pods(inside: Inside) -> None:
    platform = inside.platform
    names = ("ecom-shop-database", "ecom-stores", "ecom-signing", "ecom-identity", "ecom-dagster-database")
    from ecom_platform.platforms.kubernetes.platform_secrets import read

    found = [value for name in names for value in read(platform.cluster, platform.names, name).values()]
    assert len(found) >= 7
    where = platform.names.platform_namespace
    shown = json.dumps(platform.cluster.list("pods", where)) + json.dumps(platform.installation.helm.values())
    shown += json.dumps(platform.cluster.list("jobs", where)) + inside.up.stdout + inside.up.stderr
    assert [each for each in found if each in shown] == []


def test_the_sensor_starts_the_validation_soon_after_the_deployment(inside: Inside) -> None:
    deploy = runs_of(inside.api, "deploy")[0]
    (validate,) = inside.api.runs({"ecom/after": deploy, "ecom/job": "validate"})
    over = ask(inside.api, STARTED, run=deploy)["runOrError"]["endTime"]
    began = ask(inside.api, STARTED, run=validate)["runOrError"]["startTime"]
    print(f"validation started {began - over:.1f} s after the deployment")
    assert 0 < began - over < SENSOR_SECONDS


def test_the_dumps_pod_cannot_decrypt_and_the_proofs_pod_can(inside: Inside) -> None:
    def mounted(job: str) -> set[str]:
        (pod,) = pods_of_run(inside, runs_of(inside.api, job)[0])
        return {each["secret"]["secretName"] for each in pod["spec"]["volumes"] if "secret" in each}

    assert "ecom-identity" not in mounted("backup")
    assert "ecom-identity" not in mounted("deploy")
    assert "ecom-identity" in mounted("verify_restore")
    assert "ecom-signing" in mounted("backup")


def test_a_job_that_dumps_and_restores_is_not_there(inside: Inside) -> None:
    assert "everyday" not in inside.api.jobs()


def test_the_verbs_use_the_clusters_instance_and_stores(inside: Inside) -> None:
    listed = inside.ecom("snapshots", "--json")
    assert listed.code == 0, listed.stderr
    assert {each["status"] for each in json.loads(listed.stdout)} == {"proved"}
    unknown = inside.ecom("launch", "no-such-job")
    assert unknown.code == 2
    assert "verify_restore" in unknown.stderr


def test_a_colour_is_released_with_the_accounts_own_rights_and_helm_leaves_it_so(inside: Inside) -> None:
    platform, names = inside.platform, inside.platform.names
    token = platform.cluster.service_account_token(names.platform_namespace, "run")
    plain = inside.shop.service("backend").model_copy(update={"version": "2.0.0"})
    service = plain.model_copy(update={"environment": {**plain.environment, "DATABASE_POOL": "4"}})
    with closing(Door(names.context, token)) as run_account:
        patching.run_as(run_account, names, service, "green")
        rollout.wait_for_deployment(run_account, names.namespace, "backend-green", seconds=180, tried="release green")
        before = run_account.read("deployments", "backend-green", names.namespace)["metadata"]["generation"]
        patching.run_as(run_account, names, service, "green")
        assert run_account.read("deployments", "backend-green", names.namespace)["metadata"]["generation"] == before
        run_account.patch("services", "backend", {"spec": {"selector": {COLOUR: "green"}}}, names.namespace)
        try:
            assert platform.refresh()
            assert not platform.refresh()
            assert {each.version for each in platform.instances(service, "green")} == {"2.0.0"}
            assert platform.live_colour(service) == "green"
            assert "DATABASE_POOL" in settings_of(run_account, inside)
            patching.run_as(run_account, names, plain, "green")
            assert "DATABASE_POOL" not in settings_of(run_account, inside)
        finally:
            run_account.patch("services", "backend", {"spec": {"selector": {COLOUR: "blue"}}}, names.namespace)
            patching.scale(run_account, names, service, "green", 0)
    assert platform.live_colour(service) == "blue"


def test_workers_in_several_pods_make_one_load_and_one_that_dies_leaves_no_verdict(inside: Inside) -> None:
    names = inside.platform.names
    front = f"http://frontend.{names.namespace}/api/products?limit=5"
    workers = workers_of(inside)
    assert len(workers) == WORKERS
    good = run_load(steady(front, 40, 6), workers=list(workers.values()))
    assert (good.requests, good.errors, good.faults) == (240, 0, ()), good.examples
    assert good.latencies().count == 240
    verdicts = judge_requests(good, p95_ms=15_000, error_rate=0.2, requests_per_second=40)
    assert worst(verdicts) is Outcome.PASSED, verdicts
    victim = next(iter(workers))

    def kill(seen: Progress) -> None:
        if seen.seconds > 2 and inside.platform.cluster.find("pods", victim, names.platform_namespace):
            inside.platform.cluster.delete("pods", victim, names.platform_namespace, grace=0)

    bad = run_load(steady(front, 40, 6), workers=list(workers.values()), progress=kill)
    assert len(bad.faults) == 1
    verdicts = judge_requests(bad, p95_ms=15_000, error_rate=0.2, requests_per_second=40)
    assert worst(verdicts) is Outcome.INCONCLUSIVE
    eventually("the Deployment has a new one", lambda: True if len(workers_of(inside)) == WORKERS else None, 120)


def test_a_release_is_driven_by_a_pod_with_its_load_from_other_pods_and_nobody_is_lost(inside: Inside) -> None:
    images = [f"--image={each.name}={each.image}" for each in inside.shop.services]
    with people(inside.platform, inside.shop, 500) as answers:
        done = inside.ecom("release", "start", "--version", "1.1.0", *images)
    assert done.code == 0, done.stderr[-4000:]
    run_id = runs_of(inside.api, "release")[0]
    assert pods_of_run(inside, run_id) != []
    assert f"by {WORKERS} load workers" in done.stderr
    journal = read_state(inside.platform).journal
    assert journal is not None
    assert journal.facts["cut_over_lost"] == 0
    assert [each for each in answers if each.problem] == []
    assert {each.version for each in answers} == {inside.shop.front_door.version, "1.1.0"}


def test_prometheus_gets_data_for_every_rule_and_panel_and_sees_a_target_that_is_gone(
    cluster: Cluster, inside: Inside
) -> None:
    platform, names = inside.platform, inside.platform.names
    wanted = {
        name: query
        for name, query in queries_of_everything(inside.shop.thresholds).items()
        if not any(each in query for each in NOT_HERE)
    }
    with (
        people(platform, inside.shop, 400, "/api/products?limit=5"),
        prometheus_in(cluster, platform.cluster, names) as prometheus,
    ):
        for job in ("shop", "ecom-platform"):
            up = f'up{{job="{job}"}} == 1'
            eventually(f"{job} is scraped", lambda up=up: prometheus.query(up) or None, 90)  # type: ignore[misc]

        def silent() -> list[str]:
            return [name for name, query in wanted.items() if not prometheus.query(query)]

        try:
            eventually("every query has data", lambda: None if silent() else True, 120)
        except AssertionError as error:
            raise AssertionError(f"{error}: {silent()}") from error
        assert set(prometheus.rules().values()) == {"ok"}
        # Before the first scrape they were absent too, and an alarm on that ends with an evaluation after it.
        down = {"ShopDown", "PlatformMetricsDown", "FactsNotRead"}
        eventually("all are well", lambda: True if not down & prometheus.firing() else None, 60)
        platform.cluster.patch("deployments", "metrics", {"spec": {"replicas": 0}}, names.platform_namespace)
        try:
            eventually("its end is seen", lambda: "PlatformMetricsDown" in prometheus.firing() or None, 90)
        finally:
            platform.cluster.patch("deployments", "metrics", {"spec": {"replicas": 1}}, names.platform_namespace)


def test_a_dump_whose_pod_is_deleted_is_taken_again_once_and_never_beside_itself(inside: Inside) -> None:
    api = inside.api
    first = api.launch("backup", config={}, tags={})
    eventually("the dump reads", lambda: True if reads(api, first) else None, 240)
    (pod,) = pods_of_run(inside, first)
    where = inside.platform.names.platform_namespace
    inside.platform.cluster.delete("pods", pod["metadata"]["name"], where, grace=0)
    assert ended(api, first) == "FAILURE"
    told = [each["message"] for each in api.follow(first, None).events if each["__typename"] == "RunFailureEvent"]
    print(f"a deleted pod: {told}")
    assert any("pod is gone" in each or "interrupted" in each for each in told)
    assert api.follow(first, None).tags[WILL_RETRY] == "true"
    again = eventually("the run is tried again", lambda: api.follow(first, None).tags.get(RETRY_RUN), 120)
    assert ended(api, again) == "SUCCESS"
    assert active_jobs(inside, first) == []
    proof = eventually("the new snapshot is proved", lambda: next(iter(api.runs({"ecom/after": again})), None), 120)
    assert ended(api, proof) == "SUCCESS"
    listed = json.loads(inside.ecom("snapshots", "--json").stdout)
    assert [each["status"] for each in listed] == ["proved", "proved"], listed


def test_two_dumps_that_are_asked_for_at_once_are_taken_one_after_the_other(inside: Inside) -> None:
    before = {each["id"] for each in json.loads(inside.ecom("snapshots", "--json").stdout)}
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda _: inside.ecom("launch", "backup"), range(2)))
    assert [each.code for each in both] == [0, 0], [each.stderr[-2000:] for each in both]
    runs = {run for each in both for run in told_runs(each.stderr)}
    (_, first), (second, _) = sorted(dumped(inside.api, each) for each in runs)
    print(f"the second dump began {second - first:.1f} s after the end of the first")
    assert first <= second
    after = {each["id"] for each in json.loads(inside.ecom("snapshots", "--json").stdout)}
    assert len(after - before) == 2


def test_the_platforms_image_is_the_image_of_a_pipelines_job(cluster: Cluster, inside: Inside) -> None:
    """With the rights that the guide names and no others; the job's exit code is the run's result."""
    spec, where = inside.spec.read_text(encoding="utf-8"), inside.platform.names.platform_namespace
    commands = {"good": ["launch", "validate"], "unknown": ["launch", "no-such-job"]}
    found = ci_job.launched(cluster, spec, where, commands, 400)
    assert (found["good"][0], found["unknown"][0]) == (0, 2), found
    assert "verify_restore" in found["unknown"][1]
    (run_id,) = told_runs(found["good"][1])
    assert status_of(inside.api, run_id) == "SUCCESS"
    assert pods_of_run(inside, run_id) != []


def test_down_takes_everything_away_and_leaves_the_backups(inside: Inside) -> None:
    down = inside.ecom("down")
    assert down.code == 0, down.stderr
    platform, names = inside.platform, inside.platform.names
    for where in (names.namespace, names.platform_namespace):
        left = [
            each
            for kind in ("deployments", "statefulsets", "jobs", "pods")
            for each in platform.cluster.list(kind, where)
        ]
        assert [each["metadata"]["name"] for each in left if "deletionTimestamp" not in each["metadata"]] == []
    assert platform.cluster.find("persistentvolumeclaims", "data-seaweedfs-0", names.platform_namespace) is not None
    assert platform.cluster.find("secrets", "ecom-identity", names.platform_namespace) is not None
    assert (inside.state / "secrets" / "age-identity").exists()
