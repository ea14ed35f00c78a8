"""The table of jobs: name, what it does, which stages it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from ecom_platform.recovery.drills import DRILLS
from ecom_platform.spec import Shop


@dataclass(frozen=True)
class JobRow:
    """stages: the groups of assets that the job runs, in order. subject: only the assets of that subject."""

    name: str
    stages: tuple[str, ...]
    description: str
    subject: str = ""


ROWS = (
    JobRow("deploy", ("deployments",), "Deploy every service and managed database of the spec."),
    JobRow("validate", ("validations",), "Test the running shop from outside, one purchase included."),
    JobRow("backup", ("backups",), "Take a snapshot of every database into every store."),
    JobRow("verify_restore", ("restores",), "Restore the newest snapshot of every database and compare it."),
    JobRow("benchmark", ("benchmarks",), "Load the front door for a bounded time and judge the figures."),
    JobRow("release", ("releases",), "Bring a new version live, with evidence, or go back to the one before."),
    JobRow("report", ("reports",), "Write the page of evidence."),
    JobRow(
        "everyday",
        ("deployments", "validations", "backups", "restores", "benchmarks", "reports"),
        "The whole pipeline in order.",
    ),
    # Not part of everyday: each makes a copy of the shop and destroys it.
    *(
        JobRow(f"drill_{each.name.replace('-', '_')}", ("drills",), f"Rehearse: {each.title}.", each.name)
        for each in DRILLS.values()
    ),
)

UnresolvedJob = Any  # dagster does not export the type that define_asset_job returns


def build(shop: Shop, assets: Mapping[str, Sequence[dg.AssetsDefinition]], *, prefix: str) -> list[UnresolvedJob]:
    """The jobs of one shop over its assets by stage; a job with nothing to run is left out.

    prefix: put before each name where a code location holds several shops; empty for one.
    """
    return [_job(shop, row, chosen, prefix) for row in ROWS if (chosen := _chosen(row, assets))]


def _chosen(row: JobRow, assets: Mapping[str, Sequence[dg.AssetsDefinition]]) -> list[dg.AssetsDefinition]:
    found = [each for stage in row.stages for each in assets.get(stage, ())]
    return [each for each in found if row.subject in ("", each.key.path[-1])]


def _job(shop: Shop, row: JobRow, chosen: Sequence[dg.AssetsDefinition], prefix: str) -> UnresolvedJob:
    return dg.define_asset_job(
        f"{prefix}{row.name}",
        selection=dg.AssetSelection.assets(*chosen),
        description=f"{shop.shop}: {row.description}",
        tags={"ecom/shop": shop.shop, "ecom/job": row.name},
    )
