"""Stage 3: one snapshot asset per database: dumped, fingerprinted, encrypted, in every store."""

from collections.abc import Iterator, Sequence

import dagster as dg

from assets import deployments
from ecom_platform import keys, policies
from ecom_platform.backup import snapshot
from ecom_platform.failures import check_results, check_specs, observe, proved
from ecom_platform.resources import Platforms
from ecom_platform.spec import Database, Shop, Stage

STAGE: Stage = "backups"


def database_key(shop: Shop, name: str) -> dg.AssetKey:
    return dg.AssetKey(keys.database_path(shop, STAGE, name))


def build(shop: Shop) -> list[dg.AssetsDefinition]:
    return [_database_asset(shop, each) for each in shop.databases]


def _database_asset(shop: Shop, database: Database) -> dg.AssetsDefinition:
    key = database_key(shop, database.name)
    deps: Sequence[dg.AssetKey] = [deployments.database_key(shop, database.name)] if database.managed else []

    @dg.asset(
        key=key,
        group_name=STAGE,
        kinds={"postgres", "age"},
        deps=deps,
        description=f"The newest snapshot of {database.name}, in {', '.join(shop.stores)}. Taken is not yet proved.",
        check_specs=check_specs(key, snapshot.CHECKS),
        pool=policies.database_pool(shop.shop, database.name),
        retry_policy=policies.TRANSIENT_RETRIES,
        freshness_policy=policies.backup_freshness(database),
    )
    def dumped(context: dg.AssetExecutionContext, platforms: dg.ResourceParam[Platforms]) -> Iterator[object]:
        platform = platforms.of(shop)
        observation = observe(
            snapshot.CHECKS, lambda: snapshot.take(platform, shop, database, progress=context.log.info)
        )
        yield from check_results(key, snapshot.CHECKS, observation.findings)
        record = proved(f"the snapshot of {database.name}", snapshot.CHECKS, observation)
        yield dg.MaterializeResult(metadata=record.to_metadata(), data_version=dg.DataVersion(record.snapshot))

    return dumped
