"""The load gate's verdicts: what passes, what fails, and what proves nothing."""

from __future__ import annotations

import dataclasses

import pytest

from ecom_platform.load.judge import judge, judge_requests, why_behind
from ecom_platform.load.resources import Usage
from ecom_platform.load.results import LoadResult
from ecom_platform.spec import Load, Thresholds
from ecom_platform.verdicts import Outcome, Verdict, worst
from tests.load.runs import outcome, result

PASSED, FAILED, INCONCLUSIVE = Outcome.PASSED, Outcome.FAILED, Outcome.INCONCLUSIVE


def _judge(found: LoadResult) -> list[Verdict]:
    return judge(found, Thresholds(), Load())


def test_a_good_run_passes_every_limit() -> None:
    verdicts = _judge(result())
    assert [each.outcome for each in verdicts] == [PASSED] * 7
    assert all(each.numbers for each in verdicts)


def test_an_empty_run_is_inconclusive_in_every_claim() -> None:
    verdicts = _judge(result(requests=0))
    assert {each.outcome for each in verdicts} == {INCONCLUSIVE}


def test_too_few_requests_are_inconclusive() -> None:
    verdicts = judge_requests(result(requests=50), p95_ms=500, error_rate=0.01, requests_per_second=5)
    assert outcome(verdicts, "go wrong") is INCONCLUSIVE
    assert outcome(verdicts, "p95") is INCONCLUSIVE
    assert worst(verdicts) is INCONCLUSIVE


def test_the_spec_may_ask_for_more_requests_than_statistics_do() -> None:
    assert worst(judge(result(requests=1000), Thresholds(), Load(minimum_requests=2000))) is INCONCLUSIVE


def test_few_requests_that_all_fail_are_a_failure_all_the_same() -> None:
    found = result(requests=20, errors={"status_500": 20})
    assert outcome(_judge(found), "go wrong") is FAILED


def test_nothing_that_listens_fails_and_names_the_cause() -> None:
    found = result(errors={"refused": 1000}, examples={"refused": "Connection refused, connecting to 127.0.0.1:1"})
    reached = _judge(found)[0]
    assert reached.outcome is FAILED
    assert "Connection refused, connecting to 127.0.0.1:1" in reached.seen


def test_a_name_that_does_not_resolve_fails_and_names_the_cause() -> None:
    reached = _judge(result(requests=0, examples={"unresolved": "shop.invalid: Name or service not known"}))[0]
    assert reached.outcome is FAILED
    assert "shop.invalid" in reached.seen


@pytest.mark.parametrize(("errors", "expected"), [(9, PASSED), (10, FAILED), (11, FAILED)])
def test_errors_must_be_below_the_limit(errors: int, expected: Outcome) -> None:
    assert outcome(_judge(result(errors={"status_500": errors})), "go wrong") is expected


@pytest.mark.parametrize(("slow_share", "expected"), [(0.04, PASSED), (0.06, FAILED)])
def test_p95_must_be_below_the_limit(slow_share: float, expected: Outcome) -> None:
    assert outcome(_judge(result(slow_share=slow_share)), "p95") is expected


def test_errors_that_come_quickly_do_not_make_the_target_look_quick() -> None:
    # Of the right answers 8 % are slow; the 500 quick errors are not among the latencies.
    found = result(errors={"status_500": 500}, slow_share=0.08)
    assert outcome(_judge(found), "p95") is FAILED


def test_a_rate_that_was_not_held_fails() -> None:
    assert outcome(_judge(result(in_time=900)), "held") is FAILED


def test_a_schedule_that_asked_for_less_says_nothing_of_the_wanted_rate() -> None:
    verdicts = judge(result(), Thresholds(requests_per_second=500), Load())
    assert outcome(verdicts, "held") is INCONCLUSIVE


@pytest.mark.parametrize(
    "found",
    [
        result(planned=2000),
        result(late=100, lag_ms=300),
        result(late=5, lag_ms=1500),
        result(crowded=100),
        dataclasses.replace(result(), generator_cpu=(0.2, 0.99)),
        result(faults=("worker 1: killed by signal 9",)),
    ],
    ids=["never started", "late", "a hole", "no free connection", "a busy process", "a dead worker"],
)
def test_a_generator_that_fell_behind_proves_nothing_good(found: LoadResult) -> None:
    verdicts = _judge(found)
    assert why_behind(found)
    for words in ("kept its schedule", "go wrong", "p95", "held"):
        assert outcome(verdicts, words) is INCONCLUSIVE
    assert worst(verdicts) is INCONCLUSIVE


def test_a_generator_behind_does_not_hide_a_target_that_is_slow_by_itself() -> None:
    own_doing = result(late=100, slow_share=0.1, service_slow_ms=20)
    assert outcome(_judge(own_doing), "p95") is INCONCLUSIVE
    targets_doing = result(late=100, slow_share=0.1, service_slow_ms=900)
    assert outcome(_judge(targets_doing), "p95") is FAILED


def test_a_generator_behind_does_not_hide_errors() -> None:
    assert outcome(_judge(result(late=100, errors={"status_500": 300})), "go wrong") is FAILED


def test_a_busy_machine_fails_and_one_that_was_not_measured_is_inconclusive() -> None:
    busy = _judge(result(usage=(Usage(1, 0.9, 0.3), Usage(2, 0.8, 0.3))))
    assert outcome(busy, "cpu use") is FAILED
    assert outcome(busy, "memory use") is PASSED
    unseen = _judge(result(usage=()))
    assert outcome(unseen, "cpu use") is INCONCLUSIVE
    assert worst(unseen) is INCONCLUSIVE
