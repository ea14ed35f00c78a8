"""The write ledger is exact: every order in one place, whatever was lost, doubled or invented."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_platform.errors import PermanentError
from ecom_platform.recovery import ledger_file
from ecom_platform.recovery.ledger import Attempt, Moments, Reconciliation, judge, lost_seconds, reconcile
from ecom_platform.verdicts import Outcome, Verdict, worst

MOMENTS = Moments(fault=20.0, stopped=22.0, back=30.0, saved=10.0)
ATTEMPTS = [Attempt(n, f"k{n}", float(n), n + 0.1, 100 + n) for n in range(40)]


def database(without: Sequence[int] = ()) -> dict[str, list[int]]:
    return {each.key: [100 + each.number] for each in ATTEMPTS if each.number not in without}


def said(found: Reconciliation, budget: float = 60.0) -> dict[str, Verdict]:
    return {each.claim: each for each in judge(found, MOMENTS, budget)}


@st.composite
def dramas(draw: st.DrawFn) -> tuple[list[Attempt], Mapping[str, list[int]], set[str]]:
    """Attempts, what the database holds, and the keys that are really lost."""
    attempts, found, lost = [], dict[str, list[int]](), set[str]()
    for number in range(draw(st.integers(0, 30))):
        key, answered = f"k{number}", draw(st.booleans())
        attempts.append(Attempt(number, key, float(number), number + 0.5 if answered else None, number))
        copies = draw(st.integers(0, 2))
        if copies:
            found[key] = [number] * copies
        elif answered:
            lost.add(key)
    for number in range(draw(st.integers(0, 3))):
        found[f"strange{number}"] = [number]
    return attempts, found, lost


@given(dramas())
def test_every_order_is_in_exactly_one_place(drama: tuple[list[Attempt], Mapping[str, list[int]], set[str]]) -> None:
    attempts, held, lost = drama
    found = reconcile(attempts, held)
    places = [found.kept, found.lost, found.unanswered_kept, found.unanswered_gone]
    assert sorted(each.number for place in places for each in place) == [each.number for each in attempts]
    assert {each.key for each in found.lost} == lost
    assert set(found.twice) == {key for key, orders in held.items() if len(orders) > 1}
    assert set(found.strange) == {key for key in held if key.startswith("strange")}
    assert all(each.acknowledged is not None and held.get(each.key) for each in found.kept)
    assert all(each.acknowledged is None and held.get(each.key) for each in found.unanswered_kept)


@given(st.sets(st.integers(0, 39)))
def test_only_what_came_between_the_snapshot_and_the_stop_may_be_lost(gone: set[int]) -> None:
    found = reconcile(ATTEMPTS, database(without=sorted(gone)))
    allowed = all(n + 0.1 >= 10 and n < 30 for n in gone)
    judged = said(found)
    passes = [
        judged["no order from before the snapshot is lost"].passed,
        judged["no order from after the recovery is lost"].passed,
    ]
    assert all(passes) == allowed


def test_nothing_lost_is_a_recovery_point_of_nothing() -> None:
    found = reconcile(ATTEMPTS, database())
    assert worst(judge(found, MOMENTS, 60)) is Outcome.PASSED
    assert lost_seconds(found, MOMENTS) == 0


def test_the_recovery_point_counts_from_the_first_lost_order_to_the_stop() -> None:
    found = reconcile(ATTEMPTS, database(without=range(12, 22)))
    assert lost_seconds(found, MOMENTS) == pytest.approx(22.0 - 12.1)
    assert said(found)["10 of 40 acknowledged orders are lost"].passed
    assert not said(found, budget=5)["10 of 40 acknowledged orders are lost"].passed


def test_a_ledger_with_a_missing_order_is_red() -> None:
    verdict = said(reconcile(ATTEMPTS, database(without=[4])))["no order from before the snapshot is lost"]
    assert verdict.outcome is Outcome.FAILED
    assert verdict.seen == "k4"


def test_an_order_that_is_there_twice_and_one_that_nobody_placed_are_red() -> None:
    held = {**database(), "k3": [103, 903], "k99": [99]}
    judged = said(reconcile(ATTEMPTS, held))
    assert judged["no order is there twice"].seen == "k3"
    assert not judged["every order of this drill in the database was begun by it"].passed


def test_an_order_under_another_number_is_red() -> None:
    judged = said(reconcile(ATTEMPTS, {**database(), "k5": [7]}))
    assert not judged["every order has the number that was acknowledged"].passed


def test_a_shop_that_took_no_order_before_the_fault_proves_nothing() -> None:
    quiet = [Attempt(n, f"k{n}", 40.0 + n, 40.5 + n, n) for n in range(9)]
    found = reconcile(quiet, {each.key: [each.number] for each in quiet})
    assert worst(judge(found, MOMENTS, 60)) is Outcome.INCONCLUSIVE
    assert worst(judge(reconcile([], {}), MOMENTS, 60)) is Outcome.INCONCLUSIVE


def test_a_ledger_is_read_as_it_was_written_up_to_a_line_that_was_cut(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    with ledger_file.opened(path) as ledger:
        for each in ATTEMPTS[:3]:
            ledger.begun(each)
        ledger.acknowledged(ATTEMPTS[1])
    with path.open("ab") as file:
        file.write(b'{"number": 2, "acknow')
    assert [each.acknowledged for each in ledger_file.read(path)] == [None, 1.1, None]


def test_a_ledger_that_was_damaged_in_its_middle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    path.write_bytes(b'{"number": 1, "key": "k1", "began": 0}\n{"numb\n{"number": 2, "key": "k2", "began": 1}\n')
    with pytest.raises(PermanentError, match="line 2"):
        ledger_file.read(path)
