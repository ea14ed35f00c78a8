"""The cron table: which job, when, in which environments it runs by itself. All times are UTC.

A schedule exists everywhere, so that it can be seen and started by hand; it runs by itself only in the
environments that its row names. The omitted answer is "does not run".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import dagster as dg

from ecom_platform import keys
from ecom_platform.recovery import drills
from ecom_platform.settings import ENVIRONMENTS
from ecom_platform.spec import Shop
from jobs.table import UnresolvedJob

APART_MINUTES = 20
"""Between two drills of a night: each waits for the one before, and what waits takes a place in the queue of runs."""


@dataclass(frozen=True)
class ScheduleRow:
    """cron: five fields. runs_in: environments in which it is on from the start. reason: why this often.

    brings: subjects of the stage `backups` that are newer after each tick; one that was missed is caught up.
    """

    job: str
    cron: str
    runs_in: tuple[str, ...]
    reason: str
    brings: tuple[str, ...] = ()


def rows(shop: Shop) -> tuple[ScheduleRow, ...]:
    """The shop's table. The dump's time is the shortest of its databases' own schedules in the spec."""
    crons = sorted({each.schedule for each in shop.databases})
    backups = tuple(
        ScheduleRow("backup", cron, ENVIRONMENTS, "the recovery point of the spec", brings=_databases(shop, cron))
        for cron in crons
    )
    benchmark = shop.load.schedule if shop.load else "0 3 * * *"
    return (
        *backups,
        *_folders(shop),
        *_velero(shop),
        ScheduleRow(
            "backup_configuration",
            shop.backups.configuration,
            ENVIRONMENTS,
            "what somebody set today is not lost tomorrow",
            brings=(keys.subject_of("configuration/all"),),
        ),
        ScheduleRow(
            "backup_complete",
            shop.backups.complete,
            ENVIRONMENTS,
            "parts that belong together, once a week",
            brings=(keys.subject_of("complete/all"),),
        ),
        ScheduleRow(
            "verify_restore",
            shop.backups.verify,
            ("staging", "production"),
            "a proof a day beside one per snapshot, and older snapshots in turn",
        ),
        ScheduleRow("validate", "*/30 * * * *", ("staging", "production"), "faults that no deploy brought"),
        ScheduleRow("benchmark", benchmark, ("staging",), "load at night, and never on production by itself"),
        *_drills(shop),
        ScheduleRow("report", "0 6 * * *", ("staging", "production"), "the page lies there in the morning"),
    )


def _folders(shop: Shop) -> tuple[ScheduleRow, ...]:
    crons = sorted({each.schedule for each in shop.folders})
    return tuple(
        ScheduleRow(
            "backup_folders",
            cron,
            ENVIRONMENTS,
            "the age of files that the spec allows",
            brings=tuple(keys.subject_of(f"folder/{each.name}") for each in shop.folders if each.schedule == cron),
        )
        for cron in crons
    )


def _velero(shop: Shop) -> tuple[ScheduleRow, ...]:
    if shop.kubernetes.velero is None:
        return ()
    brings = tuple(keys.velero_path(shop, "backups", each)[-1] for each in keys.velero_namespaces(shop))
    cron, reason = shop.kubernetes.velero.schedule, "a proof a day of what Velero copies"
    return (ScheduleRow("backup_velero", cron, ("staging", "production"), reason, brings=brings),)


def _databases(shop: Shop, cron: str) -> tuple[str, ...]:
    return tuple(keys.database_path(shop, "backups", each.name)[-1] for each in shop.databases if each.schedule == cron)


def _drills(shop: Shop) -> Iterator[ScheduleRow]:
    """Rehearsals run on a copy, so production has them too: it is production's backups that must restore in time."""
    for place, drill in enumerate(drills.of(shop)):
        cron = shop.drills.whole_schedule if drill.whole else shop.drills.schedule
        cron = later(cron, place * APART_MINUTES)
        reason = "a rehearsal a month" if drill.whole else "a rehearsal a week, its variants in turn"
        yield ScheduleRow(f"drill_{drill.name.replace('-', '_')}", cron, ("staging", "production"), reason)


def later(cron: str, minutes: int) -> str:
    """The same days, so many minutes later; a cron whose hour or minute is no plain number stays as it is."""
    minute, hour, *days = cron.split()
    if not (minute.isdigit() and hour.isdigit()):
        return cron
    at = 60 * int(hour) + int(minute) + minutes
    return " ".join([str(at % 60), str(at // 60 % 24), *days])


def build(
    shop: Shop, jobs: Mapping[str, UnresolvedJob], environment: str
) -> list[tuple[ScheduleRow, dg.ScheduleDefinition]]:
    """A schedule per row whose job exists, with its row; `jobs` are by their row names."""
    table = [row for row in rows(shop) if row.job in jobs]
    return [(row, _schedule(row, jobs[row.job], environment, _suffix(row, table))) for row in table]


def _suffix(row: ScheduleRow, table: list[ScheduleRow]) -> str:
    """Two databases may have schedules of their own; then the later ones are numbered."""
    place = [each for each in table if each.job == row.job].index(row)
    return f"_{place + 1}" if place else ""


def _schedule(row: ScheduleRow, job: UnresolvedJob, environment: str, suffix: str) -> dg.ScheduleDefinition:
    on = environment in row.runs_in
    return dg.ScheduleDefinition(
        name=f"{job.name}_schedule{suffix}",
        job=job,
        cron_schedule=row.cron,
        execution_timezone="UTC",
        description=f"{row.reason}; runs by itself in {', '.join(row.runs_in)}",
        default_status=dg.DefaultScheduleStatus.RUNNING if on else dg.DefaultScheduleStatus.STOPPED,
    )
