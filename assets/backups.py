"""Stage 3: a snapshot asset per database, folder and configuration, and the set of all of them: read whole,
fingerprinted, encrypted, in every store.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from assets import deployments, velero
from ecom_platform import keys, policies
from ecom_platform.backup import snapshot
from ecom_platform.backup.sources import set_members, taken
from ecom_platform.errors import RefusedError
from ecom_platform.failures import check_results, check_specs, observe, proved
from ecom_platform.platforms.protocol import Platform
from ecom_platform.records import Findings
from ecom_platform.resources import Platforms
from ecom_platform.spec import Database, EnvironmentValue, FolderReference, Shop, Stage

STAGE: Stage = "backups"


def database_key(shop: Shop, name: str) -> dg.AssetKey:
    return dg.AssetKey(keys.database_path(shop, STAGE, name))


def source_key(shop: Shop, source: str) -> dg.AssetKey:
    """source: KIND/NAME."""
    return dg.AssetKey(keys.source_path(shop, STAGE, source))


def build(shop: Shop) -> list[dg.AssetsDefinition]:
    if not shop.stores:
        return velero.backups(shop)
    databases = [_database_asset(shop, each) for each in shop.databases]
    return [
        *databases,
        *(_source_asset(shop, each) for each in _sources(shop)),
        _complete_asset(shop),
        *velero.backups(shop),
    ]


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


def period_of(shop: Shop, source: str) -> timedelta:
    """How long at most from one snapshot of a source to the next, by its schedule."""
    kind, _, name = source.partition("/")
    folders = {each.name: each.schedule for each in shop.folders}
    crons = {"configuration": shop.backups.configuration, "complete": shop.backups.complete}
    return policies.longest_gap(folders[name] if kind == "folder" else crons[kind])


Take = Callable[[Platform, Callable[[str], None]], tuple[Findings, taken.SourceRecord]]


@dataclass(frozen=True)
class _Source:
    """source: KIND/NAME. deps: what must be there before it can be read."""

    source: str
    take: Take
    checks: dict[str, str]
    kinds: set[str]
    deps: Sequence[dg.AssetKey] = ()


def _sources(shop: Shop) -> list[_Source]:
    """Folders and the configuration."""

    def folder(name: str) -> Take:
        return lambda platform, progress: taken.take_folder(platform, shop, name, progress=progress)

    found = [
        _Source(
            f"folder/{each.name}",
            folder(each.name),
            taken.FOLDER_CHECKS,
            {"file", "age"},
            _fillers(shop, each.name),
        )
        for each in shop.folders
    ]
    configuration = _Source(
        "configuration/all",
        lambda platform, progress: taken.take_configuration(platform, shop, progress=progress),
        taken.CONFIGURATION_CHECKS,
        {"yaml", "age"},
        [deployments.service_key(shop, each.name) for each in shop.services],
    )
    return [*found, configuration]


def _fillers(shop: Shop, folder: str) -> list[dg.AssetKey]:
    """Deployments that write into the folder first: databases whose tasks name it, and services."""
    databases = [each for each in shop.databases if each.managed and _names(each.environment.values(), folder)]
    services = [each for each in shop.services if _names(each.environment.values(), folder)]
    return [
        *(deployments.database_key(shop, each.name) for each in databases),
        *(deployments.service_key(shop, each.name) for each in services),
    ]


def _names(values: Iterable[EnvironmentValue], folder: str) -> bool:
    return any(isinstance(each, FolderReference) and each.folder == folder for each in values)


def _source_asset(shop: Shop, row: _Source) -> dg.AssetsDefinition:
    key = source_key(shop, row.source)
    subject = key.path[-1]

    @dg.asset(
        key=key,
        group_name=STAGE,
        kinds=row.kinds,
        deps=row.deps,
        description=f"The newest snapshot of {subject}, in {', '.join(shop.stores)}. Taken is not yet proved.",
        check_specs=check_specs(key, row.checks),
        pool=policies.source_pool(shop.shop, subject),
        retry_policy=policies.TRANSIENT_RETRIES,
        freshness_policy=policies.source_freshness(period_of(shop, row.source)),
    )
    def taken_source(context: dg.AssetExecutionContext, platforms: dg.ResourceParam[Platforms]) -> Iterator[object]:
        platform = platforms.of(shop)
        observation = observe(row.checks, lambda: row.take(platform, context.log.info))
        yield from check_results(key, row.checks, observation.findings)
        record = proved(f"the snapshot of {subject}", row.checks, observation)
        yield dg.MaterializeResult(metadata=record.to_metadata(), data_version=dg.DataVersion(record.snapshot))

    return taken_source


def _complete_asset(shop: Shop) -> dg.AssetsDefinition:
    key = source_key(shop, set_members.SOURCE)
    sources = {source: source_key(shop, source) for source in taken.sources_of(shop)}

    @dg.asset(
        key=key,
        group_name=STAGE,
        kinds={"age"},
        deps=list(sources.values()),
        description="The newest set: which snapshots of one run belong together, and how to rebuild from them.",
        check_specs=check_specs(key, taken.COMPLETE_CHECKS),
        pool=policies.source_pool(shop.shop, key.path[-1]),
        retry_policy=policies.TRANSIENT_RETRIES,
        freshness_policy=policies.source_freshness(period_of(shop, set_members.SOURCE)),
    )
    def taken_together(context: dg.AssetExecutionContext, platforms: dg.ResourceParam[Platforms]) -> Iterator[object]:
        platform = platforms.of(shop)

        def take() -> tuple[Findings, taken.SourceRecord]:
            members = {source: _taken_in(context, each) for source, each in sources.items()}
            began = _began(context)
            return taken.take_complete(platform, shop, members, began, progress=context.log.info)

        observation = observe(taken.COMPLETE_CHECKS, take)
        yield from check_results(key, taken.COMPLETE_CHECKS, observation.findings)
        record = proved("the set", taken.COMPLETE_CHECKS, observation)
        yield dg.MaterializeResult(metadata=record.to_metadata(), data_version=dg.DataVersion(record.snapshot))

    return taken_together


def _taken_in(context: dg.AssetExecutionContext, asset: dg.AssetKey) -> str:
    """The id of the snapshot that this very run took. Raises RefusedError if it took none."""
    event = context.instance.get_latest_materialization_event(asset)
    if event is None or event.run_id != context.run.run_id or event.asset_materialization is None:
        raise RefusedError(
            "record a set",
            f"{asset.path[-1]} was not backed up in this run",
            "Members of a set are taken together: run the job `backup_complete`.",
        )
    return str(event.asset_materialization.metadata["snapshot"].value)


def _began(context: dg.AssetExecutionContext) -> datetime:
    """When the run was made; before anything of it ran."""
    record = context.instance.get_run_record_by_id(context.run.run_id)
    assert record is not None, "a run that goes on is recorded"
    made: datetime = record.create_timestamp
    return made.replace(tzinfo=made.tzinfo or UTC)
