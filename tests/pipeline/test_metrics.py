"""What the platform says of itself to Prometheus: of real runs and stores, the same after a restart, never stale."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import httpx
import pytest

from ecom_platform.backup.catalogue_reading import read_catalogue
from ecom_platform.clients.metrics_server import serving, text_of
from ecom_platform.clients.objects import open_store
from ecom_platform.exporter import Facts, collector, facts_of
from ecom_platform.monitoring.samples import Sample
from ecom_platform.spec import Endpoint
from tests.pipeline.conftest import Pipeline

SOURCE = "database-shop"


@pytest.fixture(scope="module")
def ran(pipeline: Pipeline) -> Pipeline:
    """A pipeline that went through once, here or in a module before; one store has proved its newest snapshot."""
    done = dg.RunsFilter(job_name="everyday", statuses=[dg.DagsterRunStatus.SUCCESS])
    if pipeline.instance.get_runs(done, limit=1):
        assert pipeline.run("backup").success
        assert pipeline.run("verify_restore", assets=[f"restores/{SOURCE}"]).success
    else:
        assert pipeline.run("everyday").success
    return pipeline


def fresh(pipeline: Pipeline) -> Facts:
    """As a process that has just started."""
    return facts_of(pipeline.shop, pipeline.platform, pipeline.instance, pipeline.settings)


def found(samples: list[Sample], name: str, **labels: str) -> list[float]:
    return [each.value for each in samples if each.name == name and labels.items() <= each.labels.items()]


def one(samples: list[Sample], name: str, **labels: str) -> float:
    (value,) = found(samples, name, **labels)
    return value


def test_it_tells_how_old_how_large_and_whether_proved(ran: Pipeline) -> None:
    samples = fresh(ran).samples()
    catalogue = read_catalogue(open_store(ran.platform.store("local")), shop=ran.shop.shop)
    newest = catalogue.of("database/shop")[0].manifest
    here = {"shop": "ecommerce", "store": "local", "source": SOURCE}
    assert one(samples, "ecom_backup_newest_timestamp_seconds", **here) == newest.snapshot_at.timestamp()
    assert one(samples, "ecom_backup_verified_timestamp_seconds", **here) == newest.snapshot_at.timestamp()
    assert one(samples, "ecom_backup_newest_bytes", **here) == newest.stored_bytes
    assert one(samples, "ecom_backup_snapshots", status="failed", **here) == 0
    assert one(samples, "ecom_catalogue_problems", store="local") == 0
    assert one(samples, "ecom_backup_rpo_seconds", source=SOURCE) == 6 * 3600
    # The other store has the same snapshot, and nobody proved it there.
    proved_there = found(samples, "ecom_backup_verified_timestamp_seconds", store="cloud", source=SOURCE)
    assert newest.snapshot_at.timestamp() not in proved_there
    assert one(samples, "ecom_check", stage="restores", subject=SOURCE, check="content", outcome="passed") == 1
    assert one(samples, "ecom_job_last_run_timestamp_seconds", job="everyday", end="success") < time.time()
    assert 0 < one(samples, "ecom_restore_seconds", source=SOURCE) < 3600
    assert set(found(samples, "ecom_facts_read")) == {1}


def test_a_restart_changes_nothing(ran: Pipeline) -> None:
    def lasting(facts: Facts) -> set[tuple[str, float, frozenset[tuple[str, str]]]]:
        moving = ("ecom_machine",)
        return {
            (each.name, each.value, frozenset(each.labels.items()))
            for each in facts.samples()
            if not each.name.startswith(moving)
        }

    assert lasting(fresh(ran)) == lasting(fresh(ran))


@pytest.fixture
def hidden_store(ran: Pipeline) -> Iterator[Path]:
    """The store `local` cannot be listed during the test."""
    folder = ran.platform.layout.state / "backups"
    aside = folder.with_name("backups-aside")
    folder.rename(aside)
    folder.write_text("not a folder")
    yield aside
    folder.unlink()
    aside.rename(folder)


def test_a_store_that_cannot_be_read_is_said_and_not_shown_as_it_was(ran: Pipeline, hidden_store: Path) -> None:
    samples = fresh(ran).samples()
    assert one(samples, "ecom_facts_read", part="stores") == 0
    assert found(samples, "ecom_backup_newest_timestamp_seconds", store="local") == []
    assert found(samples, "ecom_backup_newest_timestamp_seconds", store="cloud") != []
    assert one(samples, "ecom_facts_read", part="checks") == 1


def test_a_manifest_that_is_gone_is_a_problem_of_the_catalogue(ran: Pipeline) -> None:
    folder = ran.platform.layout.state / "backups"
    manifest = sorted(folder.rglob("manifest.json"))[-1]
    content = manifest.read_bytes()
    manifest.unlink()
    try:
        assert one(fresh(ran).samples(), "ecom_catalogue_problems", store="local") > 0
    finally:
        manifest.write_bytes(content)


def test_a_check_that_fails_shows_until_it_passes(ran: Pipeline) -> None:
    asked = Endpoint(path="/healthz", status=418)
    services = [each.model_copy(update={"endpoints": (asked,)}) for each in ran.shop.services]
    own = {"stage": "validations", "subject": "backend", "check": "endpoints"}
    for job, shop, outcome in (
        ("validate", ran.shop.model_copy(update={"services": tuple(services)}), "failed"),
        ("validate", ran.shop, "passed"),
    ):
        ran.run(job, shop=shop)
        samples = fresh(ran).samples()
        outcomes = {each: one(samples, "ecom_check", outcome=each, **own) for each in ("passed", "failed")}
        assert outcomes == {each: each == outcome for each in outcomes}


def test_prometheus_gets_it_over_http(ran: Pipeline) -> None:
    facts = collector(fresh(ran))
    with serving(facts, "127.0.0.1", 0) as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        assert client.get("/healthz").text == "ok\n"
        assert client.get("/elsewhere").status_code == 404
        answer = client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain")
        assert "# TYPE ecom_machine_disk_busy_seconds_total counter" in answer.text
        assert 'ecom_facts_read{part="stores",shop="ecommerce"} 1.0' in answer.text
        assert answer.text.count("\n") == text_of(facts).count("\n")
