"""Histograms keep what they were given, through merging and through text."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_platform.load.histograms import Latencies, merged

seconds = st.lists(st.floats(0, 4000), max_size=200)


def _of(values: list[float]) -> Latencies:
    found = Latencies()
    for value in values:
        found.record(value)
    return found


@settings(deadline=None, max_examples=50)  # a histogram has 23,000 buckets
@given(st.lists(seconds, min_size=1, max_size=5))
def test_merging_loses_nothing(parts: list[list[float]]) -> None:
    together = merged(_of(part) for part in parts)
    assert together.buckets() == _of([value for part in parts for value in part]).buckets()
    assert together.count == sum(len(part) for part in parts)


@settings(deadline=None, max_examples=50)
@given(seconds)
def test_text_keeps_every_bucket(values: list[float]) -> None:
    assert Latencies.decode(_of(values).encode()).buckets() == _of(values).buckets()


@settings(deadline=None, max_examples=50)
@given(st.lists(st.floats(1e-5, 3000), min_size=1, max_size=300), st.sampled_from([50.0, 95.0, 99.0, 100.0]))
def test_a_percentile_is_within_a_part_in_a_thousand_of_the_exact_one(values: list[float], percent: float) -> None:
    rank = max(1, math.floor(percent * len(values) / 100 + 0.5))
    exact = sorted(values)[rank - 1] * 1000
    found = _of(values).percentile(percent)
    assert found is not None
    assert abs(found - exact) <= exact * 0.001 + 0.001


def test_nothing_recorded_has_no_percentile() -> None:
    assert Latencies().percentiles().as_dict() == {"p50": None, "p95": None, "p99": None, "max": None}
    assert Latencies().percentile(95) is None


def test_longer_than_an_hour_counts_as_an_hour() -> None:
    found = _of([10_000.0]).percentiles().max
    assert found is not None
    assert 3_600_000 <= found < 3_604_000
