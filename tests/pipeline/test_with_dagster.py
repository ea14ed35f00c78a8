"""The shop with Dagster's own processes: the UI in a real browser, the sensors, `ecom launch`, `dagster job launch`."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from ecom_platform.clients.web import session
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.settings import ROOT
from tests.browser import picture, watched
from tests.monitoring.prometheus import queries_of_everything, running_prometheus
from tests.pipeline.conftest import Pipeline, Receiver
from tests.waiting import wait_until

PATIENCE = 60_000  # ms: a first page of the UI on a busy machine


@pytest.fixture(scope="module")
def ui(pipeline: Pipeline) -> Iterator[str]:
    """The webserver's address; the pipeline has run once, so that there is something to see."""
    pipeline.platform.up(location=pipeline.settings)
    address = pipeline.platform.webserver()
    assert address is not None
    done = pipeline.ecom("launch", "everyday")
    assert done.returncode == 0, done.stderr
    yield address
    pipeline.platform.down()
    pipeline.platform.up()


def runs_of(address: str, job: str) -> list[dict[str, str]]:
    query = "query ($job: String!) { runsOrError(filter: {pipelineName: $job}) { ... on Runs { results { runId } } } }"
    with session(address, seconds=20) as client:
        answer = client.send("POST", "/graphql", content={"query": query, "variables": {"job": job}})
    results: list[dict[str, str]] = answer.json()["data"]["runsOrError"]["results"]
    return results


def wait_for_run(address: str, job: str, known: frozenset[str]) -> list[str]:
    found: list[str] = []

    def new() -> bool:
        found[:] = [each["runId"] for each in runs_of(address, job) if each["runId"] not in known]
        return bool(found)

    wait_until(new, seconds=60, what=f"a new run of {job}", every=0.5)
    return found


def wait_for_notice(receiver: Receiver, text: str) -> str:
    """The notice with that text; others may come before it."""
    found: list[str] = []

    def posted() -> bool:
        found[:] = [each for each in receiver.posted if text in each]
        return bool(found)

    wait_until(posted, seconds=60, what=f"a notice with {text!r}", every=0.5)
    return found[0]


def ids(address: str, job: str) -> frozenset[str]:
    return frozenset(each["runId"] for each in runs_of(address, job))


@pytest.mark.browser
def test_the_ui_shows_the_lineage_from_deployment_to_report(browser: Browser, ui: str) -> None:
    with watched(browser, width=1400, height=620) as seen:
        seen.page.goto(f"{ui}/asset-groups")
        for stage in ("deployments", "validations", "backups", "restores", "benchmarks", "reports"):
            expect(seen.page.get_by_text(stage, exact=True).first).to_be_visible(timeout=PATIENCE)
        seen.page.get_by_text("Hide navigation").click()
        seen.page.wait_for_load_state("networkidle")
        picture(seen.page, "lineage", full_page=False)


@pytest.mark.browser
def test_the_ui_shows_the_checks_of_a_restore(browser: Browser, ui: str) -> None:
    with watched(browser, width=1400, height=900) as seen:
        seen.page.goto(f"{ui}/assets/ecommerce/restores/database-shop?view=checks")
        for check in ("restored", "content", "sequences", "definitions", "read_path"):
            expect(seen.page.get_by_text(check, exact=True).first).to_be_visible(timeout=PATIENCE)
        seen.page.wait_for_load_state("networkidle")
        picture(seen.page, "checks", full_page=False)


@pytest.mark.browser
def test_the_ui_shows_the_schedules_and_the_sensors(browser: Browser, ui: str) -> None:
    with watched(browser, width=1400, height=700) as seen:
        seen.page.goto(f"{ui}/automation")
        for name in ("backup_schedule", "validate_after_deploy", "verify_restore_after_backup", "notice_of_failure"):
            expect(seen.page.get_by_text(name).first).to_be_visible(timeout=PATIENCE)
        expect(seen.page.get_by_text("every 6 hours").first).to_be_visible(timeout=PATIENCE)
        seen.page.wait_for_load_state("networkidle")
        picture(seen.page, "automation", full_page=False)


