"""The code location: it loads from nothing, its graph is a reviewed fact, no job is empty."""

import json
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from ecom_platform.definitions import build_defs
from ecom_platform.settings import EXAMPLE_SPEC, ROOT, Settings
from ecom_platform.spec_file import read_spec

GRAPH = Path(__file__).parent / "graph.json"


@pytest.fixture(scope="module")
def defs(tmp_path_factory: pytest.TempPathFactory) -> dg.Definitions:
    settings = Settings((EXAMPLE_SPEC,), "local", tmp_path_factory.mktemp("state"))
    return build_defs([read_spec(EXAMPLE_SPEC)], settings)


def test_the_code_location_loads(defs: dg.Definitions) -> None:
    dg.Definitions.validate_loadable(defs)  # raises what would keep Dagster from loading it
    repository = defs.get_repository_def()
    started = {each.job_name for each in repository.schedule_defs}
    assert started
    assert started <= {each.name for each in repository.get_all_jobs()}


def test_a_code_location_that_asks_for_what_nobody_hands_out_does_not_load() -> None:
    @dg.asset(required_resource_keys={"nowhere"})
    def asking() -> None: ...

    with pytest.raises(dg.DagsterInvalidDefinitionError, match="nowhere"):
        dg.Definitions.validate_loadable(dg.Definitions(assets=[asking]))


def test_the_graph_is_the_reviewed_one(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    seen = {
        "assets": {
            key.to_user_string(): sorted(each.to_user_string() for each in graph.get(key).parent_keys)
            for key in sorted(graph.get_all_asset_keys())
        },
        "checks": sorted(f"{each.asset_key.to_user_string()}:{each.name}" for each in graph.asset_check_keys),
        "jobs": sorted(each.name for each in defs.resolve_all_job_defs() if not each.name.startswith("__")),
        "schedules": {
            each.name: each.cron_schedule for each in defs.schedules or () if isinstance(each, dg.ScheduleDefinition)
        },
        "sensors": sorted(each.name for each in defs.sensors or ()),
    }
    assert seen == json.loads(GRAPH.read_text()), f"if this is meant, write to {GRAPH}:\n{json.dumps(seen, indent=2)}"


def test_no_job_is_empty(defs: dg.Definitions) -> None:
    for job in defs.resolve_all_job_defs():
        if not job.name.startswith("__"):
            assert job.graph.node_defs, job.name


def test_every_check_blocks(defs: dg.Definitions) -> None:
    graph = defs.resolve_asset_graph()
    assert [each for each in graph.asset_check_keys if not graph.get_check_spec(each).blocking] == []


def test_dumps_of_one_database_share_a_pool(defs: dg.Definitions) -> None:
    assert defs.resolve_assets_def(dg.AssetKey(["ecommerce", "backups", "database-shop"])).op.pool == (
        "ecommerce_database_shop"
    )


def test_definitions_load_with_an_empty_environment_and_without_opening_a_socket() -> None:
    program = (
        "import sys\n"
        "def refuse(event, details):\n"
        "    if event in ('socket.connect', 'socket.bind', 'socket.getaddrinfo'):\n"
        "        sys.exit(f'{event} at import: {details}')\n"
        "sys.addaudithook(refuse)\n"
        "from ecom_platform.definitions import defs\n"
        "print(len(list(defs().assets)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={}, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5


def test_two_shops_in_one_location_do_not_collide(tmp_path: Path) -> None:
    shop = read_spec(EXAMPLE_SPEC)
    other = shop.model_copy(update={"shop": "second"})
    both = build_defs([shop, other], Settings((EXAMPLE_SPEC,), "local", tmp_path))
    dg.Definitions.validate_loadable(both)
    names = {each.name for each in both.resolve_all_job_defs()}
    assert {"ecommerce_deploy", "second_deploy"} <= names


@pytest.mark.parametrize(("environment", "on"), [("local", False), ("staging", True), ("production", False)])
def test_a_schedule_runs_by_itself_only_where_its_row_says(tmp_path: Path, environment: str, *, on: bool) -> None:
    defs = build_defs([read_spec(EXAMPLE_SPEC)], Settings((EXAMPLE_SPEC,), environment, tmp_path))
    status = {each.name: each.default_status for each in defs.schedules or ()}
    assert (status["benchmark_schedule"] is dg.DefaultScheduleStatus.RUNNING) == on
    assert status["backup_schedule"] is dg.DefaultScheduleStatus.RUNNING
