"""Backups of a cluster's Velero, in the stages `backups` and `restores`: one asset each per namespace that the spec
names. They are there only where it has `kubernetes.velero`.

Not here: when they run. The judging is in ecom_platform/velero.
"""

from collections.abc import Iterator

import dagster as dg

from ecom_platform import keys, policies
from ecom_platform.failures import check_results, check_specs, observe, proved
from ecom_platform.resources import Platforms
from ecom_platform.spec import Shop, Stage


class NewOrNamed(dg.Config):
    """backup: empty makes a new one; a Backup's name, or `latest`, judges one that Velero made by itself."""

    backup: str = ""


class Named(dg.Config):
    """backup: a Backup's name, or `latest`."""

    backup: str = "latest"


def key(shop: Shop, stage: Stage, namespace: str) -> dg.AssetKey:
    return dg.AssetKey(keys.velero_path(shop, stage, namespace))


def backups(shop: Shop) -> list[dg.AssetsDefinition]:
    return [_backup(shop, each) for each in keys.velero_namespaces(shop)]


def restores(shop: Shop) -> list[dg.AssetsDefinition]:
    return [_restore(shop, each) for each in keys.velero_namespaces(shop)]


def _backup(shop: Shop, namespace: str) -> dg.AssetsDefinition:
    from ecom_platform.velero import taking

    own = key(shop, "backups", namespace)

    @dg.asset(
        key=own,
        group_name="backups",
        kinds={"kubernetes", "velero"},
        description=f"A backup of the namespace {namespace} by Velero, judged volume by volume.",
        check_specs=check_specs(own, taking.CHECKS),
        pool=policies.velero_pool(shop.shop, namespace),
        retry_policy=policies.TRANSIENT_RETRIES,
        freshness_policy=policies.VELERO_FRESHNESS,
    )
    def backed_up(
        context: dg.AssetExecutionContext, config: NewOrNamed, platforms: dg.ResourceParam[Platforms]
    ) -> Iterator[object]:
        platform = platforms.of(shop)
        observation = observe(
            taking.CHECKS,
            lambda: taking.take(platform, shop, namespace, backup=config.backup, progress=context.log.info),
        )
        yield from check_results(own, taking.CHECKS, observation.findings)
        record = proved(f"the Velero backup of {namespace}", taking.CHECKS, observation)
        yield dg.MaterializeResult(metadata=record.to_metadata(), data_version=dg.DataVersion(record.snapshot))

    return backed_up


def _restore(shop: Shop, namespace: str) -> dg.AssetsDefinition:
    from ecom_platform.velero import proving

    own = key(shop, "restores", namespace)

    @dg.asset(
        key=own,
        group_name="restores",
        kinds={"kubernetes", "velero"},
        deps=[key(shop, "backups", namespace)],
        description=f"A Velero backup of {namespace}, restored into scratch namespaces and compared with the source.",
        check_specs=check_specs(own, proving.CHECKS),
        pool=policies.velero_pool(shop.shop, namespace),
        retry_policy=policies.TRANSIENT_RETRIES,
        freshness_policy=policies.VELERO_FRESHNESS,
    )
    def restored(
        context: dg.AssetExecutionContext, config: Named, platforms: dg.ResourceParam[Platforms]
    ) -> Iterator[object]:
        platform = platforms.of(shop)
        observation = observe(
            proving.CHECKS,
            lambda: proving.prove(platform, shop, namespace, backup=config.backup, progress=context.log.info),
        )
        yield from check_results(own, proving.CHECKS, observation.findings)
        record = proved(f"the Velero backup of {namespace}", proving.CHECKS, observation)
        yield dg.MaterializeResult(metadata=record.to_metadata(), data_version=dg.DataVersion(record.snapshot))

    return restored
