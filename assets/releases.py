"""Stage 6: a new version goes live beside the old one, when the evidence says so, and goes back when it should not."""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
from pydantic import Field

from assets import validations
from ecom_platform import keys
from ecom_platform.errors import EcomError
from ecom_platform.failures import as_dagster_failures, check_results, check_specs, observe, proved
from ecom_platform.platforms.protocol import Platform
from ecom_platform.records import Findings
from ecom_platform.release import findings, versions
from ecom_platform.release.findings import CHECKS, ReleaseRecord
from ecom_platform.release.operations import Operator
from ecom_platform.release.state import Journal, read_state
from ecom_platform.resources import Platforms
from ecom_platform.spec import Shop, Stage

STAGE: Stage = "releases"
SUBJECT = "release"
SOMEBODY = "somebody by a run"


class Wanted(dg.Config):
    """version: of all services; empty is what the spec says. images: by service. wanted: instead of both,
    what the command line read from its own spec. by: who asks.
    """

    version: str = ""
    images: dict[str, str] = Field(default_factory=dict)
    wanted: str = ""
    by: str = SOMEBODY


class Control(dg.Config):
    """action: resume, abort, rollback or contract; of a migration also start and finish. by: who asks."""

    action: str
    by: str = SOMEBODY


def key(shop: Shop) -> dg.AssetKey:
    return dg.AssetKey(keys.service_path(shop, STAGE, SUBJECT))


def build(shop: Shop) -> list[dg.AssetsDefinition]:
    return [_asset(shop)] if shop.services else []


def _asset(shop: Shop) -> dg.AssetsDefinition:
    @dg.asset(
        key=key(shop),
        group_name=STAGE,
        kinds={shop.platform} if shop.platform == "kubernetes" else {"caddy"},
        deps=[validations.service_key(shop, each.name) for each in shop.services],
        description="The newest release: from a verified backup over the load gate and the cut-over to the dwell.",
        check_specs=check_specs(key(shop), CHECKS),
    )
    def release(
        context: dg.AssetExecutionContext, config: Wanted, platforms: dg.ResourceParam[Platforms]
    ) -> Iterator[object]:
        platform = platforms.of(shop)
        operator = Operator(platform, shop, config.by, context.log.info)
        try:
            journal = _started(operator, shop, config)
        except EcomError:
            # It did not begin, or its driver could not go on: the checks say what is true of the newest release.
            yield from check_results(key(shop), CHECKS, findings.findings_of(read_state(platform).journal))
            with as_dagster_failures():
                raise
        observation = observe(CHECKS, lambda: _found(journal))
        yield from check_results(key(shop), CHECKS, observation.findings)
        record = proved(f"the release of {journal.release.version}", CHECKS, observation)
        yield dg.MaterializeResult(metadata=_metadata(record), data_version=dg.DataVersion(record.version))

    return release


def _started(operator: Operator, shop: Shop, config: Wanted) -> Journal:
    if config.wanted:
        return operator.start(versions.Wanted.model_validate_json(config.wanted))
    return operator.start(versions.wanted(shop, config.version, config.images))


def _found(journal: Journal) -> tuple[Findings, ReleaseRecord]:
    return findings.findings_of(journal), findings.record_of(journal)


def _metadata(record: ReleaseRecord) -> dict[str, Any]:
    timeline = dg.MetadataValue.md(findings.timeline_table(record.timeline))
    return {**record.to_metadata(), "timeline": timeline}


def build_control(shop: Shop, *, prefix: str) -> dg.JobDefinition:
    """The job `release_control`: what people ask of a release that is there. It makes no new one, so it proves
    nothing; it notes on the asset what came of it.
    """

    @dg.op(name=f"{prefix}control_release")
    def control_release(
        context: dg.OpExecutionContext, config: Control, platforms: dg.ResourceParam[Platforms]
    ) -> None:
        with as_dagster_failures():
            journal = controlled(platforms.of(shop), shop, config.action, config.by, context.log.info)
        context.log_event(dg.AssetObservation(key(shop), metadata=_metadata(findings.record_of(journal))))

    @dg.job(
        name=f"{prefix}release_control",
        description=f"{shop.shop}: resume, abort, roll back or contract the newest release.",
        tags={"ecom/shop": shop.shop, "ecom/job": "release_control"},
    )
    def release_control() -> None:
        control_release()

    return release_control


def build_migration(shop: Shop, *, prefix: str) -> dg.JobDefinition:
    """The job `migration`: the shop moves to its spec's namespace from the one where its database is."""

    @dg.op(name=f"{prefix}move_shop")
    def move_shop(context: dg.OpExecutionContext, config: Control) -> None:
        from ecom_platform.platforms.opening import open_moving
        from ecom_platform.release import migration
        from ecom_platform.settings import read_settings

        with as_dagster_failures():
            mover = migration.moving(open_moving(shop, read_settings().state), shop, config.by, context.log.info)
            journal = migration.carried_out(mover, config.action)
        context.log_event(dg.AssetObservation(key(shop), metadata=_metadata(findings.record_of(journal))))

    @dg.job(
        name=f"{prefix}migration",
        description=f"{shop.shop}: move to another namespace, or back, or take the old form away.",
        tags={"ecom/shop": shop.shop, "ecom/job": "migration"},
    )
    def migration_job() -> None:
        move_shop()

    return migration_job


def controlled(platform: Platform, shop: Shop, action: str, by: str, progress: Callable[[str], None]) -> Journal:
    """Carry the action out. Raises EcomError where it is refused or did not come about."""
    operator = Operator(platform, shop, by, progress)
    actions = {
        "resume": operator.resume,
        "abort": operator.abort,
        "rollback": operator.roll_back,
        "contract": operator.contract,
    }
    return operator.came_about(action, actions[action]())
