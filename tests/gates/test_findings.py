"""Findings against reasons: nothing is forgiven by accident, nothing stays forgiven for ever."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ecom_platform.verdicts import failed, inconclusive, passed
from gates.findings import Finding, Reason, exit_code, judge, verdicts
from gates.scan import reasons

WHY = "a sentence that somebody else can go and check"
ROOTED = Finding("scanner", "ROOT", "shop/values.yaml:Deployment.backend", "runs as root")


def reason(**changes: object) -> Reason:
    fields: dict[str, object] = {"tool": "scanner", "rules": ("ROOT",), "places": ("shop/*",), "reason": WHY}
    return Reason.model_validate({**fields, **changes})


def test_a_finding_with_a_reason_is_no_fault() -> None:
    judged = judge([ROOTED], [reason()])
    assert (judged.open, judged.stale) == ((), ())
    assert [each.outcome for each in verdicts("clean", judged, looked_at=9)] == ["passed"]


@pytest.mark.parametrize(
    "other", [{"tool": "another"}, {"rules": ("NET_RAW",)}, {"places": ("shop/values-basic.yaml:*",)}]
)
def test_a_reason_for_something_else_forgives_nothing_and_is_stale_itself(other: dict[str, object]) -> None:
    judged = judge([ROOTED], [reason(**other)])
    assert judged.open == (ROOTED,)
    assert len(judged.stale) == 1


def test_every_rule_and_every_place_of_a_reason_must_meet_a_finding() -> None:
    wide = reason(rules=("ROOT", "NET_RAW"), places=("shop/*", "platform/*"))
    assert set(judge([ROOTED], [wide]).stale) == {
        "scanner NET_RAW at shop/*",
        "scanner ROOT at platform/*",
        "scanner NET_RAW at platform/*",
    }


def test_a_scanner_that_saw_nothing_is_inconclusive() -> None:
    assert [each.outcome for each in verdicts("clean", judge([], []), looked_at=0)] == ["inconclusive"]


def test_every_open_finding_is_told_and_a_long_list_is_cut_with_its_length() -> None:
    many = [Finding("scanner", "ROOT", f"f:{number:03}", "x") for number in range(33)]
    told = verdicts("clean", judge(many, []), looked_at=33)
    assert {each.outcome for each in told} == {"failed"}
    assert told[-1].seen == "and 13 more"


@pytest.mark.parametrize("bad", [{"reason": "because"}, {"rules": ()}, {"places": ()}, {"until": "later"}])
def test_a_reason_that_says_nothing_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        reason(**bad)


NAMES = st.sampled_from(["A", "B", "C"])
FINDINGS = st.lists(st.builds(Finding, NAMES, NAMES, NAMES, st.just("text")), max_size=8)
REASONS = st.lists(
    st.builds(lambda tool, rule, place: reason(tool=tool, rules=(rule,), places=(place,)), NAMES, NAMES, NAMES),
    max_size=8,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no fault
@given(FINDINGS, REASONS)
def test_a_finding_is_open_exactly_if_no_reason_names_it(found: list[Finding], written: list[Reason]) -> None:
    known = {(each.tool, each.rules[0], each.places[0]) for each in written}
    seen = {(each.tool, each.rule, each.place) for each in found}
    judged = judge(found, written)
    assert {(each.tool, each.rule, each.place) for each in judged.open} == seen - known
    assert (judged.stale == ()) == (known <= seen)


def test_exit_codes() -> None:
    good, bad, open_ = passed("a", "b"), failed("a", "b"), inconclusive("a", "b")
    assert [exit_code(each) for each in ([good], [good, bad], [good, open_], [open_, bad], [])] == [0, 1, 3, 1, 3]


def test_the_projects_own_reasons_are_well_formed() -> None:
    assert len(reasons()) >= 5
