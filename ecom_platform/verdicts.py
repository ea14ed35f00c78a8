"""Pure judgement: an observation against an expectation. No I/O, no clock, no Dagster.

A verdict is passed, failed or inconclusive. Inconclusive means that the evidence is not
enough to say; it is never a pass, and an empty list of verdicts is inconclusive.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"

    @property
    def exit_code(self) -> int:
        """0 passed, 1 failed, 3 inconclusive; 2 is kept for usage and configuration."""
        return {Outcome.PASSED: 0, Outcome.FAILED: 1, Outcome.INCONCLUSIVE: 3}[self]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was claimed, what was seen, and whether the claim holds.

    numbers: the figures behind the verdict, by name with unit ("p95_ms").
    """

    claim: str
    outcome: Outcome
    seen: str
    numbers: Mapping[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return self.outcome is Outcome.PASSED

    def as_dict(self) -> dict[str, Any]:
        return {
            "claim": self.claim,
            "outcome": self.outcome.value,
            "seen": self.seen,
            "numbers": dict(self.numbers),
        }

    def __str__(self) -> str:
        return f"{self.outcome}: {self.claim} ({self.seen})"


def from_dict(stored: Mapping[str, Any]) -> Verdict:
    """The inverse of as_dict."""
    return Verdict(stored["claim"], Outcome(stored["outcome"]), stored["seen"], stored["numbers"])


def passed(claim: str, seen: str, **numbers: float) -> Verdict:
    return Verdict(claim, Outcome.PASSED, seen, numbers)


def failed(claim: str, seen: str, **numbers: float) -> Verdict:
    return Verdict(claim, Outcome.FAILED, seen, numbers)


def inconclusive(claim: str, seen: str, **numbers: float) -> Verdict:
    return Verdict(claim, Outcome.INCONCLUSIVE, seen, numbers)


def holds(claim: str, condition: object, seen: str, **numbers: float) -> Verdict:
    """Passed if the condition is true (as Python sees it), else failed; for claims that are simply seen or not."""
    return Verdict(claim, Outcome.PASSED if condition else Outcome.FAILED, seen, numbers)


def equal(claim: str, expected: object, observed: object) -> Verdict:
    if expected == observed:
        return passed(claim, f"{observed}")
    return failed(claim, f"expected {expected}, saw {observed}")


def at_most(
    claim: str, observed: float | None, limit: float, *, unit: str = "", samples: int | None = None, minimum: int = 1
) -> Verdict:
    """The observation is at most the limit; without enough samples it is inconclusive."""
    wanted = f"at most {limit:g} {unit}".strip()
    if observed is None or math.isnan(observed) or _too_few(samples, minimum):
        return _unmeasured(claim, wanted, samples, minimum)
    outcome = Outcome.PASSED if observed <= limit else Outcome.FAILED
    return Verdict(claim, outcome, _seen(observed, unit, wanted), _numbers(observed, limit, samples))


def at_least(
    claim: str, observed: float | None, limit: float, *, unit: str = "", samples: int | None = None, minimum: int = 1
) -> Verdict:
    """The observation is at least the limit; without enough samples it is inconclusive."""
    wanted = f"at least {limit:g} {unit}".strip()
    if observed is None or math.isnan(observed) or _too_few(samples, minimum):
        return _unmeasured(claim, wanted, samples, minimum)
    outcome = Outcome.PASSED if observed >= limit else Outcome.FAILED
    return Verdict(claim, outcome, _seen(observed, unit, wanted), _numbers(observed, limit, samples))


def _too_few(samples: int | None, minimum: int) -> bool:
    return samples is not None and samples < minimum


def _unmeasured(claim: str, wanted: str, samples: int | None, minimum: int) -> Verdict:
    if samples is None or not _too_few(samples, minimum):
        return inconclusive(claim, f"not measured; wanted {wanted}")
    return inconclusive(claim, f"{samples} samples, this claim needs {minimum}; wanted {wanted}", samples=samples)


def _seen(observed: float, unit: str, wanted: str) -> str:
    return f"{observed:.4g} {unit}".strip() + f", wanted {wanted}"


def _numbers(observed: float, limit: float, samples: int | None) -> dict[str, float]:
    return {"observed": observed, "limit": limit} | ({} if samples is None else {"samples": float(samples)})


def worst(verdicts: Iterable[Verdict]) -> Outcome:
    """Failed beats inconclusive beats passed; nothing at all is inconclusive."""
    outcomes = {each.outcome for each in verdicts}
    for outcome in (Outcome.FAILED, Outcome.INCONCLUSIVE, Outcome.PASSED):
        if outcome in outcomes:
            return outcome
    return Outcome.INCONCLUSIVE
