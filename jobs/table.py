"""The table of jobs: name, what it does, which stages it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from ecom_platform import policies
from ecom_platform.recovery.drills import DRILLS
from ecom_platform.spec import Shop


@dataclass(frozen=True)
class JobRow:
    """stages: the groups of assets that the job runs, in order. subject: only the assets of that subject.

    only: subjects that begin with one of these; empty for all. without: those that begin so and are left to others.

    repeatable: whether a run whose pod was lost is tried again.
    """

    name: str
    stages: tuple[str, ...]
    description: str
    subject: str = ""
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    repeatable: bool = True

    @property
    def dumps_and_restores(self) -> bool:
        """As one pod this would hold what encrypts and what decrypts."""
        return {"backups", "restores"} <= set(self.stages)


ROWS = (
    JobRow("deploy", ("deployments",), "Deploy every service and managed database of the spec."),
    JobRow("validate", ("validations",), "Test the running shop from outside, one purchase included."),
    JobRow("backup", ("backups",), "Take a snapshot of every database into every store.", only=("database-",)),
    JobRow("backup_folders", ("backups",), "Take a snapshot of every folder into every store.", only=("folder-",)),
    JobRow(
        "backup_configuration",
        ("backups",),
        "Take a snapshot of the spec and of what the platform remembers into every store.",
        only=("configuration",),
    ),
    JobRow(
        "backup_complete",
        ("backups",),
        "Take snapshots of everything, and record that they belong together.",
        without=("velero-",),
    ),
    JobRow(
        "verify_restore",
        ("restores",),
        "Prove the newest snapshot of every database, of all others what is not proved, and older ones in turn.",
        only=("database-", "kept"),
    ),
    JobRow("verify_folders", ("restores",), "Prove the newest snapshot of every folder.", only=("folder-",)),
    JobRow("verify_configuration", ("restores",), "Prove the newest configuration.", only=("configuration",)),
    JobRow(
        "verify_complete",
        ("restores",),
        "Prove the newest snapshots of everything, and their set.",
        without=("kept", "velero-"),
    ),
    JobRow("backup_velero", ("backups",), "Have Velero back up its namespaces, and judge it.", only=("velero-",)),
    JobRow("verify_velero", ("restores",), "Restore Velero's newest backups and compare them.", only=("velero-",)),
    JobRow(
        "benchmark", ("benchmarks",), "Load the front door for a bounded time and judge the figures.", repeatable=False
    ),
    JobRow(
        "release",
        ("releases",),
        "Bring a new version live, with evidence, or go back to the one before.",
        repeatable=False,
    ),
    JobRow("report", ("reports",), "Write the page of evidence."),
    JobRow(
        "everyday",
        ("deployments", "validations", "backups", "restores", "benchmarks", "reports"),
        "The whole pipeline in order.",
        # Older snapshots have their own time; this job tells of the newest.
        without=("kept",),
    ),
    # Not part of everyday: each makes a copy of the shop and destroys it.
    *(
        JobRow(
            f"drill_{each.name.replace('-', '_')}",
            ("drills",),
            f"Rehearse: {each.title}.",
            each.name,
            repeatable=False,
        )
        for each in DRILLS.values()
    ),
)

OPERATORS = frozenset(("configuration", "complete"))
"""Subjects that no account of pods may read or rehearse: every object of the namespaces, the secrets' digests, Helm's
values, a scratch namespace; and the spec that pods have is not the operator's. The same jobs run on the operator's
side. Proofs of their older snapshots in turn are the cluster's, like those of all others."""

UnresolvedJob = Any  # dagster does not export the type that define_asset_job returns


def build(shop: Shop, assets: Mapping[str, Sequence[dg.AssetsDefinition]], *, prefix: str) -> list[UnresolvedJob]:
    """The jobs of one shop over its assets by stage; a job with nothing to run is left out.

    prefix: put before each name where a code location holds several shops; empty for one. Where runs are pods
    there is no job that both dumps and restores (sensors join the two), and none that takes the operator's rights.
    """
    rows, left_out = ROWS, frozenset[str]()
    if policies.in_pods(shop):
        rows, left_out = tuple(row for row in ROWS if _fits_a_pod(row)), OPERATORS
    return [_job(shop, row, chosen, prefix) for row in rows if (chosen := _chosen(row, assets, left_out))]


def _fits_a_pod(row: JobRow) -> bool:
    return not (row.dumps_and_restores or "drills" in row.stages or row.name.endswith("_complete"))


def _chosen(
    row: JobRow, assets: Mapping[str, Sequence[dg.AssetsDefinition]], left_out: frozenset[str]
) -> list[dg.AssetsDefinition]:
    found = [each for stage in row.stages for each in assets.get(stage, ())]
    return [each for each in found if _runs(row, each.key.path[-1]) and each.key.path[-1] not in left_out]


def _runs(row: JobRow, subject: str) -> bool:
    wanted = row.subject in ("", subject) and (not row.only or subject.startswith(row.only))
    return wanted and not (row.without and subject.startswith(row.without))


def _job(shop: Shop, row: JobRow, chosen: Sequence[dg.AssetsDefinition], prefix: str) -> UnresolvedJob:
    return dg.define_asset_job(
        f"{prefix}{row.name}",
        selection=dg.AssetSelection.assets(*chosen),
        description=f"{shop.shop}: {row.description}",
        tags={
            "ecom/shop": shop.shop,
            "ecom/job": row.name,
            **policies.job_tags(shop, repeatable=row.repeatable, restores="restores" in row.stages),
        },
    )
