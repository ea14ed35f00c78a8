"""A condition on the platform's metrics, written once: rendered for Prometheus, and judged here without it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from ecom_platform.monitoring.samples import Sample

Labels: TypeAlias = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Hit:
    """Where a condition holds. labels: of the sample. value: as Prometheus's $value."""

    labels: Mapping[str, str]
    value: float


class Condition(Protocol):
    @property
    def value(self) -> str:
        """PromQL of what is looked at; it has data while all is well."""

    @property
    def expression(self) -> str:
        """PromQL that has data exactly where the condition holds."""

    def hits(self, samples: Sequence[Sample], now: float) -> list[Hit]:
        """The same, judged on samples. now: Unix seconds."""


@dataclass(frozen=True)
class Metric:
    """A metric, of samples with these labels. by: the largest value by these labels."""

    name: str
    where: tuple[tuple[str, str], ...] = ()
    by: tuple[str, ...] = ()

    @property
    def promql(self) -> str:
        chosen = ", ".join(f'{label}="{value}"' for label, value in self.where)
        text = f"{self.name}{{{chosen}}}" if chosen else self.name
        return f"max by ({', '.join(self.by)}) ({text})" if self.by else text

    def find(self, samples: Iterable[Sample]) -> dict[Labels, float]:
        found: dict[Labels, float] = {}
        for each in samples:
            if each.name == self.name and all(each.labels.get(label) == value for label, value in self.where):
                kept = {label: each.labels[label] for label in self.by} if self.by else each.labels
                labels = frozenset(kept.items())
                found[labels] = max(found.get(labels, each.value), each.value)
        return found


@dataclass(frozen=True)
class Compared:
    """The metric against a number, or against another metric with the same labels `on`.

    of: the metric's value, the time since it (`age`), or the time until it (`left`). plus: added to the limit.
    """

    metric: Metric
    operator: Literal[">", "<", "=="]
    limit: float | Metric
    of: Literal["value", "age", "left"] = "value"
    on: tuple[str, ...] = ("shop",)
    plus: float = 0.0

    @property
    def value(self) -> str:
        text = self.metric.promql
        return {"value": text, "age": f"time() - {text}", "left": f"{text} - time()"}[self.of]

    @property
    def expression(self) -> str:
        if isinstance(self.limit, float | int):
            return f"{self.value} {self.operator} {self.limit + self.plus:.15g}"
        limit = f"({self.limit.promql} + {self.plus:.15g})" if self.plus else self.limit.promql
        left = f"({self.value})" if self.of != "value" else self.value
        return f"{left} {self.operator} on ({', '.join(self.on)}) group_left () {limit}"

    def hits(self, samples: Sequence[Sample], now: float) -> list[Hit]:
        hits = []
        for labels, raw in self.metric.find(samples).items():
            value = {"value": raw, "age": now - raw, "left": raw - now}[self.of]
            limit = self._limit(samples, labels)
            if limit is not None and self._holds(value, limit + self.plus):
                hits.append(Hit(dict(labels), value))
        return hits

    def _limit(self, samples: Sequence[Sample], labels: Labels) -> float | None:
        if isinstance(self.limit, float | int):
            return self.limit
        wanted = self._shared(labels)
        found = [value for other, value in self.limit.find(samples).items() if self._shared(other) == wanted]
        return found[0] if found else None

    def _shared(self, labels: Labels) -> Labels:
        return frozenset((label, value) for label, value in labels if label in self.on)

    def _holds(self, value: float, limit: float) -> bool:
        return {">": value > limit, "<": value < limit, "==": value == limit}[self.operator]


@dataclass(frozen=True)
class Without:
    """The metric where no sample of the other has the same labels `on`; silent while `unknown` is 0 there,
    because what could not be looked at is not missing.
    """

    metric: Metric
    other: Metric
    on: tuple[str, ...]
    unknown: Metric

    @property
    def value(self) -> str:
        return self.metric.promql

    @property
    def expression(self) -> str:
        return (
            f"({self.metric.promql} unless on ({', '.join(self.on)}) {self.other.promql})"
            f" unless on (shop) ({self.unknown.promql} == 0)"
        )

    def hits(self, samples: Sequence[Sample], now: float) -> list[Hit]:
        del now
        there = {self._shared(labels, self.on) for labels in self.other.find(samples)}
        blind = {self._shared(labels, ("shop",)) for labels, value in self.unknown.find(samples).items() if value == 0}
        return [
            Hit(dict(labels), value)
            for labels, value in self.metric.find(samples).items()
            if self._shared(labels, self.on) not in there and self._shared(labels, ("shop",)) not in blind
        ]

    def _shared(self, labels: Labels, on: tuple[str, ...]) -> Labels:
        return frozenset((label, value) for label, value in labels if label in on)


@dataclass(frozen=True)
class Both:
    """The first where the second holds for the same labels `on`."""

    first: Compared
    second: Compared
    on: tuple[str, ...]

    @property
    def value(self) -> str:
        return self.first.value

    @property
    def expression(self) -> str:
        return f"({self.first.expression}) and on ({', '.join(self.on)}) ({self.second.expression})"

    def hits(self, samples: Sequence[Sample], now: float) -> list[Hit]:
        second = {tuple(each.labels.get(label) for label in self.on) for each in self.second.hits(samples, now)}
        found = self.first.hits(samples, now)
        return [each for each in found if tuple(each.labels.get(label) for label in self.on) in second]
