"""An op beside stage 4: a snapshot brought back into a database that somebody names. It makes no asset: what
is in that database afterwards belongs to whoever asked for it.
"""

from pathlib import Path

import dagster as dg

from ecom_platform.backup import proof
from ecom_platform.failures import as_dagster_failures
from ecom_platform.resources import Platforms
from ecom_platform.spec import Shop


class Target(dg.Config):
    """target_file: a file (mode 600) that holds the database's URL; a URL here would be stored in clear."""

    database: str
    snapshot: str
    store: str = ""
    target_file: str


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
