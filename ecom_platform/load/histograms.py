"""Latencies as HDR histograms: from microseconds to an hour in 0.1 % steps, merged without loss, kept as text.

What is measured, and from when, is the recorder's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from hdrh.histogram import HdrHistogram

LOWEST_MICROSECONDS = 1
HIGHEST_MICROSECONDS = 3_600_000_000
"""An hour: longer than any timeout of a load test; a longer value is recorded as this one."""
SIGNIFICANT_FIGURES = 3
"""Values within 0.1 % of each other share a bucket; the claim is about 5 %."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds; None when nothing was recorded."""

    p50: float | None
    p95: float | None
    p99: float | None
    max: float | None

    def as_dict(self) -> dict[str, float | None]:
        return {"p50": self.p50, "p95": self.p95, "p99": self.p99, "max": self.max}


class Latencies:
    """A histogram of durations."""

    def __init__(self) -> None:
        self._histogram: Any = HdrHistogram(LOWEST_MICROSECONDS, HIGHEST_MICROSECONDS, SIGNIFICANT_FIGURES)

    def record(self, seconds: float) -> None:
        microseconds = round(seconds * 1e6)
        self._histogram.record_value(min(max(microseconds, LOWEST_MICROSECONDS), HIGHEST_MICROSECONDS))

    def add(self, other: Latencies) -> None:
        """Take over the other's counts, bucket by bucket; nothing is lost."""
        self._histogram.add(other._histogram)

    @property
    def count(self) -> int:
        return int(self._histogram.get_total_count())

    def percentiles(self) -> Percentiles:
        if not self.count:
            return Percentiles(None, None, None, None)
        found = self._histogram.get_percentile_to_value_dict([50.0, 95.0, 99.0, 100.0])
        return Percentiles(*(found[each] / 1000 for each in (50.0, 95.0, 99.0, 100.0)))

    def percentile(self, percent: float) -> float | None:
        """Milliseconds; None when nothing was recorded."""
        return self._histogram.get_value_at_percentile(percent) / 1000 if self.count else None

    def buckets(self) -> list[tuple[float, int]]:
        """(milliseconds, count) of every bucket that is not empty, rising."""
        return [
            (item.value_iterated_to / 1000, item.count_added_in_this_iter_step)
            for item in self._histogram.get_recorded_iterator()
        ]

    def encode(self) -> str:
        """HdrHistogram's own V2 form (compressed, base64), which its tools in other languages read too."""
        encoded: bytes = self._histogram.encode()
        return encoded.decode("ascii")

    @classmethod
    def decode(cls, text: str) -> Self:
        """The inverse of encode."""
        found = cls()
        found._histogram.decode_and_add(text.encode("ascii"))
        return found


def merged(histograms: Iterable[Latencies]) -> Latencies:
    """One histogram with the counts of all."""
    total = Latencies()
    for each in histograms:
        total.add(each)
    return total
