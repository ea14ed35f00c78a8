"""What follows from a benchmark's figures: which limit was met first, and what to change. Pure.

Every sentence comes from a verdict or a figure of the run; where the figures do not say, the advice says that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ecom_platform.load.results import LoadResult
from ecom_platform.verdicts import Outcome, Verdict

NEAR = 0.8
"""Of a limit: what uses more of it is named although it still holds."""


@dataclass(frozen=True)
class RampStep:
    """A short test at a rate. verdicts: by the names of the load gate's checks."""

    rate: float
    result: LoadResult
    verdicts: Mapping[str, Verdict]

    @property
    def broken(self) -> dict[str, Verdict]:
        return {name: each for name, each in self.verdicts.items() if each.outcome is not Outcome.PASSED}


def recommendations(result: LoadResult, verdicts: Mapping[str, Verdict], ramp: Sequence[RampStep]) -> list[str]:
    """Sentences, the most important first."""
    broken = {name: each for name, each in verdicts.items() if each.outcome is not Outcome.PASSED}
    found = [_because(name, each, result, verdicts) for name, each in broken.items()]
    if not broken:
        found += [_first_limit(ramp, result)]
        found += [_near(name, each) for name, each in verdicts.items() if _share_used(name, each) > NEAR]
    return found


def held_rate(result: LoadResult, verdicts: Mapping[str, Verdict], ramp: Sequence[RampStep]) -> float | None:
    """The highest rate that held every limit; None when the first one did not."""
    if any(each.outcome is not Outcome.PASSED for each in verdicts.values()):
        return None
    held = [step.rate for step in ramp if not step.broken]
    return max([result.offered_rate, *held])


def _first_limit(ramp: Sequence[RampStep], result: LoadResult) -> str:
    first = next((step for step in ramp if step.broken), None)
    if first is None:
        most = max([result.offered_rate, *(step.rate for step in ramp)])
        return f"No limit was met up to {most:.0f} requests/s; a higher rate was not tried."
    # The schedule breaks with whatever slows the generator; the shop's own limits say more.
    name, verdict = next(iter({**{k: v for k, v in first.broken.items() if k != "schedule"}, **first.broken}.items()))
    reason = _because(name, verdict, first.result, first.verdicts)
    return f"At {first.rate:.0f} requests/s the first limit was met: {reason}"


def _because(name: str, verdict: Verdict, result: LoadResult, verdicts: Mapping[str, Verdict]) -> str:
    seen = f"{verdict.claim}: {verdict.outcome} ({verdict.seen}). "
    if verdict.outcome is Outcome.INCONCLUSIVE:
        return seen + _inconclusive(name, verdicts)
    advice = {
        "reached": "Nobody answers at the front door: `ecom status`, and the log of the frontend.",
        "errors": _errors(result),
        "latency": _slow(verdicts),
        "rate": _slow(verdicts),
        "cpu": "Processors are the limit: more replicas on more cores, or less work per request.",
        "memory": "Memory is the limit: fewer or smaller processes, or more of it; look for a leak if it only grows.",
        "schedule": _inconclusive(name, verdicts),
    }
    return seen + advice[name]


def _inconclusive(name: str, verdicts: Mapping[str, Verdict]) -> str:
    schedule = verdicts.get("schedule")
    if schedule and schedule.outcome is not Outcome.PASSED:
        return (
            "The generator met its own limit, so nothing is known of the shop beyond: more `load.processes`, a free "
            "core for the generator, or another machine for it."
        )
    if name in ("cpu", "memory"):
        return "Resource use could not be sampled: run it where the shop's processes can be seen."
    return "Too little was measured: a longer or a faster load (`load` in the spec)."


def _errors(result: LoadResult) -> str:
    kind = next(iter(result.errors_by_kind), "")
    advice = {
        "status_503": "The backend says 503 when the database does not serve: its connections (`DATABASE_POOL`, "
        "`max_connections`), locks, and its log.",
        "status_502": "The front door finds no backend: do instances restart? `ecom logs backend`.",
        "timeout": "Answers do not come in time: see where they wait, connections of the database first.",
        "refused": "Nobody listens there: an instance ended. `ecom status`, `ecom logs backend`.",
        "closed": "Connections end in the middle of an answer: an instance that dies or restarts.",
        "wrong_content": "Answers come and are wrong; that is a bug, not a limit.",
    }
    return advice.get(kind, "The backend's log names the cause: `ecom logs backend`.")


def _slow(verdicts: Mapping[str, Verdict]) -> str:
    cpu = verdicts.get("cpu")
    share = _share_used("cpu", cpu) if cpu else 0.0
    if share > NEAR:
        return "Processors are in use up to their limit: more replicas on more cores, or less work per request."
    return (
        "Processors are not the reason: look where requests wait. On the dashboard, connections of the database in "
        "use up to their limit and the time of queries; in the server's log, locks."
    )


def _near(name: str, verdict: Verdict) -> str:
    return f"{verdict.claim}: it holds, with {_share_used(name, verdict):.0%} of the limit in use ({verdict.seen})."


def _share_used(name: str, verdict: Verdict) -> float:
    observed, limit = verdict.numbers.get("observed"), verdict.numbers.get("limit")
    if name == "rate" or observed is None or not limit:  # a rate that is held is met, not used up
        return 0.0
    return observed / limit
