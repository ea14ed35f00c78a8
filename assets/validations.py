"""Stage 2: the comprehensive test after a deploy, from outside, through the shop's own doors."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import dagster as dg

from assets import deployments
from ecom_platform import keys, policies
from ecom_platform.failures import check_results, check_specs, observe, proved
from ecom_platform.platforms.protocol import Platform
from ecom_platform.records import Findings
from ecom_platform.release import operations
from ecom_platform.resources import Platforms
from ecom_platform.spec import Database, Service, Shop, Stage
from ecom_platform.validation import database as database_validation
from ecom_platform.validation import purchase
from ecom_platform.validation import service as service_validation
from ecom_platform.verdicts import Verdict

STAGE: Stage = "validations"


def service_key(shop: Shop, name: str) -> dg.AssetKey:
    return dg.AssetKey(keys.service_path(shop, STAGE, name))


def database_key(shop: Shop, name: str) -> dg.AssetKey:
    return dg.AssetKey(keys.database_path(shop, STAGE, name))


def build(shop: Shop) -> list[dg.AssetsDefinition]:
    databases = [_database_asset(shop, each) for each in shop.databases if each.managed]
    return databases + [_service_asset(shop, each) for each in shop.services]


def _service_asset(shop: Shop, service: Service) -> dg.AssetsDefinition:
    checks = service_validation.CHECKS | (purchase.CHECK if service.front_door else {}) | _cluster_checks(shop, service)
    deps = [deployments.service_key(shop, service.name)]
    if service.front_door:
        deps += [deployments.service_key(shop, each.name) for each in shop.services if each is not service]

    def look(platform: Platform) -> Findings:
        return validate_service(platform, operations.as_released(platform, shop).service(service.name))

    return _validation(service_key(shop, service.name), shop, checks, deps, look)


def validate_service(platform: Platform, service: Service) -> Findings:
    """The service's own checks, for the front door a purchase through it, and in a cluster its walls and limits."""
    found = dict(service_validation.validate_service(platform, service).verdicts)
    if service.front_door:
        found["purchase"] = purchase.buy_one(platform.address(service, "active"))
    return Findings({**found, **_in_cluster(platform, service)})


def _cluster_checks(shop: Shop, service: Service) -> dict[str, str]:
    if shop.platform != "kubernetes":
        return {}
    from ecom_platform.validation import cluster

    return cluster.checks(service)


def _in_cluster(platform: Platform, service: Service) -> Mapping[str, Sequence[Verdict]]:
    from ecom_platform.platforms.kubernetes import KubernetesPlatform
    from ecom_platform.validation import cluster

    return cluster.validate(platform, service).verdicts if isinstance(platform, KubernetesPlatform) else {}


def _database_asset(shop: Shop, database: Database) -> dg.AssetsDefinition:
    def look(platform: Platform) -> Findings:
        return database_validation.validate_database(platform, database)

    deps = [deployments.database_key(shop, database.name)]
    return _validation(database_key(shop, database.name), shop, database_validation.CHECKS, deps, look)


def _validation(
    key: dg.AssetKey,
    shop: Shop,
    checks: dict[str, str],
    deps: list[dg.AssetKey],
    look: Callable[[Platform], Findings],
) -> dg.AssetsDefinition:
    @dg.asset(
        key=key,
        group_name=STAGE,
        kinds={"check"},
        deps=deps,
        description=f"{key.path[-1]}, tested from outside after its deployment.",
        check_specs=check_specs(key, checks),
        retry_policy=policies.TRANSIENT_RETRIES,
    )
    def validated(platforms: dg.ResourceParam[Platforms]) -> Iterator[object]:
        observation = observe(checks, lambda: _looked(look(platforms.of(shop))))
        yield from check_results(key, checks, observation.findings)
        findings = proved(f"the validation of {key.path[-1]}", checks, observation)
        yield dg.MaterializeResult(metadata={"claims": sum(len(found) for found in findings.verdicts.values())})

    return validated


def _looked(findings: Findings) -> tuple[Findings, Findings]:
    """A validation leaves nothing behind but its findings."""
    return findings, findings
