"""A release of the example shop as a run: its checks, what it leaves behind, and what a deployment does afterwards."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from ecom_platform.release.findings import CHECKS
from ecom_platform.release.state import read_state
from tests.pipeline.conftest import Pipeline, Ran

RELEASE = "ecommerce__releases__release"
KEY = dg.AssetKey(["ecommerce", "releases", "release"])


def release(pipeline: Pipeline, version: str) -> Ran:
    config: dict[str, object] = {"ops": {RELEASE: {"config": {"version": version, "by": "a test"}}}}
    return pipeline.run("release", config=config)


def control(pipeline: Pipeline, action: str) -> Ran:
    return pipeline.run("release_control", config={"ops": {"control_release": {"config": {"action": action}}}})


def versions(pipeline: Pipeline) -> set[str]:
    found = set()
    for service in pipeline.shop.services:
        colour = pipeline.platform.live_colour(service)
        assert colour is not None
        found |= {each.version for each in pipeline.platform.instances(service, colour)}
    return found


@pytest.fixture(scope="module")
def released(pipeline: Pipeline) -> Ran:
    assert pipeline.run("deploy").success
    assert pipeline.run("backup").success
    # The newest alone: other tests of this shop leave damaged snapshots, which the rotation finds.
    assert pipeline.run("verify_restore", assets=["restores/database-shop"]).success
    return release(pipeline, "1.1.0")


def test_every_claim_of_a_release_is_proved_and_its_figures_are_kept(pipeline: Pipeline, released: Ran) -> None:
    assert released.red() == {}
    assert released.success
    assert {each.check_name for each in released.result.get_asset_check_evaluations()} == set(CHECKS)
    event = pipeline.instance.get_latest_materialization_event(KEY)
    assert event is not None
    assert event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    assert metadata["version"].value == "1.1.0"
    assert metadata["cut_over_lost"].value == 0
    assert "| watch | passed |" in str(metadata["timeline"].value)


@pytest.mark.usefixtures("released")
def test_a_deployment_and_a_validation_stay_with_the_released_version(pipeline: Pipeline) -> None:
    assert pipeline.run("deploy").success
    assert versions(pipeline) == {"1.1.0"}
    assert pipeline.run("validate").red() == {}


@pytest.mark.usefixtures("released")
def test_the_page_of_evidence_shows_the_release(pipeline: Pipeline) -> None:
    assert pipeline.run("report").success
    page = (Path(pipeline.platform.reports()) / "evidence.html").read_text(encoding="utf-8")
    assert "1.1.0 is live for good" in page
    assert "Releases" in page


@pytest.mark.usefixtures("released")
def test_a_release_that_is_refused_leaves_the_evidence_of_the_one_before(pipeline: Pipeline) -> None:
    again = release(pipeline, "1.1.0")
    assert not again.success
    assert again.red() == {}


@pytest.mark.usefixtures("released")
def test_a_rollback_is_a_run_that_notes_itself_on_the_asset(pipeline: Pipeline) -> None:
    assert control(pipeline, "rollback").success
    assert versions(pipeline) == {"1.0.0"}
    state = read_state(pipeline.platform)
    assert state.live is not None
    assert set(state.live.definition.versions().values()) == {"1.0.0"}
    noted = pipeline.instance.fetch_observations(KEY, limit=1).records[0].asset_observation
    assert noted is not None
    assert noted.metadata["phase"].value == "rolled back"
    assert not control(pipeline, "contract").success
