"""When each arrival is meant to start: constant, in stages, at random (Poisson). Pure; no clock, no sending.

An open-loop test knows its arrivals before the target has answered anything, so that a target that
stalls cannot slow its own test down.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

Arrivals = Literal["constant", "poisson"]


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of `seconds` in which the rate (arrivals per second) goes in a straight line from `begin` to `end`."""

    seconds: float
    begin: float
    end: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.seconds) and self.seconds > 0):
            raise ValueError(f"a stage lasts longer than nothing, not {self.seconds} s")
        if not all(math.isfinite(rate) and rate >= 0 for rate in (self.begin, self.end)):
            raise ValueError(f"a rate is not negative: {self.begin} to {self.end}")

    @property
    def arrivals(self) -> float:
        """How many arrivals the stage holds, on average for Poisson."""
        return self.seconds * (self.begin + self.end) / 2

    def moment(self, count: float) -> float:
        """The second within the stage at which `count` (0 to self.arrivals) arrivals have come."""
        slope = (self.end - self.begin) / self.seconds
        # The root of begin * t + slope * t^2 / 2 = count, in the form that does not cancel for a small slope.
        root = math.sqrt(max(0.0, self.begin * self.begin + 2 * slope * count))
        return min(self.seconds, 2 * count / (self.begin + root)) if count else 0.0


@dataclass(frozen=True, slots=True)
class Schedule:
    """Stages one after the other, and how arrivals fall within them. seed: the same seed, the same arrivals."""

    stages: tuple[Stage, ...]
    arrivals: Arrivals = "constant"
    seed: int = 0

    @property
    def seconds(self) -> float:
        return math.fsum(stage.seconds for stage in self.stages)

    @property
    def expected(self) -> float:
        """The number of arrivals; its mean for Poisson."""
        return math.fsum(stage.arrivals for stage in self.stages)


def constant(rate: float, seconds: float, *, arrivals: Arrivals = "constant", seed: int = 0) -> Schedule:
    """`rate` arrivals per second for `seconds`."""
    return Schedule((Stage(seconds, rate, rate),), arrivals, seed)


def intended_starts(schedule: Schedule, *, part: int = 0, parts: int = 1) -> Iterator[float]:
    """Seconds from the start of the test, never falling, each below schedule.seconds.

    Several processes share a schedule: part k of n takes every n-th arrival from the k-th, so that all
    parts together are exactly the whole.
    """
    return islice(_starts(schedule), part, None, parts)


def _starts(schedule: Schedule) -> Iterator[float]:
    """Arrivals counted as a running number, mapped to time by the stage in which the number falls."""
    counts = _counts(schedule)
    count = next(counts)
    elapsed = counted = 0.0
    for stage in schedule.stages:
        until = counted + stage.arrivals
        while count < until:
            moment = elapsed + stage.moment(count - counted)
            # Rounding may push the last one onto the edge, where the next stage or nothing begins.
            yield min(moment, math.nextafter(elapsed + stage.seconds, 0.0))
            count = next(counts)
        elapsed += stage.seconds
        counted = until


def _counts(schedule: Schedule) -> Iterator[float]:
    """0, 1, 2 ... for constant; a unit-rate Poisson process otherwise."""
    if schedule.arrivals == "constant":
        count = 0
        while True:
            yield float(count)
            count += 1
    rng = random.Random(schedule.seed)  # noqa: S311  # a repeatable schedule, not a secret
    moment = 0.0
    while True:
        moment += rng.expovariate(1.0)
        yield moment
