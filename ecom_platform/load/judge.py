"""Verdicts on a load test: each limit passed, failed or inconclusive, with its figures. Pure.

A generator that fell behind its schedule proves nothing good: what would have passed is inconclusive,
and what fails does so only by figures that the generator's own delay cannot have made.
"""

from __future__ import annotations

import math

from ecom_platform.load.histograms import Latencies
from ecom_platform.load.resources import mean_cpu, peak_memory
from ecom_platform.load.results import LoadResult, rule_of_three
from ecom_platform.spec import Load, Thresholds
from ecom_platform.verdicts import Outcome, Verdict, failed, inconclusive, passed

P95_SAMPLES = 200
"""Ten values beyond the percentile; with fewer, one slow answer more or less moves it far."""
LATE_SHARE = 0.05
"""Of arrivals that the generator may start late. The percentile that is judged looks at the slowest 5 %, and
a late start counts against the target, so fewer cannot make it look fast."""
HOLE_MS = 1000.0
"""A delay of the generator that left the target without load for so long is no load test."""
BUSY_CORES = 0.95
"""Of one core, which is all that a worker process can use: above it answers wait for the generator."""
HELD_SHARE = 0.99
"""Of the wanted rate that must have been answered: the schedule's edges cost a part of a percent."""


def judge(result: LoadResult, thresholds: Thresholds, load: Load) -> list[Verdict]:
    """The load gate: the five verdicts of judge_requests and the two of judge_usage, in their order."""
    verdicts = judge_requests(
        result,
        p95_ms=thresholds.p95_ms,
        error_rate=thresholds.error_rate,
        requests_per_second=thresholds.requests_per_second,
        minimum_requests=load.minimum_requests,
    )
    return [*verdicts, *judge_usage(result, thresholds.utilisation)]


def judge_requests(
    result: LoadResult,
    *,
    p95_ms: float,
    error_rate: float,
    requests_per_second: float,
    minimum_requests: int = 1,
) -> list[Verdict]:
    """Verdicts on the target's presence, the schedule, the errors, the latency and the rate, in this order."""
    behind = why_behind(result)
    return [
        _reached(result),
        _kept_schedule(result, behind),
        _errors(result, error_rate, max(minimum_requests, rule_of_three(error_rate)), behind),
        _latency(result, p95_ms, max(minimum_requests, P95_SAMPLES), behind),
        _rate(result, requests_per_second, minimum_requests, behind),
    ]


def why_behind(result: LoadResult) -> str:
    """Why the generator did not offer what was planned, for people; "" if it did."""
    if result.faults:
        return f"worker process without a result: {result.faults[0]}"
    if result.planned and result.started < result.planned * HELD_SHARE:
        return f"the generator started {result.started} of {result.planned} requests in time"
    worst = Latencies.decode(result.lag).percentiles().max or 0.0
    if result.late > result.started * LATE_SHARE or worst > HOLE_MS:
        return f"the generator started {result.late} of {result.started} requests late, by up to {worst:.0f} ms"
    if result.crowded > result.started * LATE_SHARE:
        return f"{result.crowded} of {result.started} requests found all of the generator's connections in use"
    if max(result.generator_cpu, default=0.0) > BUSY_CORES:
        return f"a generator process was busy for {max(result.generator_cpu):.0%} of the time"
    return ""


def _reached(result: LoadResult) -> Verdict:
    claim = "the target answers"
    if not result.requests and "unresolved" not in result.examples:
        return inconclusive(claim, "no request was sent")
    if result.answered:
        return passed(claim, f"{result.answered} of {result.requests} requests were answered", requests=result.requests)
    return failed(claim, f"{result.target} does not answer: {_causes(result)}", requests=result.requests)


def _kept_schedule(result: LoadResult, behind: str) -> Verdict:
    claim = "the generator kept its schedule"
    if behind:
        return inconclusive(claim, behind, planned=result.planned, started=result.started, late=result.late)
    if not result.started:
        return inconclusive(claim, "no request was due")
    lag = Latencies.decode(result.lag).percentiles().p99 or 0.0
    return passed(claim, f"{result.started} of {result.planned} started, 99 % within {lag:.1f} ms", lag_p99_ms=lag)


