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
    """variants: the first is the ordinary one. whole: of the whole machine or cluster, and so less often.

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

    def variant_of(self, day: date) -> str:
        """Scheduled drills take the variants in turn, one a week."""
        return self.variants[day.isocalendar().week % len(self.variants)]


def _sells(shop: Shop) -> bool:
    """A shop that can take an order, with a database that has backups; on this machine."""
    return bool(shop.platform == "local" and shop.services and shop.databases and shop.stores)


def _database_lost(live: Platform, shop: Shop, variant: str, progress: Progress) -> Result:
    from ecom_platform.recovery import database_drill
    from ecom_platform.recovery.faults import FAULTS

    return database_drill.run(live, shop, shop.databases[0], FAULTS[variant], progress=progress)


def _remove_copy(shop: Shop) -> Callable[[Path], None]:
    from ecom_platform.recovery.copies import copy_of, remove_copy

    return remove_copy(copy_of(shop))


DRILLS = {
    each.name: each
    for each in (
        Drill(
            name=checks.DATABASE_LOST,
            title="The database is lost or corrupted",
            checks=checks.DATABASE_CHECKS,
            variants=checks.DATABASE_VARIANTS,
            applies=_sells,
            budget=lambda shop: shop.databases[0].rto,
            run=_database_lost,
            remove=_remove_copy,
        ),
    )
}


def of(shop: Shop) -> list[Drill]:
    """The drills that apply to the shop."""
    return [each for each in DRILLS.values() if each.applies(shop)]
