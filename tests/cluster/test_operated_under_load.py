"""A shop that its cluster operates, under load: from worker pods, by a job, in a release, before Prometheus; its end.

After test_operated_inside.py, in the same shop.
"""

from __future__ import annotations

import pytest

from ecom_platform.load.generator import Progress, run_load
from ecom_platform.load.judge import judge_requests
from ecom_platform.load.plan import steady
from ecom_platform.release.state import read_state
from ecom_platform.verdicts import Outcome, worst
from tests.cluster.inside import WORKERS, Inside, pods_of_run, runs_of, told_runs, workers_of
from tests.cluster.scraping import prometheus_in
from tests.cluster.tools import Cluster, eventually
from tests.monitoring.prometheus import queries_of_everything
from tests.release.people import people

pytestmark = [pytest.mark.timeout(1200)]

NOT_HERE = ("ecom_key_written", "ecom_certificate_expiry", "ecom_schedule_")
"""Kubernetes writes mounted keys anew, this shop has no certificate, and a schedule ticks when its hour comes."""


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


def test_the_load_test_is_a_job_in_a_pod_and_its_result_is_the_commands(inside: Inside) -> None:
    done = inside.ecom("launch", "benchmark")
    (run_id,) = told_runs(done.stderr)
    assert pods_of_run(inside, run_id) != []
    assert f"by {WORKERS} load workers" in done.stderr
    # Workers that could not keep their schedule, beside all the rest here, say so; nothing else may be amiss.
    assert done.code in (Outcome.PASSED.exit_code, Outcome.INCONCLUSIVE.exit_code), done.stderr[-4000:]


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
