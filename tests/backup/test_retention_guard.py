"""What must not be removed stays, whatever the policy says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_platform.backup.catalogue_reading import Catalogue, Entry, Problem
from ecom_platform.backup.manifest import Removal, Status
from ecom_platform.backup.retention_guard import Guarded, Limits, guarded_plan
from ecom_platform.backup.retention_policy import read_policy
from tests.backup.samples import SOURCE, START, catalogue, entry

ALL_AT_ONCE = Limits(share=1.0)
NOW = START + timedelta(days=300)


def judge(of: Catalogue, rules: dict[str, object], limits: Limits = ALL_AT_ONCE, now: datetime = NOW) -> Guarded:
    return guarded_plan(of, SOURCE, read_policy(rules, "the test"), now, limits)


def daily(*states: Status) -> list[Entry]:
    """One snapshot a day, oldest first."""
    return [entry(START + timedelta(days=day), status) for day, status in enumerate(states)]


def removed(plan: Guarded) -> list[str]:
    return [each.manifest.id for each, _ in plan.remove]


def ids(entries: Sequence[Entry]) -> list[str]:
    return [each.manifest.id for each in entries]


def reasons(plan: Guarded, of: Entry) -> tuple[str, ...]:
    return {each.manifest.id: why for each, why in plan.keep}[of.manifest.id]


def test_what_no_rule_keeps_and_a_newer_proof_replaces_is_removed() -> None:
    entries = daily(Status.PROVED, Status.STORED, Status.FAILED, Status.PROVED)
    plan = judge(catalogue(entries), {"keep-last": 1})
    assert removed(plan) == ids(entries[2::-1])
    assert plan.refused == ()


def test_the_last_proved_snapshot_stays_whatever_the_rules_say() -> None:
    entries = daily(Status.PROVED, Status.PROVED, Status.STORED, Status.FAILED)
    plan = judge(catalogue(entries), {"keep-last": 1})
    assert removed(plan) == ids(entries[:1])
    assert reasons(plan, entries[1]) == ("it is the last proved snapshot",)


def test_nothing_goes_while_no_newer_snapshot_is_proved() -> None:
    entries = daily(Status.STORED, Status.STORED, Status.FAILED)
    plan = judge(catalogue(entries), {"keep-last": 1})
    assert removed(plan) == []
    assert reasons(plan, entries[0]) == ("no newer snapshot is proved",)


def test_an_expired_snapshot_is_no_proof_for_others() -> None:
    entries = daily(Status.STORED, Status.STORED, Status.EXPIRED)
    assert removed(judge(catalogue(entries), {"keep-last": 1})) == []


def test_a_held_snapshot_stays() -> None:
    entries = daily(Status.PROVED, Status.PROVED)
    held = entry(START - timedelta(days=1), held="the auditor wants it")
    plan = judge(catalogue([held, *entries]), {"keep-last": 1})
    assert removed(plan) == ids(entries[:1])
    assert reasons(plan, held) == ("held by somebody: the auditor wants it",)


def test_a_snapshot_that_the_store_keeps_locked_stays() -> None:
    entries = daily(Status.PROVED, Status.PROVED, Status.PROVED)
    now = START + timedelta(days=2, hours=1)
    plan = judge(catalogue(entries), {"keep-last": 1}, Limits(share=1.0, lock=timedelta(days=2)), now)
    assert removed(plan) == ids(entries[:1])
    assert "locked until 2026-03-04 06:01" in reasons(plan, entries[1])[0]


def test_nothing_goes_while_the_catalogue_has_a_problem() -> None:
    plan = judge(catalogue(daily(*[Status.PROVED] * 4), [Problem("x", "it is missing")]), {"keep-last": 1})
    assert removed(plan) == []
    assert plan.refused == ("the catalogue cannot be trusted whole: x: it is missing",)


def test_nothing_goes_when_the_clock_went_backwards() -> None:
    entries = daily(*[Status.PROVED] * 4)
    plan = judge(catalogue(entries), {"keep-last": 1}, now=START + timedelta(days=2))
    assert removed(plan) == []
    assert "the clock went backwards" in plan.refused[0]


def test_nothing_goes_when_a_removal_is_of_the_future() -> None:
    entries = daily(*[Status.PROVED] * 3)
    removal = Removal(
        snapshot="earlier", at=NOW + timedelta(days=1), snapshot_at=START, manifest="", reasons=(), by="test"
    )
    plan = judge(catalogue(entries, removals=[removal]), {"keep-last": 1})
    assert removed(plan) == []
    assert "the clock went backwards" in plan.refused[0]


def test_nothing_goes_when_times_contradict_the_order_of_taking() -> None:
    entries = daily(*[Status.PROVED] * 3)
    jumped = entries[1].manifest.model_copy(update={"snapshot_at": START - timedelta(days=400)})
    plan = judge(catalogue([entries[0], replace(entries[1], manifest=jumped), entries[2]]), {"keep-last": 1})
    assert removed(plan) == []
    assert "the clock jumped" in plan.refused[0]


def test_nothing_goes_when_too_many_would_go_at_once() -> None:
    entries = daily(*[Status.PROVED] * 10)
    plan = judge(catalogue(entries), {"keep-last": 4}, Limits(share=0.5))
    assert removed(plan) == []
    assert plan.refused == ("6 of 10 would go at once, more than 50%",)
    assert len(removed(judge(catalogue(entries), {"keep-last": 5}, Limits(share=0.5)))) == 5


def test_an_empty_policy_removes_nothing() -> None:
    assert removed(judge(catalogue(daily(*[Status.PROVED] * 3)), {})) == []


def test_a_person_who_checked_the_clock_and_the_number_may_say_so() -> None:
    entries = daily(*[Status.PROVED] * 10)
    limits = Limits(share=1.0, trust_clock=True)
    plan = judge(catalogue(entries), {"keep-last": 1}, limits, now=START + timedelta(days=2))
    assert removed(plan) == ids(entries[8::-1])


def test_other_sources_are_not_judged() -> None:
    other = [
        replace(each, manifest=each.manifest.model_copy(update={"source": "database/other"}))
        for each in daily(*[Status.PROVED] * 3)
    ]
    plan = judge(catalogue([*other, *daily(Status.PROVED)]), {"keep-last": 1})
    assert (len(plan.keep), len(plan.remove)) == (1, 0)


STATES = st.lists(st.sampled_from([each for each in Status if each is not Status.EXPIRED]), min_size=1, max_size=25)
RULES = st.fixed_dictionaries(
    {},
    optional={
        "keep-last": st.integers(0, 3),
        "keep-daily": st.integers(0, 5),
        "keep-within": st.sampled_from(["1h", "3d"]),
    },
)


@settings(max_examples=300, deadline=None)
@given(STATES, RULES, st.sampled_from([0.2, 0.5, 1.0]))
def test_no_plan_ever_worsens_what_can_be_restored(
    states: list[Status], rules: dict[str, object], share: float
) -> None:
    entries = daily(*states)
    plan = judge(catalogue(entries), rules, Limits(share=share))
    gone = set(removed(plan))
    assert sorted([*gone, *(each.manifest.id for each, _ in plan.keep)]) == ids(entries)
    left = [each for each in entries if each.manifest.id not in gone]
    proved = [each.manifest.id for each in entries if each.status is Status.PROVED]
    assert left[-1:] == entries[-1:] or proved, "the newest goes only if a newer one is proved, which cannot be"
    assert [each.manifest.id for each in left if each.status is Status.PROVED][-1:] == proved[-1:]
    assert all(each < proved[-1] for each in gone) if proved else not gone
    assert len(gone) <= share * len(entries)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_small_catalogue_is_never_emptied(count: int) -> None:
    entries = daily(*[Status.PROVED] * count)
    assert len(judge(catalogue(entries), {"keep-tag": [["none has it"]]}).keep) >= 1
