"""Arrival schedules: how many, when, and in what order."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_platform.load.pacing import Schedule, Stage, constant, intended_starts

rates = st.floats(0, 500)
stages = st.builds(Stage, st.floats(0.01, 5), rates, rates)
schedules = st.builds(
    Schedule,
    st.lists(stages, min_size=1, max_size=4).map(tuple),
    st.sampled_from(("constant", "poisson")),
    st.integers(0, 1000),
)


def test_a_constant_schedule_is_a_ruler() -> None:
    assert list(intended_starts(constant(4, 1.5))) == pytest.approx([0, 0.25, 0.5, 0.75, 1.0, 1.25])


def test_a_thousand_a_second_for_ten_seconds_are_exactly_ten_thousand() -> None:
    starts = list(intended_starts(constant(1000, 10)))
    assert len(starts) == 10_000
    assert starts[5000] == pytest.approx(5.0)


def test_a_ramp_has_its_arrivals_where_the_area_under_it_says() -> None:
    ramp = Schedule((Stage(10, 0, 100),))
    starts = list(intended_starts(ramp))
    assert len(starts) == 500
    # Half way up the ramp a quarter of the arrivals have come.
    assert sum(start < 5 for start in starts) == 125


def test_stages_follow_each_other_without_a_gap_or_a_crowd() -> None:
    starts = list(intended_starts(Schedule((Stage(2, 10, 10), Stage(2, 20, 20)))))
    assert len(starts) == 60
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert max(gaps) == pytest.approx(0.1)
    assert min(gaps) == pytest.approx(0.05)


@settings(deadline=None, max_examples=50)
@given(schedules)
def test_arrivals_are_in_order_and_within_the_schedule(schedule: Schedule) -> None:
    starts = list(intended_starts(schedule))
    assert starts == sorted(starts)
    assert all(0 <= start < schedule.seconds for start in starts)


@settings(deadline=None, max_examples=50)
@given(schedules)
def test_a_schedule_without_chance_has_the_expected_number(schedule: Schedule) -> None:
    even = Schedule(schedule.stages)
    assert len(list(intended_starts(even))) == pytest.approx(math.ceil(even.expected), abs=1)


@settings(deadline=None, max_examples=50)
@given(schedules, st.integers(1, 5))
def test_the_parts_of_several_processes_are_together_exactly_the_whole(schedule: Schedule, parts: int) -> None:
    shared = [start for part in range(parts) for start in intended_starts(schedule, part=part, parts=parts)]
    assert sorted(shared) == list(intended_starts(schedule))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 200))
def test_random_arrivals_are_as_many_and_as_uneven_as_poisson_says(seed: int) -> None:
    starts = list(intended_starts(constant(200, 50, arrivals="poisson", seed=seed)))
    # 10,000 on average with a deviation of 100; six of them miss once in a billion.
    assert abs(len(starts) - 10_000) < 600
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    mean = sum(gaps) / len(gaps)
    deviation = math.sqrt(sum((gap - mean) ** 2 for gap in gaps) / len(gaps))
    assert deviation / mean == pytest.approx(1, abs=0.1)


def test_the_same_seed_gives_the_same_arrivals_and_another_gives_others() -> None:
    first, again, other = (list(intended_starts(constant(50, 2, arrivals="poisson", seed=n))) for n in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize(("seconds", "begin", "end"), [(0, 1, 1), (-1, 1, 1), (1, -1, 1), (math.nan, 1, 1)])
def test_a_stage_that_cannot_be_is_refused(seconds: float, begin: float, end: float) -> None:
    with pytest.raises(ValueError, match=r"stage lasts|not negative"):
        Stage(seconds, begin, end)
