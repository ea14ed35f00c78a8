"""Stage 4: the newest snapshot restored into a throw-away server or an empty folder and compared; only then is it
proved. And the older ones, in turn.
"""

from collections.abc import Iterator

import dagster as dg

from assets import backups, velero
from ecom_platform import keys, policies
from ecom_platform.backup import proof, reproving
from ecom_platform.backup.opening import chosen_snapshot
from ecom_platform.backup.sources import proved as source_proofs
from ecom_platform.backup.sources import set_members
from ecom_platform.backup.sources.taken import sources_of
from ecom_platform.failures import as_dagster_failures, check_results, check_specs, observe, proved
from ecom_platform.resources import Platforms
from ecom_platform.spec import Database, Shop, Stage

STAGE: Stage = "restores"
LATEST = "latest"
KEPT = "kept"
"""The subject of the asset that proves older snapshots of all sources in turn."""


class Choice(dg.Config):
    """snapshot: an id, or `latest`. store: a store's name, or empty for the first one of the spec."""

    snapshot: str = LATEST
    store: str = ""


def database_key(shop: Shop, name: str) -> dg.AssetKey:
    return dg.AssetKey(keys.database_path(shop, STAGE, name))


def source_key(shop: Shop, source: str) -> dg.AssetKey:
    """source: KIND/NAME."""
    return dg.AssetKey(keys.source_path(shop, STAGE, source))


def kept_key(shop: Shop) -> dg.AssetKey:
    return dg.AssetKey(keys.service_path(shop, STAGE, KEPT))


def build(shop: Shop) -> list[dg.AssetsDefinition]:
    if not shop.stores:
        return velero.restores(shop)
    databases = [_database_asset(shop, each) for each in shop.databases]
    others = [each for each in sources_of(shop) if not each.startswith("database/")]
    sources = [_source_asset(shop, each) for each in (*others, set_members.SOURCE)]
    return [*databases, *sources, _kept_asset(shop), *velero.restores(shop)]


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


def _source_asset(shop: Shop, source: str) -> dg.AssetsDefinition:
    key = source_key(shop, source)
    subject = key.path[-1]
    checks = source_proofs.checks(shop, source)
    # A set is proved by its members' proofs.
    members = [source_key(shop, each) for each in sources_of(shop)] if source == set_members.SOURCE else []

    @dg.asset(
        key=key,
        group_name=STAGE,
        kinds={"file"},
        deps=[backups.source_key(shop, source), *members],
        description=f"A snapshot of {subject}, fetched, decrypted, restored and compared with its fingerprint.",
        check_specs=check_specs(key, checks),
        retry_policy=policies.TRANSIENT_RETRIES,
        freshness_policy=policies.source_freshness(backups.period_of(shop, source)),
    )
    def restored(
        context: dg.AssetExecutionContext, config: Choice, platforms: dg.ResourceParam[Platforms]
    ) -> Iterator[object]:
        platform = platforms.of(shop)
        if config.snapshot != LATEST:
            # A mistyped id says nothing about the backups, so no check may turn red by it.
            with as_dagster_failures():
                chosen_snapshot(platform, shop, source, config.snapshot, config.store)
        observation = observe(
            checks,
            lambda: source_proofs.prove(
                platform, shop, source, snapshot=config.snapshot, store=config.store, progress=context.log.info
            ),
        )
        yield from check_results(key, checks, observation.findings)
        record = proved(f"the restore of {subject}", checks, observation)
        yield dg.MaterializeResult(metadata=record.to_metadata(), data_version=dg.DataVersion(record.snapshot))

    return restored


def _kept_asset(shop: Shop) -> dg.AssetsDefinition:
    key = kept_key(shop)

    @dg.asset(
        key=key,
        group_name=STAGE,
        kinds={"postgres", "file"},
        # Not after the proofs of the newest: a failure there is no reason to leave out the others.
        deps=[backups.source_key(shop, each) for each in (*sources_of(shop), set_members.SOURCE)],
        description="Snapshots of all sources in all stores that were not yet proved there, and older ones in turn.",
        check_specs=check_specs(key, reproving.CHECKS),
        retry_policy=policies.TRANSIENT_RETRIES,
        freshness_policy=policies.source_freshness(policies.longest_gap(shop.backups.verify)),
    )
    def proved_again(context: dg.AssetExecutionContext, platforms: dg.ResourceParam[Platforms]) -> Iterator[object]:
        platform = platforms.of(shop)
        observation = observe(reproving.CHECKS, lambda: reproving.prove_due(platform, shop, progress=context.log.info))
        yield from check_results(key, reproving.CHECKS, observation.findings)
        record = proved("what is kept", reproving.CHECKS, observation)
        yield dg.MaterializeResult(metadata=record.to_metadata())

    return proved_again
