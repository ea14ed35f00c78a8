"""Stage 1: databases migrated and filled, services running as a colour, ready and named."""

import time
from collections.abc import Iterator

import dagster as dg

from ecom_platform import keys, policies
from ecom_platform.failures import as_dagster_failures, check_results, check_specs, observe, proved
from ecom_platform.platforms.protocol import Colour, Instance, Platform
from ecom_platform.records import DatabaseDeployment, Findings, ServiceDeployment
from ecom_platform.release import operations
from ecom_platform.resources import Platforms
from ecom_platform.spec import Database, DatabaseReference, Service, ServiceReference, Shop, Stage
from ecom_platform.verdicts import equal, holds

STAGE: Stage = "deployments"
TASK_SECONDS = 900.0  # a migration or a seed of a few gigabytes; longer ones are run by hand

SERVICE_CHECKS = {
    "ready": "every instance that was asked for answers its readiness probe",
    "named": "every instance has a name of its own and runs the version of the spec, or of the newest release",
}


def database_key(shop: Shop, name: str) -> dg.AssetKey:
    return dg.AssetKey(keys.database_path(shop, STAGE, name))


def service_key(shop: Shop, name: str) -> dg.AssetKey:
    return dg.AssetKey(keys.service_path(shop, STAGE, name))


def build(shop: Shop) -> list[dg.AssetsDefinition]:
    managed = [_database_asset(shop, each) for each in shop.databases if each.managed]
    return managed + [_service_asset(shop, each) for each in shop.services]


def _database_asset(shop: Shop, database: Database) -> dg.AssetsDefinition:
    @dg.asset(
        key=database_key(shop, database.name),
        group_name=STAGE,
        kinds={"postgres"},
        description=f"The database {database.name}: expand migrations applied, filled by its seed.",
        pool=policies.database_pool(shop.shop, database.name),
        retry_policy=policies.TRANSIENT_RETRIES,
    )
    def deployed_database(platforms: dg.ResourceParam[Platforms]) -> dg.MaterializeResult[None]:
        with as_dagster_failures():
            record = deploy_database(platforms.of(shop), database)
        return dg.MaterializeResult(metadata=record.to_metadata())

    return deployed_database


def deploy_database(platform: Platform, database: Database) -> DatabaseDeployment:
    """Apply the expand migrations and the seed; both do nothing when they are done already."""
    migration = _timed_task(platform, database, database.tasks.expand)
    seed = _timed_task(platform, database, database.tasks.seed)
    return DatabaseDeployment(database.name, platform.database(database, "backup").url, migration, seed)


def _timed_task(platform: Platform, database: Database, command: tuple[str, ...]) -> float:
    started = time.monotonic()
    if command:
        platform.run_task(database, command, timeout=TASK_SECONDS)
    return round(time.monotonic() - started, 3)


def _service_asset(shop: Shop, service: Service) -> dg.AssetsDefinition:
    key = service_key(shop, service.name)

    @dg.asset(
        key=key,
        group_name=STAGE,
        kinds={shop.platform} if shop.platform == "kubernetes" else {"python"},
        deps=_needs(shop, service),
        description=f"The service {service.name} {service.version}, running as the live colour.",
        check_specs=check_specs(key, SERVICE_CHECKS),
        retry_policy=policies.TRANSIENT_RETRIES,
    )
    def deployed_service(platforms: dg.ResourceParam[Platforms]) -> Iterator[object]:
        observation = observe(SERVICE_CHECKS, lambda: _deployed(platforms.of(shop), shop, service))
        yield from check_results(key, SERVICE_CHECKS, observation.findings)
        record = proved(f"the deployment of {service.name}", SERVICE_CHECKS, observation)
        yield dg.MaterializeResult(
            metadata={**record.to_metadata(), "address": dg.MetadataValue.url(record.active_address)},
            data_version=dg.DataVersion(f"{record.version}-{record.colour}"),
        )

    return deployed_service


def _needs(shop: Shop, service: Service) -> list[dg.AssetKey]:
    """What must run before this service: the databases and services that its environment names."""
    needs: list[dg.AssetKey] = []
    for value in service.environment.values():
        if isinstance(value, ServiceReference):
            needs.append(service_key(shop, value.service))
        if isinstance(value, DatabaseReference) and shop.database(value.database).managed:
            needs.append(database_key(shop, value.database))
    return needs


def _deployed(platform: Platform, shop: Shop, service: Service) -> tuple[Findings, ServiceDeployment]:
    """The service at the version that releases made live, which the spec need not know (docs/release.md)."""
    released = operations.as_released(platform, shop).service(service.name)
    found = deploy_live(platform, released)
    operations.note_deployed(platform, shop, released)
    return found


def deploy_live(platform: Platform, service: Service) -> tuple[Findings, ServiceDeployment]:
    """Deploy as the colour that is live, or as blue and lead the traffic there the first time."""
    started = time.monotonic()
    live = platform.live_colour(service)
    colour: Colour = live or "blue"
    instances = platform.deploy(service, colour)
    if live is None:
        platform.switch(service, colour)
    seconds = round(time.monotonic() - started, 3)
    names = tuple(each.name for each in instances)
    address = platform.address(service, "active")
    record = ServiceDeployment(service.name, service.version, colour, names, address, seconds)
    return _judge(service, instances), record


def _judge(service: Service, instances: tuple[Instance, ...]) -> Findings:
    names = {each.name for each in instances}
    return Findings(
        {
            "ready": [equal(f"{service.name}: instances ready", service.replicas, len(instances))],
            "named": [
                equal(f"{service.name}: names of its own", len(instances), len(names)),
                *(equal(f"{each.name}: the version to run", service.version, each.version) for each in instances),
                holds(f"{service.name}: at least one instance", instances, ", ".join(sorted(names)) or "none"),
            ],
        }
    )
