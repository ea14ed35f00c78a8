"""Stage 7: each disaster rehearsed with a stopwatch, on a copy of the shop; what it took, and what was lost."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import dagster as dg

from assets import restores
from ecom_platform import keys, policies
from ecom_platform.errors import ConfigurationError
from ecom_platform.evidence_log import restore_history
from ecom_platform.failures import as_dagster_failures, check_results, check_specs, observe, proved
from ecom_platform.records import Findings
from ecom_platform.recovery import drills, forecast
from ecom_platform.recovery.checks import DATABASE_LOST
from ecom_platform.recovery.drills import Drill
from ecom_platform.recovery.giving_way import beside
from ecom_platform.recovery.record import DrillRecord
from ecom_platform.resources import Platforms
from ecom_platform.spec import Shop, Stage
from ecom_platform.verdicts import Outcome

STAGE: Stage = "drills"
Result = tuple[Findings, DrillRecord]


class Variant(dg.Config):
    """variant: one of the drill's; empty for the one whose turn it is this week."""

    variant: str = ""


def key(shop: Shop, drill: str) -> dg.AssetKey:
    return dg.AssetKey(keys.service_path(shop, STAGE, drill))


def build(shop: Shop) -> list[dg.AssetsDefinition]:
    return [_asset(shop, each) for each in drills.of(shop)]


def _asset(shop: Shop, drill: Drill) -> dg.AssetsDefinition:
    asset_key = key(shop, drill.name)

    @dg.asset(
        key=asset_key,
        group_name=STAGE,
        kinds={"stopwatch"},
        deps=[restores.database_key(shop, each.name) for each in shop.databases],
        description=f"{drill.title}: rehearsed on a copy, from the fault to the first good purchase.",
        check_specs=check_specs(asset_key, drill.checks),
        pool=policies.drill_pool(shop.shop),
        freshness_policy=policies.drill_freshness(whole=drill.whole),
    )
    def rehearsed(
        context: dg.AssetExecutionContext, config: Variant, platforms: dg.ResourceParam[Platforms]
    ) -> Iterator[object]:
        variant = config.variant or drill.variant_of(shop, datetime.now(UTC).date())
        with as_dagster_failures():
            refuse_unknown(drill, shop, variant)
        live = platforms.of(shop)

        def run() -> Result:
            return beside(live, lambda progress: drill.run(live, shop, variant, progress), context.log.info)

        observation = observe(drill.checks, run)
        if drill.name == DATABASE_LOST:
            observation = replace(observation, findings=_with_forecast(observation.findings, context.instance, shop))
        yield from check_results(asset_key, drill.checks, observation.findings)
        record = proved(f"the drill {drill.name}", drill.checks, observation)
        yield dg.MaterializeResult(metadata=record.to_metadata())

    return rehearsed


def _with_forecast(findings: Findings, instance: dg.DagsterInstance, shop: Shop) -> Findings:
    """The time of today's recovery, and beside it that of the days to come, as soon as there is enough to know it."""
    database = shop.databases[0]
    verdict = forecast.judge(restore_history(instance, shop, database.name), database.rto.total_seconds())
    known = [verdict] if verdict.outcome is not Outcome.INCONCLUSIVE else []
    return Findings({**findings.verdicts, "in_time": [*findings.verdicts.get("in_time", ()), *known]})


def refuse_unknown(drill: Drill, shop: Shop, variant: str) -> None:
    """A mistyped variant says nothing about the shop, so no check may turn red by it."""
    known = drill.variants_for(shop)
    if variant not in known:
        raise ConfigurationError(
            f"rehearse {drill.name}", f"it has no variant {variant}", f"It has {', '.join(known)}."
        )
