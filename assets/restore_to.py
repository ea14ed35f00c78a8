"""Ops beside stage 4: a snapshot brought back into a database or a folder that somebody names. They make no asset:
what is there afterwards belongs to whoever asked for it.
"""

from pathlib import Path

import dagster as dg

from ecom_platform.backup import proof
from ecom_platform.backup.sources import proved as source_proofs
from ecom_platform.failures import as_dagster_failures
from ecom_platform.resources import Platforms
from ecom_platform.spec import Shop


class Target(dg.Config):
    """target_file: a file (mode 600) that holds the database's URL; a URL here would be stored in clear."""

    database: str
    snapshot: str
    store: str = ""
    target_file: str


class FolderTarget(dg.Config):
    """source: KIND/NAME of a folder or of the configuration. target: a folder that is empty or not there."""

    source: str
    snapshot: str
    store: str = ""
    target: str


def build_files_job(shop: Shop, *, prefix: str) -> dg.JobDefinition:
    """The job `restore_files` of one shop."""

    @dg.op(name=f"{prefix}restore_tree")
    def restore_tree(
        context: dg.OpExecutionContext, config: FolderTarget, platforms: dg.ResourceParam[Platforms]
    ) -> None:
        with as_dagster_failures():
            record = source_proofs.restore_to(
                platforms.of(shop),
                shop,
                config.source,
                target=Path(config.target),
                snapshot=config.snapshot,
                store=config.store,
                progress=context.log.info,
            )
        context.add_output_metadata(record.to_metadata())

    @dg.job(
        name=f"{prefix}restore_files",
        description=f"{shop.shop}: restore a folder or the configuration into an empty folder and compare it there.",
        tags={"ecom/shop": shop.shop, "ecom/job": "restore_files"},
    )
    def restore_files() -> None:
        restore_tree()

    return restore_files


def build_job(shop: Shop, *, prefix: str) -> dg.JobDefinition:
    """The job `restore` of one shop."""

    @dg.op(name=f"{prefix}restore_snapshot")
    def restore_snapshot(
        context: dg.OpExecutionContext, config: Target, platforms: dg.ResourceParam[Platforms]
    ) -> None:
        with as_dagster_failures():
            record = proof.restore_to(
                platforms.of(shop),
                shop,
                shop.database(config.database),
                target_file=Path(config.target_file),
                snapshot=config.snapshot,
                store=config.store,
                progress=context.log.info,
            )
        context.add_output_metadata(record.to_metadata())

    @dg.job(
        name=f"{prefix}restore",
        description=f"{shop.shop}: restore a snapshot into an empty database and compare it there.",
        tags={"ecom/shop": shop.shop, "ecom/job": "restore"},
    )
    def restore() -> None:
        restore_snapshot()

    return restore
