"""The load gate of a shop: the spec's load against its front door, judged by the spec's thresholds.

Goes here: what the `benchmarks` stage does. Not here: how load is made (generator.py) or judged (judge.py).
"""

from __future__ import annotations

from collections.abc import Callable

from ecom_platform.clients.objects import ObjectStore, open_store
from ecom_platform.load.dataset import PREFIX, append
from ecom_platform.load.generator import Progress, run_load
from ecom_platform.load.judge import judge
from ecom_platform.load.plan import LoadPlan, steady
from ecom_platform.load.results import LoadResult
from ecom_platform.platforms.protocol import Platform
from ecom_platform.records import Findings
from ecom_platform.spec import Load, Shop
from ecom_platform.verdicts import worst

CHECKS = {
    "reached": "the front door answered",
    "schedule": "the generator kept its schedule, so its figures are those of the shop",
    "errors": "errors stay below the limit; an answer with wrong content is an error",
    "latency": "p95 from the intended start stays below the limit",
    "rate": "the wanted rate was held",
    "cpu": "CPU use stays below the limit",
    "memory": "memory use stays below the limit",
}


def plan_of(platform: Platform, shop: Shop, load: Load) -> LoadPlan:
    """Customers at the front door, at the spec's rate and for its time."""
    return steady(
        platform.address(shop.front_door, "active"),
        load.rate,
        load.duration.total_seconds(),
        scenario="shop",
        processes=load.processes,
    )


def pass_gate(
    platform: Platform, shop: Shop, load: Load, *, progress: Callable[[str], None]
) -> tuple[Findings, LoadResult]:
    """Run the load and judge it: verdicts for CHECKS, and what was seen."""
    plan = plan_of(platform, shop, load)
    progress(f"{plan.rate:g} requests/s for {plan.schedule.seconds:g} s at {plan.target}")
    workers = platform.load_workers()
    if workers:
        progress(f"by {len(workers)} load workers: {', '.join(workers)}")
    result = run_load(plan, progress=_tenths(progress), sampler=platform.load_sampler(), workers=workers)
    verdicts = judge(result, shop.thresholds, load)
    store, prefix = data_set_of(platform, shop)
    key = append(store, result, worst(verdicts), prefix=prefix, version=shop.front_door.version)
    progress(f"figures kept as {key} in {store.name}")
    return Findings({name: [verdict] for name, verdict in zip(CHECKS, verdicts, strict=True)}), result


def data_set_of(platform: Platform, shop: Shop) -> tuple[ObjectStore, str]:
    """Where the shop's benchmark data set lies: the spec's first store, and the prefix of its keys."""
    return open_store(platform.store(next(iter(shop.stores)))), f"{PREFIX}/{shop.shop}"


def _tenths(progress: Callable[[str], None]) -> Callable[[Progress], None]:
    """Tells the progress about ten times a run."""
    told = 0

    def tell(seen: Progress) -> None:
        nonlocal told
        tenth = int(10 * seen.seconds / seen.duration)
        if tenth > told:
            told = tenth
            progress(f"{seen.seconds:.0f} s: {seen.finished} requests answered, {seen.errors} wrong")

    return tell
