"""Dagster on the local platform: its parts come up, survive a kill, and no dead run stays in progress."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ecom_platform.clients.dagster_api import DagsterApi
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.settings import Settings
from ecom_platform.spec_file import read_spec
from tests.platforms.conftest import SERVICE, remains, state_folder
from tests.waiting import wait_until

SPEC = {
    "shop": "runs",
    "services": [{"name": "web", "front_door": True}],
    "databases": [
        {"name": "data", "managed": True, "tasks": {"expand": ["python", "-c", "import time; time.sleep(120)"]}}
    ],
    "stores": {"near": {"url": "file:backups"}},
    "encryption": {"managed": True},
    "leave_out": ["validations", "backups", "restores", "benchmarks", "releases", "drills", "reports"],
}


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    with state_folder() as folder:
        services = [{"name": "web", "front_door": True, "command": ["python", SERVICE]}]
        spec = folder / "spec.yaml"
        spec.write_text(yaml.safe_dump({**SPEC, "services": services}))
        yield Settings(specs=(spec,), environment="local", state=folder / "state")


@pytest.fixture(scope="module")
def platform(settings: Settings) -> Iterator[LocalPlatform]:
    platform = LocalPlatform(read_spec(settings.specs[0]), settings.state / "runs")
    try:
        platform.up(location=settings)
        yield platform
    finally:
        platform.down()
    assert remains(platform) == []


def status(platform: LocalPlatform, run: str) -> str:
    return DagsterApi(platform.dagster.address).follow(run, None).status


def begun(platform: LocalPlatform, job: str) -> str:
    """The id of a run of that job that executes."""
    run = DagsterApi(platform.dagster.address).launch(job, config={}, tags={})
    wait_until(lambda: status(platform, run) == "STARTED", seconds=60, what="the run executes")
    return run


def test_the_webserver_shows_the_code_and_every_daemon_beats(platform: LocalPlatform) -> None:
    assert platform.webserver() == platform.dagster.address
    alive = {each.name for each in platform.status() if each.alive}
    assert {"webserver", "daemon", "code-location"} <= alive


@pytest.mark.parametrize("name", ["code-location", "daemon", "webserver"])
def test_a_killed_part_of_dagster_comes_back(platform: LocalPlatform, settings: Settings, name: str) -> None:
    number = next(each.pid for each in platform.status() if each.name == name)
    assert number is not None
    os.kill(number, signal.SIGKILL)
    wait_until(
        lambda: next(each.pid for each in platform.status() if each.name == name) not in (None, number),
        seconds=20,
        what="it is begun anew",
    )
    platform.up(location=settings)
    assert platform.webserver()


def test_a_run_whose_process_went_with_the_platform_is_failed_by_the_next_up(
    platform: LocalPlatform, settings: Settings
) -> None:
    run = begun(platform, "deploy")
    platform.down()
    assert remains(platform) == []
    platform.up(location=settings)
    wait_until(lambda: status(platform, run) == "FAILURE", seconds=60, what="the dead run is failed")


def test_a_changed_spec_is_loaded_by_the_next_up(platform: LocalPlatform, settings: Settings) -> None:
    content = yaml.safe_load(settings.specs[0].read_text())
    settings.specs[0].write_text(yaml.safe_dump({**content, "leave_out": content["leave_out"][1:]}))
    before = {each.name: each.pid for each in platform.status()}
    platform.up(location=settings)
    after = {each.name: each.pid for each in platform.status()}
    assert {name for name in after if after[name] != before[name]} == {"code-location", "metrics"}
    run = DagsterApi(platform.dagster.address).launch("validate", config={}, tags={})
    assert run


def test_a_home_is_written_without_a_platform_that_is_up(tmp_path: Path, platform: LocalPlatform) -> None:
    home = LocalPlatform(platform.shop, tmp_path / "state").dagster_home()
    assert yaml.safe_load((home / "dagster.yaml").read_text())["freshness"] == {"enabled": True}
