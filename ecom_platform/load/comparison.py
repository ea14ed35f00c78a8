"""Is B slower than A? Interleaved rounds on the same machine, and what their noise allows to say. Pure.

Each round gives one figure per arm, say its p95 in milliseconds. Two arms of the same version (A and A')
show how much figures differ by noise alone. The claim is "B is no slower than A by more than X": it
passes when the whole interval of B/A lies below X, fails when the whole interval lies above both X and
the noise, and is inconclusive in between. Ratios, because noise grows with the figure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ecom_platform.verdicts import Outcome, Verdict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Arm = Literal["A", "A'", "B"]

LEAST_ROUNDS = 6
"""Per arm. Below six, even arms that never overlap have a two-sided exact p above 0.001, and the bootstrap
draws from so few values that its interval is far too narrow."""
RESAMPLES = 10_000
CONFIDENCE = 0.95
"""Of the interval and of the rank test; of two sides."""


def interleaved(rounds: int, *, with_noise: bool = True) -> list[Arm]:
    """The order of rounds: every block holds each arm once, turned by one place from block to block, so that
    a machine that grows slower over time slows all arms alike.
    """
    arms: list[Arm] = ["A", "B", "A'"] if with_noise else ["A", "B"]
    return [arms[(place + block) % len(arms)] for block in range(rounds) for place in range(len(arms))]


@dataclass(frozen=True, slots=True)
class Interval:
    """A ratio and the ends of its confidence interval."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate - 1:+.1%} ({self.low - 1:+.1%} to {self.high - 1:+.1%})"


@dataclass(frozen=True, slots=True)
class Comparison:
    """B against A. effect: median of B over median of A. noise: the same for A' over A, when there was A'.
    p_value: of the two-sided rank test (Mann-Whitney) that B and A are alike. rounds: of the smaller arm.
    """

    effect: Interval
    noise: Interval | None
    p_value: float
    rounds: int

    @property
    def noise_floor(self) -> float:
        """The largest ratio that the same version shows against itself by chance, never below 1."""
        if self.noise is None:
            return 1.0
        return max(self.noise.high, 1 / self.noise.low if self.noise.low > 0 else math.inf, 1.0)


def compare(
    a: Sequence[float], b: Sequence[float], a_again: Sequence[float] | None = None, *, seed: int = 0
) -> Comparison:
    """Compare the figures of rounds, smaller is better. The same seed gives the same interval.

    Raises ValueError when an arm is empty or a figure is not a positive number.
    """
    arms = [a, b, *([a_again] if a_again is not None else [])]
    if not all(len(arm) and all(math.isfinite(figure) and figure > 0 for figure in arm) for arm in arms):
        raise ValueError("every arm needs rounds, and every round a positive figure")
    return Comparison(
        effect=_ratio(a, b, seed),
        noise=_ratio(a, a_again, seed + 1) if a_again is not None else None,
        p_value=mann_whitney(a, b),
        rounds=min(len(arm) for arm in arms),
    )


def no_slower(comparison: Comparison, *, allowed: float, what: str = "p95") -> Verdict:
    """The verdict on "B is no slower than A by more than `allowed`" (a share: 0.1 for 10 %)."""
    claim = f"{what} is no slower than before by more than {allowed:.3g} of it"
    effect, floor = comparison.effect, comparison.noise_floor
    numbers = {
        "effect": effect.estimate - 1,
        "effect_low": effect.low - 1,
        "effect_high": effect.high - 1,
        "limit": allowed,
        "noise_floor": floor - 1,
        "p_value": comparison.p_value,
        "rounds": float(comparison.rounds),
    }
    seen = f"{effect}, noise floor {floor - 1:.1%}, rank test p = {comparison.p_value:.2g}, {comparison.rounds} rounds"
    if comparison.rounds < LEAST_ROUNDS:
        return Verdict(claim, Outcome.INCONCLUSIVE, f"{seen}; this claim needs {LEAST_ROUNDS} rounds", numbers)
    if effect.high < 1 + allowed:
        return Verdict(claim, Outcome.PASSED, seen, numbers)
    unlike = comparison.p_value < 1 - CONFIDENCE
    if effect.low > 1 + allowed and effect.estimate > floor and unlike:
        return Verdict(claim, Outcome.FAILED, seen, numbers)
    return Verdict(claim, Outcome.INCONCLUSIVE, f"{seen}; the noise hides a difference of this size", numbers)


def mann_whitney(a: Sequence[float], b: Sequence[float]) -> float:
    """Two-sided p of the rank test; exact without ties and up to 20 values an arm, else by the normal
    approximation with corrections for ties and continuity.
    """
    statistic, ties = _u_statistic(a, b)
    if not ties and max(len(a), len(b)) <= 20:
        return _exact_p(statistic, len(a), len(b))
    return _normal_p(a, b, statistic)


def _u_statistic(a: Sequence[float], b: Sequence[float]) -> tuple[float, bool]:
    """How many pairs have B above A, a tie counting half; and whether there are ties."""
    above = sum((second > first) + (second == first) / 2 for first in a for second in b)
    return above, len({*a, *b}) < len(a) + len(b)


def _exact_p(statistic: float, m: int, n: int) -> float:
    """The share of all arrangements of m and n values that are at least as far from the middle."""
    # by_second[j][u]: how many arrangements of the i values so far with j of the other arm give u.
    by_second = [[1] for _ in range(n + 1)]
    for i in range(1, m + 1):
        row = [[1]]
        for j in range(1, n + 1):
            # The largest value is of the second arm, above all i of the first, or of the first, above none.
            grown = [0] * (i * j + 1)
            for u, count in enumerate(row[j - 1]):
                grown[u + i] += count
            for u, count in enumerate(by_second[j]):
                grown[u] += count
            row.append(grown)
        by_second = row
    far = abs(statistic - m * n / 2) - 1e-9
    return min(
        1.0, sum(count for u, count in enumerate(by_second[n]) if abs(u - m * n / 2) >= far) / math.comb(m + n, m)
    )


def _normal_p(a: Sequence[float], b: Sequence[float], statistic: float) -> float:
    m, n = len(a), len(b)
    total = m + n
    values = sorted([*a, *b])
    tied = sum(count**3 - count for count in (values.count(each) for each in set(values)))
    variance = m * n / 12 * (total + 1 - tied / (total * (total - 1)))
    if variance <= 0:
        return 1.0  # all values are the same
    far = max(0.0, abs(statistic - m * n / 2) - 0.5)
    return math.erfc(far / math.sqrt(2 * variance))


def _ratio(base: Sequence[float], other: Sequence[float], seed: int) -> Interval:
    """Median of other over median of base, with a bootstrap interval (percentiles of resampled ratios)."""
    import numpy as np

    rng = np.random.default_rng(seed)
    bases, others = _medians(np.asarray(base), rng), _medians(np.asarray(other), rng)
    edge = (1 - CONFIDENCE) / 2 * 100
    low, high = np.percentile(others / bases, [edge, 100 - edge])
    return Interval(float(np.median(other) / np.median(base)), float(low), float(high))


def _medians(values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    import numpy as np

    drawn = rng.choice(values, size=(RESAMPLES, len(values)))
    found: NDArray[np.float64] = np.median(drawn, axis=1)
    return found
