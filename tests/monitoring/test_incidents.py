"""Who is told, when, how often, and when not: the steps, on a clock of their own."""

from __future__ import annotations

from datetime import timedelta

from ecom_platform.monitoring.incidents import (
    Found,
    State,
    Step,
    acknowledged,
    after_telling,
    due,
    from_json,
    observed,
    over,
    to_json,
)

STEPS = (Step(timedelta(0), 1), Step(timedelta(minutes=15), 2))
AGAIN = timedelta(hours=4)
DEAD = Found("DaemonDead daemon=sensor", "DaemonDead", "critical", "DaemonDead (critical): it is dead", 120)
SLOW = Found("RestoreOverBudget source=d", "RestoreOverBudget", "warning", "RestoreOverBudget (warning): slow", 60)


def told(state: State, now: float) -> tuple[list[tuple[int, int]], State]:
    """Who is told now, as (step, place), and the state after that."""
    notices = due(state, STEPS, AGAIN, now, shop="s")
    for each in notices:
        state = after_telling(state, each, now)
    return [(each.step, each.place) for each in notices], state


def at(state: State, now: float, *found: Found) -> State:
    return observed(state, found, now, blind=False)[0]


def test_nobody_is_told_before_it_lasted_long_enough() -> None:
    state = at({}, 1000, DEAD)
    assert told(state, 1000)[0] == []
    assert told(at(state, 1119, DEAD), 1119)[0] == []
    assert told(at(state, 1120, DEAD), 1120)[0] == [(0, 0)]
    flapped = at(at(state, 1060), 1061, DEAD)
    assert told(at(flapped, 1121, DEAD), 1121)[0] == [], "it was gone in between"


def test_the_second_step_follows_when_nobody_says_ok_and_the_first_is_not_told_twice() -> None:
    who, state = told(at(at({}, 0, DEAD), 120, DEAD), 120)
    assert who == [(0, 0)]
    assert told(at(state, 500, DEAD), 500)[0] == []
    who, state = told(at(state, 120 + 900, DEAD), 120 + 900)
    assert who == [(1, 0), (1, 1)]
    who, _ = told(at(state, 120 + 4 * 3600, DEAD), 120 + 4 * 3600)
    assert who == [(0, 0)], "again after four hours"


def test_an_ok_stops_the_steps_for_as_long_as_it_lasts() -> None:
    _, state = told(at(at({}, 0, DEAD), 120, DEAD), 120)
    state = acknowledged(state, [("DaemonDead", "ada", 200)])
    assert told(at(state, 9000, DEAD), 9000)[0] == []
    again = at(at(state, 9100), 9200, DEAD)
    again = acknowledged(at(again, 9320, DEAD), [("DaemonDead", "ada", 200)])
    assert told(again, 9320)[0] == [(0, 0)], "the old ok is not for the next time"


def test_a_warning_stays_with_the_first() -> None:
    _, state = told(at(at({}, 0, SLOW), 60, SLOW), 60)
    assert told(at(state, 3600, SLOW), 3600)[0] == []


def test_whoever_was_told_hears_that_it_is_over_and_nobody_else() -> None:
    _, state = told(at(at({}, 0, DEAD), 120, DEAD), 120)
    _, ended = observed(state, [], 200, blind=False)
    assert [(each.step, each.place, each.kind) for each in over(ended, STEPS, shop="s")] == [(0, 0, "over")]
    assert observed(at({}, 0, DEAD), [], 60, blind=False)[1] == (), "nobody knew of it"


def test_nothing_is_over_while_something_cannot_be_read() -> None:
    _, state = told(at(at({}, 0, DEAD), 120, DEAD), 120)
    state, ended = observed(state, [], 200, blind=True)
    assert (set(state), ended) == ({DEAD.key}, ())


def test_a_clock_that_went_backwards_silences_nothing() -> None:
    state = at(at({}, 10_000, DEAD), 500, DEAD)
    assert told(at(state, 620, DEAD), 620)[0] == [(0, 0)]


def test_the_state_survives_being_written_and_many_alerts_are_one_notice() -> None:
    many = [Found(f"CheckFailed check={each}", "CheckFailed", "critical", f"check {each}", 0) for each in range(50)]
    state = at({}, 0, *many)
    (notice,) = due(from_json(to_json(state), {"CheckFailed"}), STEPS[:1], AGAIN, 0, shop="s")
    assert notice.title == "s: CheckFailed"
    assert "and 30 more" in notice.body
    assert len(notice.keys) == 50
    assert from_json(to_json(state), {"Other"}) == {}
