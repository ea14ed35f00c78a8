"""Ops beside stage 7: what a real disaster needs. They make no asset: what they bring back is the shop itself."""

from pathlib import Path

import dagster as dg

from ecom_platform.failures import as_dagster_failures
from ecom_platform.resources import Platforms
from ecom_platform.settings import read_settings
from ecom_platform.spec import Shop


class Damaged(dg.Config):
    """snapshot: an id, or empty for the newest proved one that does not hold the damage itself."""

    database: str
    snapshot: str = ""


class Emptied(dg.Config):
    """The name of a folder of the spec."""

    folder: str


class From(dg.Config):
    """The fields of recovery.anew.Escrow, and the state folder to be; secrets by the paths of their files."""

    url: str
    identity_file: str
    endpoint: str = ""
    region: str = "us-east-1"
    access_key_file: str = ""
    secret_key_file: str = ""
    state: str = ""


def build_jobs(shop: Shop, *, prefix: str) -> list[dg.JobDefinition]:
    """The jobs `recover_database`, `recover_folder` and `recover` of one shop."""
    return [_database(shop, prefix), *([_folder(shop, prefix)] if shop.folders else []), _anew(shop, prefix)]


def _database(shop: Shop, prefix: str) -> dg.JobDefinition:
    @dg.op(name=f"{prefix}bring_database_back")
    def bring_database_back(
        context: dg.OpExecutionContext, config: Damaged, platforms: dg.ResourceParam[Platforms]
    ) -> None:
        from ecom_platform.recovery.database import recover_database

        with as_dagster_failures():
            database = shop.database(config.database)
            record = recover_database(
                platforms.of(shop), shop, database, snapshot=config.snapshot, progress=context.log.info
            )
        context.add_output_metadata(record.to_metadata())

    @dg.job(
        name=f"{prefix}recover_database",
        description=f"{shop.shop}: the newest sound snapshot beside the damaged database; the shop is led there.",
        tags={"ecom/shop": shop.shop, "ecom/job": "recover_database"},
    )
    def recover_database_job() -> None:
        bring_database_back()

    return recover_database_job


def _folder(shop: Shop, prefix: str) -> dg.JobDefinition:
    @dg.op(name=f"{prefix}bring_folder_back")
    def bring_folder_back(
        context: dg.OpExecutionContext, config: Emptied, platforms: dg.ResourceParam[Platforms]
    ) -> None:
        from ecom_platform.recovery.folders import recover_folder

        with as_dagster_failures():
            record = recover_folder(platforms.of(shop), shop, config.folder, progress=context.log.info)
        context.add_output_metadata(record.to_metadata())

    @dg.job(
        name=f"{prefix}recover_folder",
        description=f"{shop.shop}: the newest proved snapshot of a folder beside it, compared, and exchanged.",
        tags={"ecom/shop": shop.shop, "ecom/job": "recover_folder"},
    )
    def recover_folder_job() -> None:
        bring_folder_back()

    return recover_folder_job


def _anew(shop: Shop, prefix: str) -> dg.JobDefinition:
    @dg.op(name=f"{prefix}rebuild_shop")
    def rebuild_shop(context: dg.OpExecutionContext, config: From) -> None:
        from ecom_platform.recovery.anew import Escrow, rebuild

        fields = {name: value for name, value in config.model_dump().items() if name != "state"}
        with as_dagster_failures():
            state = Path(config.state) if config.state else read_settings().state
            record = rebuild(Escrow(**fields), shop, state, context.log.info)
        context.add_output_metadata(record.to_metadata())

    @dg.job(
        name=f"{prefix}recover",
        description=f"{shop.shop}: rebuild the shop on an empty place, from a store and the private key.",
        tags={"ecom/shop": shop.shop, "ecom/job": "recover"},
    )
    def recover_job() -> None:
        rebuild_shop()

    return recover_job
