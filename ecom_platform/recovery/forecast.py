"""How long a restore will take as the database grows, from the proofs so far. Pure.

Two straight lines by least squares: the size over time, and the time over the size. A database that grew more than
the lines know says so by itself at the next proof; this looks ahead far enough to do something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ecom_platform.verdicts import Verdict, at_most, inconclusive

LEAST_POINTS = 4
LEAST_SPAN = timedelta(days=3)
"""Fewer proofs, or fewer days, and the line is noise: a single slow night would look like growth."""

HORIZON = timedelta(days=90)
"""Time enough to buy a faster disk or to part a database."""

SECONDS_A_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Point:
    """A proved restore. size: bytes of the dump; seconds: the whole restore."""

    at: datetime
    size: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Line:
    """value = offset + slope * x, x counted from `origin`."""

    origin: float
    offset: float
    slope: float

    def at(self, x: float) -> float:
        return self.offset + self.slope * (x - self.origin)


@dataclass(frozen=True, slots=True)
class Forecast:
    """bytes_a_day: growth; may be negative. seconds: of a restore at the horizon. crosses: when it reaches the
    budget; None if it does not within ten horizons.
    """

    bytes_a_day: float
    seconds: float
    crosses: datetime | None


def line_through(points: Sequence[tuple[float, float]]) -> Line:
    """Least squares; where all x are the same, a line through the origin of both."""
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    if spread == 0:
        return Line(mean_x, mean_y, mean_y / mean_x if mean_x else 0.0)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    return Line(mean_x, mean_y, slope)


def forecast(points: Sequence[Point], budget_seconds: float, horizon: timedelta = HORIZON) -> Forecast | None:
    """None while the history is too short. points: in any order."""
    if len(points) < LEAST_POINTS:
        return None
    ordered = sorted(points, key=lambda each: each.at)
    last = ordered[-1].at
    if last - ordered[0].at < LEAST_SPAN:
        return None
    growth = line_through([(each.at.timestamp(), each.size) for each in ordered])
    speed = line_through([(each.size, each.seconds) for each in ordered])
    if speed.slope < 0:
        # Faster as it grows: another machine, or noise. Then only the mean speed is known.
        speed = line_through([(sum(each.size for each in ordered), sum(each.seconds for each in ordered))])

    def seconds_at(moment: datetime) -> float:
        return speed.at(max(0.0, growth.at(moment.timestamp())))

    days = range(int(10 * horizon.total_seconds() / SECONDS_A_DAY) + 1)
    crossing = (last + timedelta(days=day) for day in days)
    first = next((at for at in crossing if seconds_at(at) > budget_seconds), None)
    return Forecast(growth.slope * SECONDS_A_DAY, seconds_at(last + horizon), first)


def judge(points: Sequence[Point], budget_seconds: float, horizon: timedelta = HORIZON) -> Verdict:
    """Whether a restore stays within the budget until the horizon; inconclusive while nobody can know."""
    claim = f"in {horizon.days} days a restore still stays within the budget"
    found = forecast(points, budget_seconds, horizon)
    if found is None:
        need = f"this needs {LEAST_POINTS} proofs over {LEAST_SPAN.days} days"
        return inconclusive(claim, f"{len(points)} proofs so far; {need}", proofs=len(points))
    return at_most(claim, found.seconds, budget_seconds, unit="s")
