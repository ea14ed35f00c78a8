"""Rounds of two versions in turn, against real servers."""

from __future__ import annotations

import dataclasses

from ecom_platform.load.comparison import interleaved
from ecom_platform.load.plan import steady
from ecom_platform.load.results import LoadResult
from ecom_platform.load.rounds import Rounds, judge_rounds, run_rounds
from ecom_platform.verdicts import Outcome
from tests.load.runs import latencies, result
from tests.load.target import Target


def _with_p95(milliseconds: float) -> LoadResult:
    found = result()
    shop = dataclasses.replace(found.classes["GET /"], latency=latencies([milliseconds] * 1000))
    return dataclasses.replace(found, classes={"GET /": shop})


def _rounds(slowdown: float) -> Rounds:
    return Rounds(
        tuple(
            (arm, _with_p95((50 + place % 5) * (slowdown if arm == "B" else 1)))
            for place, arm in enumerate(interleaved(8))
        )
    )


def test_each_round_goes_to_its_own_version(target: Target) -> None:
    before = steady(f"{target.url}/slow/20", 300, 0.7)
    after = steady(f"{target.url}/slow/120", 300, 0.7)
    told: list[str] = []
    found = run_rounds(before, after, rounds=1, progress=lambda _done, _all, arm: told.append(arm))
    assert told == ["A", "B", "A'"]
    assert [each.target for _, each in found.rounds] == [before.target, after.target, before.target]
    assert found.p95_ms("B")[0] > 120
    assert judge_rounds(found, allowed=0.1).outcome is Outcome.INCONCLUSIVE


def test_a_slower_version_fails_and_the_same_version_passes() -> None:
    assert judge_rounds(_rounds(1.5), allowed=0.1).outcome is Outcome.FAILED
    assert judge_rounds(_rounds(1.0), allowed=0.1).outcome is Outcome.PASSED


def test_one_round_that_the_generator_did_not_keep_spoils_the_comparison() -> None:
    found = _rounds(1.0)
    spoiled = Rounds((*found.rounds[:-1], ("A'", result(late=500))))
    verdict = judge_rounds(spoiled, allowed=0.1)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "late" in verdict.seen


def test_no_rounds_and_rounds_without_answers_are_inconclusive() -> None:
    assert judge_rounds(Rounds(()), allowed=0.1).outcome is Outcome.INCONCLUSIVE
    empty = Rounds((("A", result(requests=0)), ("B", result(requests=0))))
    assert judge_rounds(empty, allowed=0.1).outcome is Outcome.INCONCLUSIVE
