"""Two versions side by side on one machine: rounds of load in turn, and the verdict on them.

How rounds are compared is comparison.py's business. A round that the generator could not keep, or that
had no right answers, makes the comparison inconclusive: its figure would be of something else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ecom_platform.load.comparison import LEAST_ROUNDS, Arm, compare, interleaved, no_slower
from ecom_platform.load.generator import run_load
from ecom_platform.load.judge import P95_SAMPLES, why_behind
from ecom_platform.load.plan import LoadPlan
from ecom_platform.load.results import LoadResult
from ecom_platform.records import Record
from ecom_platform.verdicts import Verdict, inconclusive


@dataclass(frozen=True)
class Rounds(Record):
    """Every round in its order, with the arm that it belongs to: A and A' are the old version, B the new one."""

    rounds: tuple[tuple[Arm, LoadResult], ...]

    def p95_ms(self, arm: Arm) -> list[float]:
        figures = [result.percentiles().p95 for each, result in self.rounds if each == arm]
        return [figure for figure in figures if figure is not None]

    def to_metadata(self) -> dict[str, Any]:
        return {
            "rounds": [
                {"arm": arm, "target": result.target, "requests": result.requests, "errors": result.errors}
                | {"latency_ms": result.percentiles().as_dict()}
                for arm, result in self.rounds
            ]
        }


def run_rounds(
    before: LoadPlan,
    after: LoadPlan,
    *,
    rounds: int = LEAST_ROUNDS,
    progress: Callable[[int, int, Arm], None] = lambda _done, _all, _arm: None,
    workers: Sequence[str] = (),
) -> Rounds:
    """`rounds` of each arm in turn: before, after, and before again for the noise. The plans say how long each is.

    progress: called before each round with its number from 0, the number of all, and its arm. workers: as of
    run_load. Raises what that raises.
    """
    order = interleaved(rounds)
    found: list[tuple[Arm, LoadResult]] = []
    for number, arm in enumerate(order):
        progress(number, len(order), arm)
        found.append((arm, run_load(after if arm == "B" else before, workers=workers)))
    return Rounds(tuple(found))


def judge_rounds(found: Rounds, *, allowed: float) -> Verdict:
    """The verdict on "the new version's p95 is not above the old one's by more than `allowed`" (a share)."""
    claim = f"p95 is no slower than before by more than {allowed:.3g} of it"
    if not found.rounds:
        return inconclusive(claim, "no round was run")
    for number, (arm, result) in enumerate(found.rounds):
        samples = result.latencies().count
        reason = why_behind(result) or (f"{samples} latencies, {P95_SAMPLES} are needed" * (samples < P95_SAMPLES))
        if reason:
            return inconclusive(claim, f"round {number} ({arm}): {reason}")
    return no_slower(compare(found.p95_ms("A"), found.p95_ms("B"), found.p95_ms("A'")), allowed=allowed)
