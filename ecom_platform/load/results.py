"""What a load test saw: frozen figures with their histograms. No judgement; that is judge.py."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from ecom_platform.load.histograms import Latencies, Percentiles, merged
from ecom_platform.load.resources import Usage, mean_cpu, peak_memory
from ecom_platform.records import Record

TOTAL = "total"
UNANSWERED = frozenset({"refused", "unresolved", "unreachable", "timeout", "tls", "closed", "generator_limit"})
"""Kinds of errors in which the target said nothing at all."""


@dataclass(frozen=True)
class ClassResult:
    """One request class. latency: from the intended start, service: from the real one; both encoded
    histograms of right answers and timeouts (see histograms.py).
    """

    requests: int
    errors: Mapping[str, int]
    latency: str
    service: str

    @property
    def latencies(self) -> Latencies:
        return Latencies.decode(self.latency)

    @property
    def services(self) -> Latencies:
        return Latencies.decode(self.service)


@dataclass(frozen=True)
class LoadResult(Record):
    """One run against one target.

    duration: seconds of the schedule. seconds: until the last answer. planned: arrivals of the
    schedule; started: those that the generator got to. in_time: right answers that came before the
    schedule's end plus one second. late: arrivals that the generator itself started more than 100 ms
    after their time; crowded: those that found every connection in use and no room for another; lag:
    encoded histogram of the generator's own delay. generator_cpu: cores, by process. examples: for
    each kind of error the first that was seen. faults: worker processes that brought no result.
    usage: samples of `usage_of`. answers_by_second: right answers by second of the run.
    """

    run: str
    target: str
    scenario: str
    started_at: datetime
    duration: float
    seconds: float
    processes: int
    timeout: float
    planned: int
    started: int
    in_time: int
    late: int
    crowded: int
    lag: str
    generator_cpu: tuple[float, ...]
    classes: Mapping[str, ClassResult]
    examples: Mapping[str, str]
    answers_by_second: tuple[tuple[int, int], ...] = ()
    faults: tuple[str, ...] = ()
    usage_of: str = ""
    usage: tuple[Usage, ...] = ()

    @property
    def requests(self) -> int:
        return sum(each.requests for each in self.classes.values())

    @property
    def errors(self) -> int:
        return sum(self.errors_by_kind.values())

    @property
    def errors_by_kind(self) -> dict[str, int]:
        total: Counter[str] = Counter()
        for each in self.classes.values():
            total.update(each.errors)
        return dict(total.most_common())

    @property
    def error_rate(self) -> float | None:
        return self.errors / self.requests if self.requests else None

    @property
    def answered(self) -> int:
        """Requests to which the target said anything, right or wrong."""
        return self.requests - sum(count for kind, count in self.errors_by_kind.items() if kind in UNANSWERED)

    @property
    def offered_rate(self) -> float:
        """Arrivals per second that the generator started."""
        return self.started / self.duration

    @property
    def achieved_rate(self) -> float:
        """Right answers per second of the schedule."""
        return self.in_time / self.duration

    def latencies(self, name: str = TOTAL) -> Latencies:
        """From the intended start; of a request class, or of all."""
        if name != TOTAL:
            return self.classes[name].latencies
        return merged(each.latencies for each in self.classes.values())

    def services(self) -> Latencies:
        """From the real start: what the target alone took."""
        return merged(each.services for each in self.classes.values())

    def percentiles(self, name: str = TOTAL) -> Percentiles:
        return self.latencies(name).percentiles()

    @property
    def generator(self) -> dict[str, Any]:
        """How well the generator kept its schedule."""
        return {
            "planned": self.planned,
            "started": self.started,
            "late": self.late,
            "crowded": self.crowded,
            "lag_ms": Latencies.decode(self.lag).percentiles().as_dict(),
            "cpu_cores": [round(each, 2) for each in self.generator_cpu],
            "faults": list(self.faults),
        }

    @property
    def resources(self) -> dict[str, Any]:
        cpu, memory = mean_cpu(self.usage), peak_memory(self.usage)
        return {"of": self.usage_of, "samples": len(self.usage), "mean_cpu": cpu, "peak_memory": memory}

    def summary(self) -> dict[str, Any]:
        """The figures that people and programs read, without histograms; JSON-able."""
        return {
            "run": self.run,
            "target": self.target,
            "scenario": self.scenario,
            "started_at": self.started_at.isoformat(),
            "duration_s": self.duration,
            "requests": self.requests,
            "errors": self.errors,
            "errors_by_kind": self.errors_by_kind,
            "error_examples": dict(self.examples),
            "offered_rate": round(self.offered_rate, 2),
            "achieved_rate": round(self.achieved_rate, 2),
            "latency_ms": self.percentiles().as_dict(),
            "service_ms": self.services().percentiles().as_dict(),
            "classes": {
                name: {"requests": each.requests, "errors": dict(each.errors)}
                | {"latency_ms": each.latencies.percentiles().as_dict()}
                for name, each in sorted(self.classes.items())
            },
            "generator": self.generator,
            "resources": self.resources,
        }

    def to_metadata(self) -> dict[str, Any]:
        return self.summary()

    def as_dict(self) -> dict[str, Any]:
        """Everything, with the raw histograms; JSON-able."""
        return {**asdict(self), "started_at": self.started_at.isoformat()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """The inverse of as_dict, also after JSON."""
        return cls(
            **{
                **stored,
                "started_at": datetime.fromisoformat(stored["started_at"]),
                "classes": {name: ClassResult(**each) for name, each in stored["classes"].items()},
                "usage": tuple(Usage(**each) for each in stored["usage"]),
                "generator_cpu": tuple(stored["generator_cpu"]),
                "faults": tuple(stored["faults"]),
                "answers_by_second": tuple((second, count) for second, count in stored["answers_by_second"]),
            }
        )


def merge_classes(parts: Sequence[Mapping[str, Any]]) -> dict[str, ClassResult]:
    """The request classes of all worker processes; histograms are added bucket by bucket."""
    names = sorted({name for part in parts for name in part["classes"]})
    return {name: _merge_class([part["classes"][name] for part in parts if name in part["classes"]]) for name in names}


def _merge_class(parts: Sequence[Mapping[str, Any]]) -> ClassResult:
    errors: Counter[str] = Counter()
    for part in parts:
        errors.update(part["errors"])
    return ClassResult(
        requests=sum(part["requests"] for part in parts),
        errors=dict(errors),
        latency=merged(Latencies.decode(part["latency"]) for part in parts).encode(),
        service=merged(Latencies.decode(part["service"]) for part in parts).encode(),
    )


def rule_of_three(rate: float) -> int:
    """How many requests without an error show, with 95 % confidence, that fewer than `rate` fail."""
    return math.ceil(3 / rate)
