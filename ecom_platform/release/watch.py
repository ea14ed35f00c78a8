"""The dwell: people use the new version, and it is watched for errors and slowness until it may be promoted.

Two witnesses: bounded probes at the front door, whose every answer is kept, and what the instances count of
live traffic. A failure that is sure ends the watch at once; what is not sure is judged at its end.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ecom_platform.load import ledger
from ecom_platform.load.judge import P95_SAMPLES
from ecom_platform.load.ledger import Answered, Ledger
from ecom_platform.platforms.protocol import Instance, Platform
from ecom_platform.release import live_traffic
from ecom_platform.spec import Service, Shop
from ecom_platform.verdicts import Outcome, Verdict

LOOK_SECONDS = 0.5
METRICS_SECONDS = 5.0
RECENT = 2 * P95_SAMPLES
"""Probes that are looked at for sudden slowness: twice as many as a 95th percentile needs."""


@dataclass(frozen=True)
class Watched:
    """What the watch saw. seconds: how long it took; it ends early when a failure is sure."""

    verdicts: tuple[Verdict, ...]
    answers: tuple[Answered, ...]
    seconds: float


def paths_of(service: Service) -> list[tuple[str, str]]:
    """What probes ask for: who answers, and every endpoint that answers 200."""
    endpoints = [(each.path, each.contains) for each in service.endpoints if each.status == 200]
    return [(service.probes.version, ""), *endpoints]


def watch(
    platform: Platform,
    shop: Shop,
    instances: Callable[[], tuple[Instance, ...]],
    interrupted: Callable[[], None],
    *,
    fresh: bool,
) -> Watched:
    """Watch the front door for the spec's dwell. interrupted: raises when somebody asks to end.

    instances: those of the new colour, as they are now.
    """
    front, wanted = shop.front_door, shop.release.dwell.total_seconds()
    address = platform.address(front, "active")
    began = time.monotonic()
    before = live_traffic.read(instances())
    with Ledger(address, paths_of(front), rate=shop.release.probes, seconds=wanted + 60, fresh=fresh) as probes:
        end, next_metrics = time.monotonic() + wanted, time.monotonic() + METRICS_SECONDS
        sure: list[Verdict] = []
        while time.monotonic() < end and not sure:
            time.sleep(LOOK_SECONDS)
            interrupted()
            sure = _surely_failed(probes.so_far(), shop)
            if not sure and time.monotonic() >= next_metrics:
                next_metrics += METRICS_SECONDS
                sure = [each for each in _traffic(before, instances(), shop) if each.outcome is Outcome.FAILED]
        answers = probes.finish()
    verdicts = sure or [*_final(answers, shop, probes.paths), *_traffic(before, instances(), shop)]
    return Watched(tuple(verdicts), tuple(answers), time.monotonic() - began)


def _traffic(before: dict[str, live_traffic.Counted], instances: tuple[Instance, ...], shop: Shop) -> list[Verdict]:
    counted = live_traffic.between(before, live_traffic.read(instances))
    limits = shop.thresholds
    return live_traffic.judge(counted, error_rate=limits.error_rate, p95_ms=limits.p95_ms)


def _surely_failed(answers: Sequence[Answered], shop: Shop) -> list[Verdict]:
    """Too many errors whatever comes, or the newest requests too slow."""
    found = []
    errors = ledger.few_errors(answers, shop.thresholds.error_rate, final=False)
    if errors is not None and errors.outcome is Outcome.FAILED:
        found.append(errors)
    slow = ledger.quick(answers[-RECENT:], shop.thresholds.p95_ms, f"p95 of the newest {RECENT} probes")
    if slow.outcome is Outcome.FAILED:
        found.append(slow)
    return found


def _final(answers: Sequence[Answered], shop: Shop, paths: Sequence[tuple[str, str]]) -> list[Verdict]:
    limits = shop.thresholds
    errors = ledger.few_errors(answers, limits.error_rate, final=True)
    verdicts = [*([errors] if errors else []), ledger.quick(answers, limits.p95_ms)]
    for place, (path, _) in enumerate(paths):
        own = [each for each in answers if each.path == place]
        if len(own) >= P95_SAMPLES:
            verdicts.append(ledger.quick(own, limits.p95_ms, f"p95 of {path}"))
    return verdicts
