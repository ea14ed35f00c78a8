"""The stage `drills`: a drill that did not pass is red, fails its run, and leaves no figure behind."""

import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from assets import drills as stage
from ecom_platform.errors import DeadlineExceeded, ProofFailed
from ecom_platform.platforms.protocol import Platform
from ecom_platform.records import Findings
from ecom_platform.recovery import checks, drills
from ecom_platform.recovery.drills import DRILLS, Drill, Progress
from ecom_platform.recovery.record import DrillRecord, judge_time
from ecom_platform.recovery.stopwatch import Lap
from ecom_platform.resources import Platforms
from ecom_platform.settings import EXAMPLE_SPEC, ROOT
from ecom_platform.spec import Shop
from ecom_platform.spec_file import read_spec, write_spec
from ecom_platform.verdicts import passed
from schedules import cron_table
from tests.recovery.conftest import Ground, small_shop

pytestmark = pytest.mark.timeout(900)  # a whole shop, made, lost and recovered

SHOP = read_spec(EXAMPLE_SPEC)


def record(seconds: float, budget: float = 60) -> DrillRecord:
    return DrillRecord("database-lost", "dropped-table", "1", (Lap("recovery", 0, seconds),), budget, 0.0, seconds)


def drill_with(result: DrillRecord | Exception) -> Drill:
    """The database drill with a recovery that took so long, or did not end."""

    def run(live: Platform, shop: Shop, variant: str, progress: Progress) -> tuple[Findings, DrillRecord]:
        if isinstance(result, Exception):
            raise result
        found = {name: [passed(text, "seen")] for name, text in checks.DATABASE_CHECKS.items()}
        return Findings({**found, "in_time": judge_time(result)}), result

    return replace(DRILLS[checks.DATABASE_LOST], run=run)


def rehearsed(drill: Drill, variant: str = "dropped-table") -> dg.ExecuteInProcessResult:
    asset = stage._asset(SHOP, drill)  # the factory of one drill
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [asset],
            instance=instance,
            resources={"platforms": Platforms(of=lambda _: None)},  # type: ignore[arg-type, return-value]
            run_config={"ops": {asset.op.name: {"config": {"variant": variant}}}},
            raise_on_error=False,
        )


def red(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    return {
        each.check_name: str(each.metadata["outcome"].value)
        for each in result.get_asset_check_evaluations()
        if not each.passed
    }


def test_a_drill_within_its_budget_leaves_its_figures() -> None:
    result = rehearsed(drill_with(record(4)))
    assert result.success
    (materialised,) = result.asset_materializations_for_node(result.job_def.nodes[0].name)
    assert materialised.metadata["rto_seconds"].value == 4
    assert materialised.metadata["rto_budget_seconds"].value == 60


def test_a_budget_of_one_second_fails_the_run() -> None:
    result = rehearsed(drill_with(record(4, budget=1)))
    assert not result.success
    assert red(result) == {"in_time": "failed"}


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (ProofFailed("recover the database shop", "no snapshot restores"), "failed"),
        (DeadlineExceeded("wait for 1 orders", "0 in 60 s"), "inconclusive"),
    ],
)
def test_a_drill_that_broke_off_turns_every_check(error: Exception, outcome: str) -> None:
    result = rehearsed(drill_with(error))
    assert not result.success
    assert set(red(result).values()) == {outcome}
    assert set(red(result)) == set(checks.DATABASE_CHECKS)


def test_a_mistyped_variant_says_nothing_about_the_shop() -> None:
    result = rehearsed(drill_with(record(4)), variant="meteorite")
    assert not result.success
    assert red(result) == {}


def test_scheduled_drills_take_their_variants_in_turn() -> None:
    drill, monday = DRILLS[checks.DATABASE_LOST], date(2026, 1, 5)
    weeks = [drill.variant_of(SHOP, monday + timedelta(weeks=week)) for week in range(len(drill.variants))]
    assert sorted(weeks) == sorted(drill.variants)


def test_drills_of_a_night_come_one_after_the_other() -> None:
    crons = [row.cron for row in cron_table.rows(SHOP) if row.job.startswith("drill_")]
    assert len(set(crons)) == len(crons) == len(drills.of(SHOP))
    assert cron_table.later("0 4 * * 0", 100) == "40 5 * * 0"
    assert cron_table.later("*/5 * * * *", 100) == "*/5 * * * *"


def test_in_a_cluster_a_servers_files_are_out_of_reach() -> None:
    cluster = read_spec(ROOT / "specs" / "ecommerce-kubernetes.yaml")
    assert DRILLS[checks.DATABASE_LOST].variants_for(cluster) == ("dropped-table", "deleted-rows")
    assert [each.name for each in drills.of(cluster)] == [checks.DATABASE_LOST]


def ecom(ground: Ground, folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    spec = folder / "shop.yaml"
    spec.write_text(write_spec(small_shop()), encoding="utf-8")
    argv = [sys.executable, "-m", "ecom_platform.cli", "--spec", str(spec), *arguments]
    environment = {"ECOM_STATE": str(ground.live.layout.state.parent / "verbs"), "PATH": "/usr/bin:/bin"}
    return subprocess.run(argv, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)


def test_the_verb_rehearses_and_leaves_nothing_behind(ground: Ground, tmp_path: Path) -> None:
    done = ecom(ground, tmp_path, "drill", "media-lost")
    assert done.returncode == 0, done.stderr
    assert "first good purchase" in done.stderr
    after = ecom(ground, tmp_path, "drill", "status")
    assert (after.returncode, after.stdout) == (0, "no drill goes on\n")
    assert "no drill" in ecom(ground, tmp_path, "drill", "abort").stdout
