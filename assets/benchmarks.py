"""Stage 5: customers at the front door for a bounded time; the figures, judged and kept."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from assets import validations
from ecom_platform import keys
from ecom_platform.failures import check_results, check_specs, observe, proved
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
    def benchmark(context: dg.AssetExecutionContext, platforms: dg.ResourceParam[Platforms]) -> Iterator[object]:
        platform = platforms.of(shop)

        def look() -> "tuple[Findings, LoadResult]":
            released = operations.as_released(platform, shop)
            return gate.pass_gate(platform, released, load, progress=context.log.info)

        observation = observe(gate.CHECKS, look)
        yield from check_results(key(shop), gate.CHECKS, observation.findings)
        result = proved("the load gate", gate.CHECKS, observation)
        yield dg.MaterializeResult(metadata=result.to_metadata())

    return benchmark
