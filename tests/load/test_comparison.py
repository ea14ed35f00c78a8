"""Two versions compared: a real slowdown is found, noise is not taken for one."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_platform.load.comparison import compare, interleaved, mann_whitney, no_slower
from ecom_platform.verdicts import Outcome

figures = st.lists(st.floats(1, 1000), min_size=2, max_size=12)


def _rounds(rng: random.Random, median_ms: float, noise: float, count: int = 12) -> list[float]:
    return [median_ms * rng.lognormvariate(0, noise) for _ in range(count)]


def _outcomes(slowdown: float, noise: float, runs: int = 40) -> Counter[Outcome]:
    found: Counter[Outcome] = Counter()
    for seed in range(runs):
        rng = random.Random(seed)
        blue, again = _rounds(rng, 50, noise), _rounds(rng, 50, noise)
        green = _rounds(rng, 50 * slowdown, noise)
        found[no_slower(compare(blue, green, again, seed=seed), allowed=0.1).outcome] += 1
    return found


def test_the_same_version_is_not_called_slower() -> None:
    found = _outcomes(1.0, noise=0.05)
    assert found[Outcome.FAILED] == 0
    assert found[Outcome.PASSED] > 30


def test_a_version_that_is_a_third_slower_is_found() -> None:
    found = _outcomes(1.33, noise=0.05)
    assert found[Outcome.PASSED] == 0
    assert found[Outcome.FAILED] > 36


def test_loud_noise_is_inconclusive_and_not_a_regression() -> None:
    found = _outcomes(1.0, noise=0.5)
    assert found[Outcome.FAILED] <= 1
    assert found[Outcome.INCONCLUSIVE] > 30


def test_a_slowdown_within_what_is_allowed_is_never_a_failure() -> None:
    assert _outcomes(1.05, noise=0.03)[Outcome.FAILED] == 0


def test_few_rounds_are_inconclusive_however_clear_they_look() -> None:
    assert no_slower(compare([50, 51, 52], [99, 98, 97]), allowed=0.1).outcome is Outcome.INCONCLUSIVE


def test_a_difference_below_the_noise_floor_is_inconclusive() -> None:
    blue = [50.0, 50.1, 50.2, 50.3, 50.4, 50.5]
    much_slower_again = [100.0 + each for each in range(6)]
    green = [70.0, 70.1, 70.2, 70.3, 70.4, 70.5]
    assert no_slower(compare(blue, green), allowed=0.1).outcome is Outcome.FAILED
    noisy = no_slower(compare(blue, green, much_slower_again), allowed=0.1)
    assert noisy.outcome is Outcome.INCONCLUSIVE
    assert noisy.numbers["noise_floor"] > 0.9


def test_every_block_of_rounds_holds_each_arm_once_and_none_is_always_first() -> None:
    order = interleaved(6)
    assert Counter(order) == {"A": 6, "B": 6, "A'": 6}
    blocks = [order[start : start + 3] for start in range(0, 18, 3)]
    assert all(sorted(block) == ["A", "A'", "B"] for block in blocks)
    assert {block[0] for block in blocks} == {"A", "A'", "B"}


def test_an_arm_without_a_figure_is_refused() -> None:
    with pytest.raises(ValueError, match="every arm"):
        compare([], [1.0])
    with pytest.raises(ValueError, match="every arm"):
        compare([1.0], [float("nan")])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 10**6), min_size=4, max_size=9, unique=True), st.integers(2, 4))
def test_the_exact_rank_test_agrees_with_counting_all_arrangements(values: list[int], first: int) -> None:
    a, b = values[:first], values[first:]
    if not b:
        return

    def distance(chosen: tuple[int, ...]) -> float:
        rest = [each for each in values if each not in chosen]
        return abs(sum(other > each for each in chosen for other in rest) - len(chosen) * len(rest) / 2)

    all_ways = [distance(chosen) for chosen in combinations(values, len(a))]
    as_far = sum(each >= distance(tuple(a)) for each in all_ways)
    assert mann_whitney(a, b) == pytest.approx(as_far / len(all_ways))


@settings(deadline=None, max_examples=50)
@given(figures, figures)
def test_the_rank_test_is_a_probability_and_does_not_care_which_arm_is_first(a: list[float], b: list[float]) -> None:
    assert 0 <= mann_whitney(a, b) <= 1
    assert mann_whitney(a, b) == pytest.approx(mann_whitney(b, a))


def test_arms_of_nothing_but_ties_are_alike() -> None:
    assert mann_whitney([5.0] * 8, [5.0] * 8) == 1.0


@settings(deadline=None, max_examples=50)
@given(figures, st.integers(0, 100))
def test_the_interval_holds_its_estimate_and_repeats_with_its_seed(a: list[float], seed: int) -> None:
    effect = compare(a, a, seed=seed).effect
    assert effect.low <= effect.estimate <= effect.high
    assert effect == compare(a, a, seed=seed).effect
