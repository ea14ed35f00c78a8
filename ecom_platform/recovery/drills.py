"""The table of drills: what each rehearses, where it applies, its budget, how often. The drivers are beside this."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from ecom_platform.recovery import checks
from ecom_platform.spec import Shop

if TYPE_CHECKING:
    from ecom_platform.platforms.protocol import Platform
    from ecom_platform.records import Findings
    from ecom_platform.recovery.record import DrillRecord

    Result = tuple[Findings, DrillRecord]

Progress = Callable[[str], None]
Run = Callable[["Platform", Shop, str, Progress], "Result"]


@dataclass(frozen=True)
class Drill:
    """variants: the first is the ordinary one; in_cluster: those that there are on Kubernetes.
    whole: of the whole machine or cluster, and so less often.

    run: gets the live platform, its shop, a variant and where to tell; it rehearses on a copy.
    remove: what takes away whatever a killed drill left below its folder.
    """

    name: str
    title: str
    checks: Mapping[str, str]
    variants: tuple[str, ...]
    applies: Callable[[Shop], bool]
    budget: Callable[[Shop], timedelta]
    run: Run
    remove: Callable[[Shop], Callable[[Path], None]]
    whole: bool = False
    in_cluster: tuple[str, ...] = ()

    def variants_for(self, shop: Shop) -> tuple[str, ...]:
        """In a cluster a server's files are out of reach."""
        return self.in_cluster if shop.platform == "kubernetes" and self.in_cluster else self.variants

    def variant_of(self, shop: Shop, day: date) -> str:
        """Scheduled drills take the variants in turn, one a week."""
        variants = self.variants_for(shop)
        return variants[day.isocalendar().week % len(variants)]


def _sells(shop: Shop) -> bool:
    """A shop that can take an order, with a database that has backups."""
    return bool(shop.services and shop.databases and shop.stores)


def _on_this_machine(shop: Shop) -> bool:
    return shop.platform == "local" and _sells(shop)


def _in_cluster(shop: Shop) -> bool:
    return bool(shop.platform == "kubernetes" and shop.services and shop.databases and shop.drills.node)


def _database_lost(live: Platform, shop: Shop, variant: str, progress: Progress) -> Result:
    from ecom_platform.recovery import database_drill
    from ecom_platform.recovery.faults import FAULTS

    return database_drill.run(live, shop, shop.databases[0], FAULTS[variant], progress=progress)


def _machine_lost(live: Platform, shop: Shop, variant: str, progress: Progress) -> Result:
    from ecom_platform.recovery import machine_drill

    return machine_drill.run(live, shop, variant, progress)


def _node_lost(live: Platform, shop: Shop, variant: str, progress: Progress) -> Result:
    from ecom_platform.recovery import node_drill

    return node_drill.run(live, shop, variant, progress)


def _bad_release(live: Platform, shop: Shop, variant: str, progress: Progress) -> Result:
    from ecom_platform.recovery import release_drill

    return release_drill.run(live, shop, variant, progress)


def _part(name: str) -> Run:
    """A driver of part_drills.py by its name."""

    def run(live: Platform, shop: Shop, variant: str, progress: Progress) -> Result:
        from ecom_platform.recovery import part_drills

        driver: Run = getattr(part_drills, name)
        return driver(live, shop, variant, progress)

    return run


def _remove_copy(shop: Shop) -> Callable[[Path], None]:
    from ecom_platform.recovery.copies import cluster_copy_of, copy_of, remover_of

    return remover_of(cluster_copy_of(shop) if shop.platform == "kubernetes" else copy_of(shop))


def _remove_machines(shop: Shop) -> Callable[[Path], None]:
    from ecom_platform.recovery import machine_drill

    return machine_drill.remove(shop)


def _remove_node(shop: Shop) -> Callable[[Path], None]:
    from ecom_platform.recovery import node_drill

    return node_drill.remove(shop)


def _database_budget(shop: Shop) -> timedelta:
    return shop.databases[0].rto


_ONE = ("whole",)
"""The variants of a drill that has only one."""

DRILLS = {
    each.name: each
    for each in (
        Drill(
            name=checks.DATABASE_LOST,
            title="The database is lost or corrupted",
            checks=checks.DATABASE_CHECKS,
            variants=checks.DATABASE_VARIANTS,
            in_cluster=checks.DATABASE_VARIANTS[:2],
            applies=_sells,
            budget=_database_budget,
            run=_database_lost,
            remove=_remove_copy,
        ),
        Drill(
            name=checks.MACHINE_LOST,
            title="The whole machine is lost",
            checks=checks.MACHINE_CHECKS,
            variants=_ONE,
            applies=_on_this_machine,
            budget=lambda shop: shop.thresholds.machine_recovery,
            run=_machine_lost,
            remove=_remove_machines,
            whole=True,
        ),
        Drill(
            name=checks.MEDIA_LOST,
            title="Application data is lost",
            checks=checks.MEDIA_CHECKS,
            variants=_ONE,
            applies=lambda shop: _on_this_machine(shop) and bool(shop.folders),
            budget=lambda shop: shop.thresholds.folder_recovery,
            run=_part("run_media"),
            remove=_remove_copy,
        ),
        Drill(
            name=checks.CONFIGURATION_LOST,
            title="The configuration is lost",
            checks=checks.CONFIGURATION_CHECKS,
            variants=_ONE,
            applies=_on_this_machine,
            budget=lambda shop: shop.thresholds.configuration_recovery,
            run=_part("run_configuration"),
            remove=_remove_copy,
        ),
        Drill(
            name=checks.KEY_LOST,
            title="The encryption key is lost",
            checks=checks.KEY_CHECKS,
            variants=_ONE,
            applies=_on_this_machine,
            budget=_database_budget,
            run=_part("run_key"),
            remove=_remove_copy,
        ),
        Drill(
            name=checks.STORE_UNREACHABLE,
            title="A store of backups is unreachable",
            checks=checks.STORE_CHECKS,
            variants=_ONE,
            applies=lambda shop: _on_this_machine(shop) and len(shop.stores) > 1,
            budget=_database_budget,
            run=_part("run_store"),
            remove=_remove_copy,
        ),
        Drill(
            name=checks.BAD_RELEASE,
            title="A bad version is released",
            checks=checks.RELEASE_CHECKS,
            variants=_ONE,
            applies=_on_this_machine,
            budget=_database_budget,
            run=_bad_release,
            remove=_remove_copy,
        ),
        Drill(
            name=checks.NODE_LOST,
            title="A node of the cluster loses its power",
            checks=checks.NODE_CHECKS,
            variants=_ONE,
            applies=_in_cluster,
            budget=_database_budget,
            run=_node_lost,
            remove=_remove_node,
            whole=True,
        ),
    )
}


def of(shop: Shop) -> list[Drill]:
    """The drills that apply to the shop."""
    return [each for each in DRILLS.values() if each.applies(shop)]
