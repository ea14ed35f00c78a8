"""Stage 5: customers at the front door for a bounded time; the figures, judged and kept."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import dagster as dg

from assets import validations
from ecom_platform import keys
from ecom_platform.failures import check_results, check_specs, observe, proved
from ecom_platform.platforms.protocol import Platform
from ecom_platform.records import Findings
from ecom_platform.release import operations
from ecom_platform.resources import Platforms
from ecom_platform.spec import Load, Shop, Stage

if TYPE_CHECKING:
    from ecom_platform.load.results import LoadResult

STAGE: Stage = "benchmarks"


def key(shop: Shop) -> dg.AssetKey:
    return dg.AssetKey(keys.service_path(shop, STAGE, "front-door"))


def build(shop: Shop) -> list[dg.AssetsDefinition]:
    return [_asset(shop, shop.load)] if shop.load and shop.services else []


class Measure(dg.Config):
    """suite: after the load test also ApacheBench and growing rates, and a dated folder with a report."""

    suite: bool = False


def _asset(shop: Shop, load: Load) -> dg.AssetsDefinition:
    from ecom_platform.load import gate

    @dg.asset(
        key=key(shop),
        group_name=STAGE,
        kinds={"locust", "parquet"},
        deps=[validations.service_key(shop, each.name) for each in shop.services],
        description=f"{load.rate:g} requests/s at the front door, judged by the spec's thresholds; with history.",
        check_specs=check_specs(key(shop), gate.CHECKS),
    )
    def benchmark(
        context: dg.AssetExecutionContext, config: Measure, platforms: dg.ResourceParam[Platforms]
    ) -> Iterator[object]:
        platform = platforms.of(shop)

        def look() -> "tuple[Findings, LoadResult]":
            released = operations.as_released(platform, shop)
            findings, result = gate.pass_gate(platform, released, load, progress=context.log.info)
            if config.suite:
                _run_suite(platform, released, load, findings, result, progress=context.log.info)
            return findings, result

        observation = observe(gate.CHECKS, look)
        yield from check_results(key(shop), gate.CHECKS, observation.findings)
        result = proved("the load gate", gate.CHECKS, observation)
        yield dg.MaterializeResult(metadata=result.to_metadata())

    return benchmark


def _run_suite(
    platform: Platform,
    shop: Shop,
    load: Load,
    findings: Findings,
    result: "LoadResult",
    *,
    progress: Callable[[str], None],
) -> None:
    """Also after a load test that failed: the report says which limit was met and what to change."""
    from ecom_platform.load.suite import run_suite, write_folder

    verdicts = {name: found[0] for name, found in findings.verdicts.items()}
    suite = run_suite(platform, shop, load, result, verdicts, progress=progress)
    folder = write_folder(suite, platform.reports() / "performance-results")
    progress(f"performance report: {folder / 'performance-report.html'}")