@pytest.mark.browser
def test_the_page_of_evidence_of_real_runs_opens(browser: Browser, pipeline: Pipeline, ui: str) -> None:
    done = pipeline.ecom("report")
    assert done.returncode in (0, 1, 3), done.stderr
    with watched(browser, width=1280, height=1400) as seen:
        seen.page.goto((pipeline.platform.reports() / "evidence.html").as_uri())
        expect(seen.page.get_by_text("ecommerce").first).to_be_visible()
        assert seen.problems == []
        picture(seen.page, "report", full_page=False)


def test_a_validation_follows_every_deploy_and_a_proof_every_backup(pipeline: Pipeline, ui: str) -> None:
    for first, then in (("deploy", "validate"), ("backup", "verify_restore"), ("backup_complete", "verify_complete")):
        known = ids(ui, then)
        done = pipeline.ecom("launch", first)
        assert done.returncode == 0, done.stderr
        assert wait_for_run(ui, then, known)


def test_launch_of_an_unknown_job_names_those_that_there_are(pipeline: Pipeline, ui: str) -> None:
    done = pipeline.ecom("launch", "dance")
    assert done.returncode == 2
    assert "everyday" in done.stderr


def test_launch_exits_with_the_failure_of_its_run_and_people_are_told(
    pipeline: Pipeline, ui: str, receiver: Receiver, tmp_path: Path
) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("ops: {ecommerce__restores__database_shop: {config: {snapshot: nothing}}}")
    done = pipeline.ecom("launch", "verify_restore", "--config", str(config))
    assert done.returncode == 1
    assert "find the snapshot nothing" in done.stderr
    assert "database-shop content" not in done.stderr  # a mistyped id turns no check red
    assert "ecommerce: verify_restore failed" in wait_for_notice(receiver, "find the snapshot nothing")


def test_dagsters_own_launch_works_with_the_workspace_of_the_repository(pipeline: Pipeline, ui: str) -> None:
    known = ids(ui, "report")
    home = {"DAGSTER_HOME": str(pipeline.platform.dagster_home()), "ECOM_SPEC": str(pipeline.spec)}
    done = subprocess.run(
        [Path(sys.executable).with_name("dagster"), "job", "launch", "-w", "workspace.yaml", "-j", "report"],
        env={**os.environ, "ECOM_STATE": str(pipeline.settings.state), **home},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert wait_for_run(ui, "report", known)


def test_a_real_prometheus_has_data_for_every_panel_and_every_rule(pipeline: Pipeline, ui: str, tmp_path: Path) -> None:
    platform = pipeline.platform
    backend = pipeline.shop.service("backend")
    colour = platform.live_colour(backend)
    assert colour is not None
    targets = {
        "shop": [each.url.removeprefix("http://") for each in platform.instances(backend, colour)],
        "ecom-platform": [platform.dagster.metrics_address.removeprefix("http://")],
    }
    wanted = queries_of_everything(pipeline.shop.thresholds)
    lacking = set(wanted)

    def all_have_data() -> bool:
        with session(platform.address(pipeline.shop.front_door, "active"), seconds=20) as visitor:
            visitor.get("/api/products?limit=5")
        lacking.difference_update([each for each in lacking if prometheus.query(wanted[each])])
        return not lacking

    with running_prometheus(tmp_path, targets) as prometheus:
        try:
            wait_until(all_have_data, seconds=90, what="every panel and rule has data", every=1)
        except AssertionError as error:
            raise AssertionError(f"no data: {[f'{each}: {wanted[each]}' for each in sorted(lacking)]}") from error
        assert set(prometheus.rules().values()) == {"ok"}


def test_up_mends_what_was_killed(pipeline: Pipeline, ui: str) -> None:
    platform = LocalPlatform(pipeline.shop, pipeline.platform.layout.state)
    before = {each.name for each in platform.status()}
    platform.up(location=pipeline.settings)
    assert {each.name for each in platform.status() if each.state == "RUNNING"} == before
