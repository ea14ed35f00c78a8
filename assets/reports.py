"""Stage 8: one page of evidence, made from what the earlier stages' checks recorded."""

from collections.abc import Sequence

import dagster as dg

from ecom_platform import keys
from ecom_platform.evidence_log import claim_counts, gather, write_page
from ecom_platform.failures import as_dagster_failures
from ecom_platform.resources import Platforms
from ecom_platform.spec import Shop, Stage

STAGE: Stage = "reports"


def key(shop: Shop) -> dg.AssetKey:
    return dg.AssetKey(keys.service_path(shop, STAGE, "evidence"))


def build(shop: Shop, earlier: Sequence[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """The page over all assets of the earlier stages."""

    @dg.asset(
        key=key(shop),
        group_name=STAGE,
        kinds={"html"},
        deps=[each.key for each in earlier],
        description="The page of evidence: what was claimed, what was seen, by which run.",
    )
    def evidence(
        context: dg.AssetExecutionContext, platforms: dg.ResourceParam[Platforms]
    ) -> dg.MaterializeResult[None]:
        platform = platforms.of(shop)
        with as_dagster_failures():
            page = gather(context.instance, shop, earlier, platform)
            path = write_page(page, platform.reports())
        return dg.MaterializeResult(
            metadata={"page": dg.MetadataValue.path(str(path)), "outcome": page.outcome.value, **claim_counts(page)}
        )

    return [evidence]