def _errors(result: LoadResult, limit: float, minimum: int, behind: str) -> Verdict:
    claim = f"fewer than {limit:.3g} of all requests go wrong"
    requests, errors = result.requests, result.errors
    if not requests:
        return inconclusive(claim, "no request was sent")
    rate = errors / requests
    numbers = {"observed": rate, "limit": limit, "errors": float(errors), "samples": float(requests)}
    seen = f"{errors} of {requests} ({rate:.2%})" + (f": {_causes(result)}" if errors else "")
    # Even the most favourable reading of few requests may be too many errors.
    if wilson_lower(errors, requests) >= limit:
        return Verdict(claim, Outcome.FAILED, seen, numbers)
    if requests < minimum:
        return Verdict(claim, Outcome.INCONCLUSIVE, f"{seen}; this claim needs {minimum} requests", numbers)
    if behind:
        return Verdict(claim, Outcome.INCONCLUSIVE, f"{seen}; {behind}", numbers)
    return Verdict(claim, Outcome.PASSED if rate < limit else Outcome.FAILED, seen, numbers)


def _latency(result: LoadResult, limit: float, minimum: int, behind: str) -> Verdict:
    claim = f"p95 stays below {limit:g} ms"
    latencies = result.latencies()
    p95 = latencies.percentile(95)
    if p95 is None:
        return inconclusive(claim, "no latency was measured")
    numbers = {"observed": p95, "limit": limit, "samples": float(latencies.count)}
    seen = f"p95 {p95:.4g} ms of {latencies.count} requests, from their intended start"
    if latencies.count < minimum:
        return Verdict(claim, Outcome.INCONCLUSIVE, f"{seen}; this claim needs {minimum}", numbers)
    if behind:
        service = result.services().percentile(95) or 0.0
        if service >= limit:
            return Verdict(claim, Outcome.FAILED, f"the target alone took p95 {service:.4g} ms", numbers)
        return Verdict(claim, Outcome.INCONCLUSIVE, f"{seen}; {behind}", numbers)
    return Verdict(claim, Outcome.PASSED if p95 < limit else Outcome.FAILED, seen, numbers)


def _rate(result: LoadResult, wanted: float, minimum: int, behind: str) -> Verdict:
    claim = f"{wanted:.6g} requests/s are held for {result.duration:g} s"
    achieved, offered = result.achieved_rate, result.offered_rate
    numbers = {"observed": achieved, "offered": offered, "limit": wanted, "samples": float(result.requests)}
    seen = f"{achieved:.1f} right answers/s of {offered:.1f} requests/s offered"
    if not result.requests:
        return inconclusive(claim, "no request was sent")
    if behind:
        return Verdict(claim, Outcome.INCONCLUSIVE, f"{seen}; {behind}", numbers)
    if offered < wanted * HELD_SHARE:
        return Verdict(claim, Outcome.INCONCLUSIVE, f"{seen}: the schedule asked for less", numbers)
    if result.requests < minimum:
        return Verdict(claim, Outcome.INCONCLUSIVE, f"{seen}; this claim needs {minimum} requests", numbers)
    return Verdict(claim, Outcome.PASSED if achieved >= wanted * HELD_SHARE else Outcome.FAILED, seen, numbers)


def judge_usage(result: LoadResult, limit: float) -> list[Verdict]:
    """Mean CPU and peak memory of the target below the limit (a share)."""
    figures = {"cpu": mean_cpu(result.usage), "memory": peak_memory(result.usage)}
    return [_used(name, share, limit, result) for name, share in figures.items()]


def _used(name: str, share: float | None, limit: float, result: LoadResult) -> Verdict:
    claim = f"{name} use stays below {limit:.0%}"
    if share is None or math.isnan(share) or not result.requests:
        return inconclusive(claim, "not measured under load")
    numbers = {"observed": share, "limit": limit, "samples": float(len(result.usage))}
    seen = f"{share:.0%} of {result.usage_of}"
    return Verdict(claim, Outcome.PASSED if share < limit else Outcome.FAILED, seen, numbers)


def _causes(result: LoadResult) -> str:
    """The kinds of errors, the most frequent first, with an example of each."""
    kinds = [f"{kind} {count} times ({result.examples.get(kind, '')})" for kind, count in result.errors_by_kind.items()]
    return "; ".join(kinds[:3]) or "; ".join(result.examples.values())


def wilson_lower(hits: int, samples: int, z: float = 1.96) -> float:
    """The lower end of Wilson's 95 % interval for a share."""
    share = hits / samples
    middle = share + z * z / (2 * samples)
    spread = z * math.sqrt(share * (1 - share) / samples + z * z / (4 * samples * samples))
    return (middle - spread) / (1 + z * z / samples)
