"""The composition root: specs and settings in, one Dagster code location out.

It alone knows all rooms. Loading it does no I/O but reading the spec files; no secret is read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import dagster as dg

from assets import (
    backups,
    benchmarks,
    change_keys,
    deployments,
    drills,
    recoveries,
    releases,
    reports,
    restore_to,
    restores,
    validations,
)
from ecom_platform import keys, policies
from ecom_platform.resources import NotifierResource, PlatformsResource
from ecom_platform.settings import Settings, read_settings
from ecom_platform.spec import Shop
from ecom_platform.spec_file import read_spec
from jobs import alert_ok, table
from schedules import cron_table, lost_retries, missed, sensors

STAGES = {
    "deployments": deployments.build,
    "validations": validations.build,
    "backups": backups.build,
    "restores": restores.build,
    "benchmarks": benchmarks.build,
    "releases": releases.build,
    "drills": drills.build,
}


def build_defs(
    shops: Sequence[Shop],
    settings: Settings,
    overrides: Mapping[str, object] | None = None,
    loggers: Mapping[str, dg.LoggerDefinition] | None = None,
) -> dg.Definitions:
    """The code location of these shops. overrides: resources by name, for tests. loggers: more of them."""
    parts = [_shop_definitions(shop, settings, prefix=_prefix(shop, shops)) for shop in shops]
    resources = {"platforms": PlatformsResource(state=str(settings.state)), "notifier": NotifierResource()}
    # One process per run: the steps wait for programs (dump, restore, load), they do not compute.
    common = dg.Definitions(
        resources={**resources, **(overrides or {})}, executor=dg.in_process_executor, loggers=loggers
    )
    return dg.Definitions.merge(common, *parts)


def _prefix(shop: Shop, shops: Sequence[Shop]) -> str:
    return f"{shop.shop.replace('-', '_')}_" if len(shops) > 1 else ""


def stage_assets(shop: Shop) -> dict[str, list[dg.AssetsDefinition]]:
    """The shop's assets by stage, in reading order, without the stages that its spec leaves out."""
    assets = {stage: build(shop) for stage, build in STAGES.items() if stage not in shop.leave_out}
    if "reports" not in shop.leave_out:
        assets["reports"] = reports.build(shop, [each for built in assets.values() for each in built])
    return assets


def backup_periods(shop: Shop) -> dict[str, timedelta]:
    """How old the newest proved snapshot may be, by source (KIND/NAME) beside the databases: what the catalogue has."""
    subjects = {key.path[-1] for asset in stage_assets(shop).get("backups", ()) for key in asset.keys}
    sources = [keys.source_of(each) for each in sorted(subjects) if not each.startswith(("database-", "velero-"))]
    return {each: backups.period_of(shop, each) for each in sources}


def _jobs_of_an_operator(shop: Shop, prefix: str) -> list[table.UnresolvedJob]:
    """Those that work in the operator's folders, with the owner's rights; pods have neither."""
    jobs: list[table.UnresolvedJob] = []
    if shop.databases:
        jobs += [restore_to.build_job(shop, prefix=prefix), *recoveries.build_jobs(shop, prefix=prefix)]
    if shop.stores:
        jobs += [change_keys.build_job(shop, prefix=prefix), restore_to.build_files_job(shop, prefix=prefix)]
    return jobs


def _shop_definitions(shop: Shop, settings: Settings, *, prefix: str) -> dg.Definitions:
    assets = stage_assets(shop)
    jobs = table.build(shop, assets, prefix=prefix)
    if assets.get("releases"):
        jobs.append(releases.build_control(shop, prefix=prefix))
        if shop.kubernetes.database_namespace:
            jobs.append(releases.build_migration(shop, prefix=prefix))
    jobs.append(alert_ok.build_job(shop, prefix=prefix))
    if not policies.in_pods(shop):
        jobs += _jobs_of_an_operator(shop, prefix)
    by_row = {job.name.removeprefix(prefix): job for job in jobs}
    schedules = cron_table.build(shop, by_row, settings.environment)
    watches = [*sensors.build(shop, by_row, prefix), *missed.build(shop, schedules, by_row)]
    if policies.in_pods(shop):
        watches.append(lost_retries.build({each.name for each in jobs}, prefix))
    return dg.Definitions(
        assets=[each for built in assets.values() for each in built],
        jobs=jobs,
        schedules=[schedule for _, schedule in schedules],
        sensors=watches,
    )


@dg.definitions
def defs() -> dg.Definitions:
    settings = read_settings()
    return build_defs([read_spec(path) for path in settings.specs], settings)
