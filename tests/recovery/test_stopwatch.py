"""The stopwatch and the judgement of a record: over budget is failed, not measured is inconclusive."""

from dataclasses import replace

import pytest

from ecom_platform.recovery.choice import Candidate, newest_whole
from ecom_platform.recovery.record import DrillRecord, judge_time
from ecom_platform.recovery.stopwatch import Lap, Stopwatch
from ecom_platform.verdicts import Outcome, worst

RECORD = DrillRecord(
    drill="database-lost",
    variant="dropped-table",
    drill_id="1",
    laps=(Lap("steady", 0, 5), Lap("fault", 5, 6), Lap("recovery", 6, 9)),
    rto_budget_seconds=60,
    rto_seconds=4.0,
)


def ticking(*moments: float) -> Stopwatch:
    times = iter((0.0, *moments))
    return Stopwatch(clock=lambda: next(times))


def test_each_phase_has_its_beginning_and_its_end() -> None:
    watch = ticking(1, 3, 4, 8)
    with watch.phase("fault"):
        pass
    with watch.phase("recovery"):
        pass
    assert watch.laps == [Lap("fault", 1, 3), Lap("recovery", 4, 8)]


def test_what_goes_on_is_told_before_it_is_done() -> None:
    told: list[str] = []
    watch = Stopwatch(lambda laps: told.append(f"{laps[-1].phase} {laps[-1].ended is None}"))
    with watch.phase("fault"):
        assert told == ["fault True"]
    assert told == ["fault True", "fault False"]


def test_a_phase_that_broke_off_has_no_time() -> None:
    watch = Stopwatch()
    with pytest.raises(RuntimeError), watch.phase("recovery"):
        raise RuntimeError
    assert watch.laps[0].seconds is None


def test_phases_come_in_their_order() -> None:
    watch = Stopwatch()
    with watch.phase("recovery"):
        pass
    with pytest.raises(ValueError, match="cannot follow"), watch.phase("fault"):
        pass


def test_within_the_budget_passes_and_over_it_fails() -> None:
    assert worst(judge_time(RECORD)) is Outcome.PASSED
    assert worst(judge_time(replace(RECORD, rto_budget_seconds=1))) is Outcome.FAILED


def test_a_time_that_nobody_measured_is_inconclusive() -> None:
    assert worst(judge_time(replace(RECORD, rto_seconds=None))) is Outcome.INCONCLUSIVE
    assert worst(judge_time(replace(RECORD, laps=RECORD.laps[:2]))) is Outcome.INCONCLUSIVE


def test_a_phase_without_an_end_fails() -> None:
    assert worst(judge_time(replace(RECORD, laps=(*RECORD.laps, Lap("validation", 9))))) is Outcome.FAILED


def test_a_figure_that_was_not_measured_is_not_in_the_metadata() -> None:
    metadata = replace(RECORD, rto_seconds=None).to_metadata()
    assert "rto_seconds" not in metadata
    assert metadata["recovery_seconds"] == 3


GROWING = ["public.orders", "public.customers"]


def snapshot(name: str, **rows: int) -> Candidate:
    return Candidate(name, {f"public.{table}": count for table, count in rows.items()})


def test_the_newest_snapshot_before_the_damage_is_found_by_its_content() -> None:
    found = newest_whole(
        [
            snapshot("1", orders=10, customers=5, carts=7),
            snapshot("2", orders=12, customers=5, carts=0),
            snapshot("3", orders=0, customers=6, carts=9),
            snapshot("4", orders=3, customers=6),
        ],
        GROWING,
    )
    assert found.chosen == "2"
    assert found.passed_over == {
        "4": "public.orders has 3 rows, an older snapshot has 12",
        "3": "public.orders has 0 rows, an older snapshot has 12",
    }


def test_what_was_taken_after_a_recovery_is_not_measured_by_the_damage() -> None:
    after_recovery = snapshot("3", orders=13, customers=5)
    damaged = snapshot("2", orders=0, customers=9)  # its customers are more than the recovered shop has
    assert newest_whole([snapshot("1", orders=12, customers=5), damaged, after_recovery], GROWING).chosen == "3"


def test_a_snapshot_without_the_table_holds_the_damage_too() -> None:
    assert newest_whole([snapshot("1", orders=1), snapshot("2", customers=1)], GROWING).chosen == "1"


def test_a_deletion_that_later_rows_outnumber_is_not_seen() -> None:
    """The limit of counting, as the document tells it: 12 rows deleted, 13 added, and the snapshot looks whole."""
    assert newest_whole([snapshot("1", orders=12), snapshot("2", orders=13)], GROWING).chosen == "2"


def test_a_table_that_may_shrink_says_nothing() -> None:
    assert newest_whole([snapshot("1", carts=10), snapshot("2", carts=0)], GROWING).chosen == "2"


def test_nothing_is_chosen_from_nothing() -> None:
    assert newest_whole([], GROWING).chosen is None
