"""The judge itself: nothing measured is not a pass, and the worst verdict wins."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_platform.verdicts import (
    Outcome,
    Verdict,
    at_least,
    at_most,
    equal,
    failed,
    inconclusive,
    passed,
    worst,
)

OUTCOMES = st.sampled_from(list(Outcome))


def test_nothing_at_all_is_inconclusive() -> None:
    assert worst([]) is Outcome.INCONCLUSIVE


@given(st.lists(OUTCOMES, min_size=1))
def test_failed_beats_inconclusive_beats_passed(outcomes: list[Outcome]) -> None:
    found = worst([Verdict("claim", each, "seen") for each in outcomes])
    order = [Outcome.PASSED, Outcome.INCONCLUSIVE, Outcome.FAILED]
    assert found is max(outcomes, key=order.index)


@pytest.mark.parametrize("observed", [None, math.nan])
def test_an_unmeasured_value_is_inconclusive(observed: float | None) -> None:
    assert at_most("p95", observed, 500).outcome is Outcome.INCONCLUSIVE
    assert at_least("rate", observed, 100).outcome is Outcome.INCONCLUSIVE


def test_too_few_samples_are_inconclusive_and_say_how_many_are_needed() -> None:
    verdict = at_most("p95", 10, 500, unit="ms", samples=7, minimum=200)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "7 samples, this claim needs 200" in verdict.seen


@given(st.floats(allow_nan=False, allow_infinity=False), st.floats(allow_nan=False, allow_infinity=False))
def test_a_limit_is_kept_or_broken_exactly(observed: float, limit: float) -> None:
    assert at_most("x", observed, limit).passed == (observed <= limit)
    assert at_least("x", observed, limit).passed == (observed >= limit)


def test_a_verdict_says_what_was_expected_and_what_was_seen() -> None:
    assert str(equal("rows", 5, 4)) == "failed: rows (expected 5, saw 4)"
    assert equal("rows", 5, 5).passed


def test_exit_codes_are_those_that_scripts_rely_on() -> None:
    codes = [each.outcome.exit_code for each in (passed("a", ""), failed("a", ""), inconclusive("a", ""))]
    assert codes == [0, 1, 3]
