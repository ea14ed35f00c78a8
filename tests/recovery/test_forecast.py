"""The forecast of restore times: a straight growth is followed exactly, a short history says nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_platform.recovery.forecast import Point, forecast, judge, line_through
from ecom_platform.verdicts import Outcome

START = datetime(2026, 1, 1, tzinfo=UTC)
GB = 1e9


def proofs(days: int, *, first: float = GB, a_day: float = 0.1 * GB, seconds_a_byte: float = 20 / GB) -> list[Point]:
    sizes = [first + a_day * day for day in range(days)]
    return [Point(START + timedelta(days=day), size, size * seconds_a_byte) for day, size in enumerate(sizes)]


@given(
    st.integers(4, 40),
    st.floats(0.1, 100),
    st.floats(0, 1),
    st.floats(0.5, 100),
)
def test_a_straight_growth_is_followed(days: int, first: float, a_day: float, speed: float) -> None:
    found = forecast(proofs(days, first=first * GB, a_day=a_day * GB, seconds_a_byte=speed / GB), 3600)
    assert found is not None
    assert found.bytes_a_day == pytest.approx(a_day * GB, rel=1e-3, abs=1e3)
    assert found.seconds == pytest.approx((first + a_day * (days - 1 + 90)) * speed, rel=1e-2)


def test_the_day_on_which_the_budget_is_crossed_is_named() -> None:
    found = forecast(proofs(10), budget_seconds=60)
    assert found is not None
    assert found.crosses is not None
    assert (found.crosses - START).days == pytest.approx(20, abs=1)  # 3 GB at 20 s a GB, 1 GB and a tenth a day


def test_a_budget_that_will_be_crossed_is_red_before_it_is() -> None:
    assert judge(proofs(10), budget_seconds=60).outcome is Outcome.FAILED
    assert judge(proofs(10), budget_seconds=3600).outcome is Outcome.PASSED


def test_a_database_that_does_not_grow_never_crosses() -> None:
    found = forecast(proofs(10, a_day=0), budget_seconds=60)
    assert found is not None
    assert found.crosses is None
    assert found.seconds == pytest.approx(20)


@pytest.mark.parametrize("points", [[], proofs(3), [*proofs(1) * 9]])
def test_a_short_history_is_inconclusive(points: list[Point]) -> None:
    assert judge(points, 3600).outcome is Outcome.INCONCLUSIVE


def test_a_machine_that_became_faster_does_not_make_growth_look_good() -> None:
    slow = [Point(START + timedelta(days=day), GB * (1 + day / 10), 100 - 5 * day) for day in range(10)]
    found = forecast(slow, 3600)
    assert found is not None
    assert found.seconds > 50


def test_one_size_gives_a_line_through_nothing() -> None:
    line = line_through([(2.0, 10.0), (2.0, 14.0)])
    assert line.at(4.0) == pytest.approx(24)
