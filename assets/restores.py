"""Stage 4: the newest snapshot restored into a throw-away server and compared; only then is it proved."""

from collections.abc import Iterator

import dagster as dg

from assets import backups
from ecom_platform import keys, policies
from ecom_platform.backup import proof
from ecom_platform.failures import as_dagster_failures, check_results, check_specs, observe, proved
from ecom_platform.resources import Platforms
from ecom_platform.spec import Database, Shop, Stage

STAGE: Stage = "restores"
LATEST = "latest"


class Choice(dg.Config):
    """snapshot: an id, or `latest`. store: a store's name, or empty for the first one of the spec."""

    snapshot: str = LATEST
    store: str = ""


def database_key(shop: Shop, name: str) -> dg.AssetKey:
    return dg.AssetKey(keys.database_path(shop, STAGE, name))


def build(shop: Shop) -> list[dg.AssetsDefinition]:
    return [_database_asset(shop, each) for each in shop.databases]


def _database_asset(shop: Shop, database: Database) -> dg.AssetsDefinition:
    key = database_key(shop, database.name)
    checks = proof.checks(database)

    @dg.asset(
        key=key,
        group_name=STAGE,
        kinds={"postgres"},
        deps=[backups.database_key(shop, database.name)],
        description=f"A snapshot of {database.name}, fetched, decrypted, restored and compared with its fingerprint.",
        check_specs=check_specs(key, checks),
        retry_policy=policies.TRANSIENT_RETRIES,
        # The proof too must be fresh: Dagster looks only at materialisations, and a dump that nobody
        # restored would look fresh.
        freshness_policy=policies.backup_freshness(database),
    )
    def restored(
        context: dg.AssetExecutionContext, config: Choice, platforms: dg.ResourceParam[Platforms]
    ) -> Iterator[object]:
        platform = platforms.of(shop)
        if config.snapshot != LATEST:
            # A mistyped id says nothing about the backups, so no check may turn red by it.
            with as_dagster_failures():
                proof.chosen(platform, shop, database, config.snapshot, config.store)
        observation = observe(
            checks,
            lambda: proof.prove(
                platform, shop, database, snapshot=config.snapshot, store=config.store, progress=context.log.info
            ),
        )
        yield from check_results(key, checks, observation.findings)
        record = proved(f"the restore of {database.name}", checks, observation)
        yield dg.MaterializeResult(metadata=record.to_metadata(), data_version=dg.DataVersion(record.snapshot))

    return restored
