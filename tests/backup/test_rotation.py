"""Every kept snapshot is proved once, and again within its period, and the work is spread. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_platform.backup.manifest import Proof
from ecom_platform.backup.rotation import Kept, due, kept_of, overdue
from ecom_platform.verdicts import Outcome
from tests.backup.samples import START, catalogue, entry

DAY = timedelta(days=1)
NOW = datetime(2026, 6, 1, 2, 30, tzinfo=UTC)
PERIOD = timedelta(days=30)


def kept(number: int, age_days: float | None = None) -> Kept:
    judged = None if age_days is None else NOW - timedelta(days=age_days)
    return Kept(f"{number:05}", "local", "database/shop", judged)


def choose(snapshots: list[Kept], now: datetime = NOW, within: timedelta = PERIOD) -> list[Kept]:
    return due(snapshots, now, within=within, every=DAY)


def test_what_was_never_proved_is_due_and_the_newest_of_it_first() -> None:
    assert [each.id for each in choose([kept(1), kept(3), kept(2, 0.5)])] == ["00003", "00001"]


def test_a_proof_that_would_grow_too_old_before_the_next_time_is_due() -> None:
    old, fresh = kept(1, 29.5), kept(2, 0.5)
    assert choose([old, fresh]) == [old]


def test_what_was_proved_since_the_last_time_is_not_due_again() -> None:
    assert choose([kept(1, 0.3), kept(2, 0.9)]) == []


def test_an_empty_store_has_nothing_due() -> None:
    assert choose([]) == []


@settings(max_examples=60, deadline=None)
@given(
    ages=st.lists(st.floats(0, 29), max_size=80),
    each_day=st.integers(0, 6),
    period=st.integers(2, 40),
)
def test_no_proof_ever_grows_older_than_the_period(ages: list[float], each_day: int, period: int) -> None:
    """Sixty days of daily runs, with new snapshots each day and the oldest removed after a while."""
    within = timedelta(days=period)
    snapshots = [kept(number, min(age, period - 1)) for number, age in enumerate(ages)]
    number = len(snapshots)
    for day in range(60):
        now = NOW + day * DAY
        snapshots += [kept(number + more) for more in range(each_day)]
        number += each_day
        chosen = set(choose(snapshots, now, within))
        snapshots = [replace(each, judged_at=now) if each in chosen else each for each in snapshots][-150:]
        assert overdue(snapshots, now + DAY, within=within) == []


@settings(max_examples=40, deadline=None)
@given(count=st.integers(1, 200), period=st.integers(2, 60))
def test_the_work_of_a_period_is_spread_over_its_days(count: int, period: int) -> None:
    """All proved on one day: no later day has more than its share, and each is proved within the period."""
    within = timedelta(days=period)
    snapshots = [Kept(f"{number:05}", "local", "folder/media", NOW) for number in range(count)]
    share = -(-count // (period - 1))
    for day in range(1, 3 * period):
        now = NOW + day * DAY
        chosen = set(choose(snapshots, now, within))
        assert len(chosen) <= share
        snapshots = [replace(each, judged_at=now) if each in chosen else each for each in snapshots]
        assert overdue(snapshots, now + DAY, within=within) == []


def test_only_a_conclusive_proof_counts() -> None:
    taken = entry(START)

    def proof(outcome: Outcome, day: int) -> Proof:
        at = START + timedelta(days=day)
        return Proof(snapshot=taken.manifest.id, manifest="", at=at, outcome=outcome, verification={})

    inconclusive = replace(taken, proofs=(proof(Outcome.INCONCLUSIVE, 3),))
    assert kept_of(catalogue([inconclusive]), "local")[0].judged_at is None
    both = replace(taken, proofs=(proof(Outcome.FAILED, 1), proof(Outcome.INCONCLUSIVE, 3)))
    assert kept_of(catalogue([both]), "local")[0].judged_at == START + timedelta(days=1)
