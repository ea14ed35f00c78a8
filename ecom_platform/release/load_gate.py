"""The load gate of a release: customers at the preview for a bounded time, and the comparison with what is live."""

from __future__ import annotations

from collections.abc import Callable

from ecom_platform.load.comparison import LEAST_ROUNDS, Arm
from ecom_platform.load.generator import run_load
from ecom_platform.load.judge import P95_SAMPLES, judge
from ecom_platform.load.plan import LoadPlan, steady
from ecom_platform.load.rounds import judge_rounds, run_rounds
from ecom_platform.platforms.protocol import Platform
from ecom_platform.release.driver import Seen
from ecom_platform.spec import Load, Shop
from ecom_platform.verdicts import Outcome, Verdict, worst

ROUND_REQUESTS = int(P95_SAMPLES * 1.2)
"""Requests of a round of the comparison: what its percentile needs, and some to spare."""


ATTEMPTS = 3
"""Of a gate that could not judge, as on a machine that was busy for a moment; nobody uses the new version yet."""


def pass_gates(platform: Platform, shop: Shop, look_up: Callable[[], None], progress: Callable[[str], None]) -> Seen:
    """look_up: raises when somebody asks to end; it is asked all the time. shop: with the new services."""
    for _ in range(ATTEMPTS):
        seen = _judged(platform, shop, look_up, progress)
        if worst(seen.verdicts) is not Outcome.INCONCLUSIVE:
            break
        unclear = [str(each) for each in seen.verdicts if each.outcome is Outcome.INCONCLUSIVE]
        progress(f"the load gate is {unclear[0]}")
    return seen


def _judged(platform: Platform, shop: Shop, look_up: Callable[[], None], progress: Callable[[str], None]) -> Seen:
    load = (shop.load or Load()).model_copy(update={"duration": shop.release.load})
    target = platform.address(shop.front_door, "preview")
    plan = _plan(shop, load, target, load.duration.total_seconds())
    progress(f"{plan.rate:g} requests/s for {plan.schedule.seconds:g} s at the preview")
    workers = platform.load_workers()
    if workers:
        progress(f"by {len(workers)} load workers: {', '.join(workers)}")
    result = run_load(plan, progress=lambda _: look_up(), sampler=platform.load_sampler(), workers=workers)
    # A gate of less load than the thresholds ask for claims no more than it tried.
    rate = min(shop.thresholds.requests_per_second, load.rate)
    verdicts = judge(result, shop.thresholds.model_copy(update={"requests_per_second": rate}), load)
    p95 = result.percentiles().p95
    facts = {"load_requests": float(result.requests), "load_errors": float(result.errors)}
    facts |= {"load_p95_ms": round(p95, 2)} if p95 is not None else {}
    if shop.release.allowed_slow_down is not None and worst(verdicts) is Outcome.PASSED:
        verdicts = [*verdicts, _no_slower(platform, shop, load, look_up, progress)]
    return Seen(verdicts, facts)


def _no_slower(
    platform: Platform, shop: Shop, load: Load, look_up: Callable[[], None], progress: Callable[[str], None]
) -> Verdict:
    """Rounds in turn at the active and the preview address; GETs, for neither is to be filled with orders."""
    assert shop.release.allowed_slow_down is not None
    seconds = max(1.0, ROUND_REQUESTS / load.rate)
    plans = [
        steady(platform.address(shop.front_door, which) + shop.release.path, load.rate, seconds, processes=1)
        for which in ("active", "preview")
    ]

    def tell(number: int, of: int, arm: Arm) -> None:
        look_up()
        if number % 6 == 0:
            progress(f"round {number + 1} of {of} beside the live version ({arm})")

    # One of them is enough, and what it measures is of one place.
    workers = platform.load_workers()[:1]
    found = run_rounds(plans[0], plans[1], rounds=LEAST_ROUNDS, progress=tell, workers=workers)
    return judge_rounds(found, allowed=shop.release.allowed_slow_down)


def _plan(shop: Shop, load: Load, target: str, seconds: float) -> LoadPlan:
    if shop.release.scenario == "shop":
        return steady(target, load.rate, seconds, scenario="shop", processes=load.processes)
    return steady(target + shop.release.path, load.rate, seconds, processes=load.processes)
