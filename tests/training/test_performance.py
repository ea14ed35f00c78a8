"""The performance training: only who measured the target, below its limit and beyond, and told it right, passes."""

from __future__ import annotations

from pathlib import Path

import psutil
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from ecom_platform.cli.main import ecom
from ecom_platform.clients import processes
from ecom_platform.clients.limited_server import MARK, Limit
from ecom_platform.settings import EXAMPLE_SPEC
from ecom_platform.spec_file import read_spec
from ecom_platform.training import performance
from ecom_platform.training.scene import Scene
from ecom_platform.verdicts import Outcome, Verdict, worst

MEASURED = [[40, 0]] * 5 + [[50, 30]] * 3


@given(st.integers(40, 90), st.floats(0.2, 3))
def test_a_rate_within_the_limit_is_answered_whole_and_one_beyond_is_refused_in_part(limit: int, share: float) -> None:
    target = Limit(limit, 0.0)
    seconds = 10
    requests = int(limit * share * seconds)
    refused = sum(not target.admit(number * seconds / requests) for number in range(requests))
    assert refused == 0 if share <= 1 else refused >= requests - (limit + 1) * seconds - limit


def test_each_thing_that_is_missing_fails_alone() -> None:
    def failed(counts: list[list[int]], said: str | None) -> list[str]:
        return [each.claim for each in performance.judge(counts, said, 50) if each.outcome is Outcome.FAILED]

    assert failed(MEASURED, "50") == failed(MEASURED, "42") == []
    assert failed(MEASURED, "30") == failed(MEASURED, "80") == failed(MEASURED, None) == failed(MEASURED, "fifty")
    assert failed(MEASURED, "nan") == failed(MEASURED, "30")
    assert len(failed(MEASURED, "30")) == 1
    assert failed([], "50") == [
        "the target was measured", "it was measured within its limit", "it was measured beyond its limit",
    ]  # fmt: skip
    assert failed([[40, 0]] * 5, "50") == ["it was measured beyond its limit"]
    assert failed([[50, 30]] * 5, "50") == ["it was measured within its limit"]


def test_a_target_that_does_not_answer_is_inconclusive() -> None:
    assert worst(performance.judge(None, "50", 50)) is Outcome.INCONCLUSIVE


def test_the_judge_does_not_tell_the_answer() -> None:
    for said in (None, "30", "80", "fifty"):
        assert not any("57" in each.seen for each in performance.judge(MEASURED, said, 57))


def test_a_real_target_is_measured_with_bench_and_is_gone_afterwards(tmp_path: Path) -> None:
    shop = read_spec(EXAMPLE_SPEC)
    scene = Scene("performance-testing", tmp_path / "scene")

    def remove(folder: Path) -> None:
        performance.remove(shop, folder)

    def look() -> list[Verdict]:
        return performance.look(shop, scene.folder, scene.facts())

    scene.start(lambda folder: performance.start_target(folder, 50, print), remove)
    try:
        assert worst(look()) is Outcome.FAILED
        (scene.folder / performance.ANSWER).write_text("50\n")
        assert worst(look()) is Outcome.FAILED, "a guess, although it is right"

        address = scene.facts()["address"]
        for rate in ("25", "120"):
            CliRunner().invoke(ecom, ["bench", "--target", f"{address}/", "--rate", rate, "--duration", "3s", "--json"])
        (scene.folder / performance.ANSWER).write_text("120\n")
        assert worst(look()) is Outcome.FAILED, "the rate that was refused"
        (scene.folder / performance.ANSWER).write_text("47\n")
        assert worst(look()) is Outcome.PASSED, look()

        targets = _targets(scene.folder)
        assert len(targets) == 1
        targets[0].kill()
        targets[0].wait(10)
        assert worst(look()) is Outcome.INCONCLUSIVE
    finally:
        scene.end(remove)
    assert _targets(scene.folder) == []
    assert not scene.is_set
    scene.end(remove)


def test_ending_finds_a_target_whose_start_was_killed(tmp_path: Path) -> None:
    performance.start_target(tmp_path, 50, print)
    assert len(_targets(tmp_path)) == 1
    performance.remove(read_spec(EXAMPLE_SPEC), tmp_path)
    assert _targets(tmp_path) == []


def _targets(folder: Path) -> list[psutil.Process]:
    return processes.find(lambda each: processes.has_environment(each, MARK, str(folder.resolve())))
