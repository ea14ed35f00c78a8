"""What one worker process saw, counted as it happens; turned into plain data at the end. No sending here."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from ecom_platform.load.histograms import Latencies

LATE_SECONDS = 0.1
"""An arrival that the generator itself started later than this is late. A shorter delay only makes the
target look slower than it is, by less than a fifth of the usual budget of 500 ms."""
GRACE_SECONDS = 1.0
"""A request that starts at the schedule's end has this long to count for the rate that was held."""
TIMEOUT = "timeout"


@dataclass
class ClassFigures:
    """One request class. latency: from the intended start; service: from the real one."""

    requests: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    latency: Latencies = field(default_factory=Latencies)
    service: Latencies = field(default_factory=Latencies)

    def as_dict(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "errors": dict(self.errors),
            "latency": self.latency.encode(),
            "service": self.service.encode(),
        }


@dataclass
class Recorder:
    """Times are seconds of the monotonic clock. A latency is kept for every right answer and every
    timeout; an answer that is wrong quickly must not make the target look quick.
    """

    start: float
    duration: float
    classes: defaultdict[str, ClassFigures] = field(default_factory=lambda: defaultdict(ClassFigures))
    examples: dict[str, str] = field(default_factory=dict)
    lag: Latencies = field(default_factory=Latencies)
    late: int = 0
    started: int = 0
    crowded: int = 0
    finished: int = 0
    last_answer: float = 0.0
    in_time: int = 0
    answers_by_second: Counter[int] = field(default_factory=Counter)

    def arrival(self, intended: float, now: float) -> None:
        """The generator got to an arrival."""
        self.started += 1
        self.lag.record(now - intended)
        self.late += now - intended > LATE_SECONDS

    def answered(self, name: str, intended: float, sent: float, now: float) -> None:
        figures = self.classes[name]
        figures.requests += 1
        figures.latency.record(now - intended)
        figures.service.record(now - sent)
        self.answers_by_second[int(now - self.start)] += 1
        self.in_time += now <= self.start + self.duration + GRACE_SECONDS
        self._finish(now)

    def went_wrong(self, name: str, kind: str, seen: str, *, intended: float, sent: float, now: float) -> None:
        figures = self.classes[name]
        figures.requests += 1
        figures.errors[kind] += 1
        if kind == TIMEOUT:
            figures.latency.record(now - intended)
            figures.service.record(now - sent)
        self.examples.setdefault(kind, seen)
        self._finish(now)

    def _finish(self, now: float) -> None:
        self.finished += 1
        self.last_answer = max(self.last_answer, now)

    def progress(self) -> dict[str, int]:
        errors = sum(each.errors.total() for each in self.classes.values())
        return {"started": self.started, "finished": self.finished, "errors": errors}

    def as_dict(self) -> dict[str, Any]:
        return {
            "classes": {name: each.as_dict() for name, each in self.classes.items()},
            "examples": self.examples,
            "lag": self.lag.encode(),
            "late": self.late,
            "started": self.started,
            "crowded": self.crowded,
            "in_time": self.in_time,
            "seconds": max(0.0, self.last_answer - self.start),
            "answers_by_second": sorted(self.answers_by_second.items()),
        }
