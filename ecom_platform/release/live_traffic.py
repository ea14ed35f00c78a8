"""What the instances themselves count while people use them: answers by status and how long they took.

Read from /metrics in Prometheus form, by its usual names. Pure but for the reading.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ecom_platform.clients.web import session
from ecom_platform.errors import UnreachableError
from ecom_platform.load.judge import P95_SAMPLES, wilson_lower
from ecom_platform.platforms.protocol import Instance
from ecom_platform.verdicts import Verdict, failed, passed

_LINE = re.compile(r"^(http_requests_total|http_request_duration_seconds_bucket)\{([^}]*)\}\s+([0-9.eE+]+)", re.M)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Counted:
    """Since an instance began. buckets: answers up to so many seconds, cumulative."""

    answers: float = 0.0
    errors: float = 0.0
    buckets: Mapping[float, float] = field(default_factory=dict)


def parse(text: str) -> Counted:
    """The sums over all labels; an answer of 5xx is an error."""
    answers = errors = 0.0
    buckets: dict[float, float] = {}
    for name, labels, value in _LINE.findall(text):
        about = dict(_LABEL.findall(labels))
        if name == "http_requests_total":
            answers += float(value)
            errors += float(value) if about.get("status", "").startswith("5") else 0.0
        else:
            limit = math.inf if about.get("le") == "+Inf" else float(about.get("le", "inf"))
            buckets[limit] = buckets.get(limit, 0.0) + float(value)
    return Counted(answers, errors, buckets)


def read(instances: tuple[Instance, ...]) -> dict[str, Counted]:
    """By instance; those that tell nothing of this kind are left out."""
    found = {}
    for each in instances:
        try:
            with session(each.url, seconds=2) as direct:
                answer = direct.get("/metrics")
        except UnreachableError:
            continue  # whether it answers is what the probes say
        if answer.status == 200 and "http_requests_total" in answer.text:
            found[each.name] = parse(answer.text)
    return found


def between(before: Mapping[str, Counted], after: Mapping[str, Counted]) -> Counted:
    """What all instances together counted meanwhile; one that began anew counts from nothing."""
    answers = errors = 0.0
    buckets: dict[float, float] = {}
    for name, now in after.items():
        then = before.get(name, Counted())
        then = then if then.answers <= now.answers else Counted()
        answers += now.answers - then.answers
        errors += now.errors - then.errors
        for limit, count in now.buckets.items():
            buckets[limit] = buckets.get(limit, 0.0) + count - then.buckets.get(limit, 0.0)
    return Counted(answers, errors, buckets)


def judge(counted: Counted, *, error_rate: float, p95_ms: float) -> list[Verdict]:
    """Verdicts on live traffic, as far as there was enough of it; the probes speak for a shop without any."""
    verdicts = []
    if counted.answers:
        claim = f"live traffic: errors stay below {error_rate:.2%} of answers"
        numbers = {"observed": counted.errors / counted.answers, "limit": error_rate, "samples": counted.answers}
        seen = f"{counted.errors:.0f} of {counted.answers:.0f} answers were 5xx"
        surely = wilson_lower(int(counted.errors), int(counted.answers)) >= error_rate
        verdicts.append((failed if surely else passed)(claim, seen, **numbers))
    total = counted.buckets.get(math.inf, 0.0)
    if total >= P95_SAMPLES:
        low, high = _bucket(counted.buckets, 0.95 * total)
        claim = f"live traffic: p95 stays below {p95_ms:g} ms"
        numbers = {"above": low * 1000, "limit": p95_ms, "samples": total}
        seen = f"between {low * 1000:g} and {high * 1000:g} ms of {total:.0f} answers"
        verdicts.append((failed if low * 1000 >= p95_ms else passed)(claim, seen, **numbers))
    return verdicts


def _bucket(buckets: Mapping[float, float], rank: float) -> tuple[float, float]:
    """The bounds of the bucket that holds that rank."""
    low = 0.0
    for limit in sorted(buckets):
        if buckets[limit] >= rank:
            return low, limit
        low = limit
    return low, math.inf
