"""Load results made of plain figures, for tests of judgement; and the truth about a stall."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from ecom_platform.load.histograms import Latencies
from ecom_platform.load.resources import Usage
from ecom_platform.load.results import ClassResult, LoadResult
from ecom_platform.verdicts import Outcome, Verdict


def latencies(values_ms: Sequence[float]) -> str:
    found = Latencies()
    for each in values_ms:
        found.record(each / 1000)
    return found.encode()


def result(
    *,
    requests: int = 1000,
    errors: Mapping[str, int] | None = None,
    slow_share: float = 0.0,
    slow_ms: float = 2000.0,
    service_slow_ms: float | None = None,
    planned: int | None = None,
    started: int | None = None,
    late: int = 0,
    crowded: int = 0,
    lag_ms: float = 1.0,
    in_time: int | None = None,
    faults: tuple[str, ...] = (),
    examples: Mapping[str, str] | None = None,
    usage: tuple[Usage, ...] = (Usage(1.0, 0.4, 0.3), Usage(2.0, 0.5, 0.3)),
) -> LoadResult:
    """A run of ten seconds: fast answers of 10 ms, of which a share took slow_ms, less the errors."""
    errors = errors or {}
    right = requests - sum(errors.values())
    slow = round(right * slow_share)
    fast = [10.0] * (right - slow)
    service = slow_ms if service_slow_ms is None else service_slow_ms
    shop = ClassResult(requests, errors, latencies([*fast, *[slow_ms] * slow]), latencies([*fast, *[service] * slow]))
    return LoadResult(
        run="run1",
        target="http://127.0.0.1:1",
        scenario="get",
        started_at=datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC),
        duration=10.0,
        seconds=10.0,
        processes=1,
        timeout=10.0,
        planned=requests if planned is None else planned,
        started=requests if started is None else started,
        in_time=right if in_time is None else in_time,
        late=late,
        crowded=crowded,
        lag=latencies([lag_ms] * max(1, requests)),
        generator_cpu=(0.2,),
        classes={"GET /": shop} if requests else {},
        examples=examples or dict.fromkeys(errors, "an example"),
        answers_by_second=((0, 10),),
        faults=faults,
        usage_of="a machine" if usage else "",
        usage=usage,
    )


def outcome(verdicts: Sequence[Verdict], words: str) -> Outcome:
    """The outcome of the one verdict whose claim holds the words."""
    found = [each for each in verdicts if words in each.claim]
    assert len(found) == 1, f"{words}: {[each.claim for each in verdicts]}"
    return found[0].outcome


def true_p99_ms(*, rate: float, requests: int, stall: float) -> float:
    """Of arrivals at an even rate of which those during the stall wait for its end, and the rest for nothing."""
    waits = sorted((max(0.0, stall - place / rate) for place in range(requests)), reverse=True)
    return waits[round(requests * 0.01)] * 1000
