"""The drill `database-lost`: a steady shop, its database damaged, noticed, recovered, tested, all with a stopwatch.

On a copy of the shop. The recovery is the one of a real disaster (database.py); only the fault is made.
"""

from __future__ import annotations

from collections.abc import Iterator

from ecom_platform.backup import proof, snapshot
from ecom_platform.platforms.protocol import Platform
from ecom_platform.records import Findings
from ecom_platform.recovery import probes
from ecom_platform.recovery.checks import DATABASE_LOST
from ecom_platform.recovery.copies import Place, Progress, cluster_copy_of, copy_of
from ecom_platform.recovery.course import Back, Plan, follow, on_a_copy, refuse_unproved
from ecom_platform.recovery.database import DatabaseRecovery, candidate, proved, recover_database
from ecom_platform.recovery.faults import Fault
from ecom_platform.recovery.record import DrillRecord
from ecom_platform.recovery.rehearsal import Rehearsal
from ecom_platform.spec import Database, Shop
from ecom_platform.verdicts import Verdict, holds, passed


def run(
    live: Platform, shop: Shop, database: Database, fault: Fault, *, progress: Progress
) -> tuple[Findings, DrillRecord]:
    """Verdicts for checks.DATABASE_CHECKS and the record. Raises what kept the drill from being carried out."""

    def of_place(site: Place, rehearsal: Rehearsal) -> Plan:
        return plan(site, site.shop.database(database.name), fault, rehearsal)

    return on_a_copy(
        live,
        shop,
        cluster_copy_of(shop) if shop.platform == "kubernetes" else copy_of(shop),
        of_place,
        drill=(DATABASE_LOST, fault.name),
        progress=progress,
    )


def drill_on(
    site: Place, database: Database, fault: Fault, rehearsal: Rehearsal
) -> tuple[dict[str, list[Verdict]], DrillRecord]:
    """The drill on a copy that serves, which it leaves serving; verdicts by check, and the record."""
    return follow(plan(site, database, fault, rehearsal), rehearsal)


def plan(site: Place, database: Database, fault: Fault, rehearsal: Rehearsal) -> Plan:
    """What is lost, what notices it, what brings it back."""

    def damage() -> None:
        fault.inflict(site.platform, database, hit(database, site))
        if fault.backup_follows:
            back_up(site, database)

    def recover() -> Back:
        done = recover_database(site.platform, site.shop, database, progress=rehearsal.progress)
        verdicts = {"recovered": list(recovered(done)), "kept_aside": list(_kept(site, database, fault))}
        return Back(done.stopped_at, done.back_at, verdicts, facts_of(done))

    return Plan(
        drill=DATABASE_LOST,
        variant=fault.name,
        budget_seconds=database.rto.total_seconds(),
        loss_seconds=database.rpo.total_seconds(),
        save=lambda: back_up(site, database),
        fault=damage,
        eyes=lambda: eyes_of(site, database),
        recover=recover,
        shop=lambda: (site.platform, site.shop),
    )


def eyes_of(site: Place, database: Database) -> list[probes.Probe]:
    """The probes, which know what the newest proved snapshot holds."""
    held = proved(site.platform, site.shop, database, [])
    return probes.probes(site.platform, site.shop, {database.name: candidate(held[max(held)].manifest).rows})


def back_up(site: Place, database: Database) -> None:
    """A snapshot of the copy, proved as every snapshot is. Raises ProofFailed if it is not."""
    _, taken = snapshot.take(site.platform, site.shop, database, progress=lambda _: None)
    findings, _ = proof.prove(
        site.platform, site.shop, database, snapshot=taken.snapshot, store="", progress=lambda _: None
    )
    refuse_unproved(f"the snapshot {taken.snapshot}", findings)


def hit(database: Database, site: Place) -> str:
    """The table that a fault hits: the last of the spec's growing ones, or else the one with the most rows."""
    if database.growing:
        return database.growing[-1]
    held = proved(site.platform, site.shop, database, [])
    rows = candidate(held[max(held)].manifest).rows
    return max(rows, key=lambda name: rows[name])


def facts_of(done: DatabaseRecovery) -> dict[str, float | str]:
    return {
        "snapshot": done.snapshot,
        "restore_seconds": done.restore_seconds,
        "database_bytes": done.database_bytes,
    }


def recovered(done: DatabaseRecovery) -> Iterator[Verdict]:
    """That it is equal, at the first try, and why newer snapshots were passed over."""
    rows = f"{done.tables} tables, {done.rows:,} rows, compared in {done.restore_seconds:.1f} s with the restore"
    yield passed(f"{done.snapshot} from {done.store} is equal to its fingerprint", rows)
    yield holds("the first snapshot that was tried restored", not done.failures, "; ".join(done.failures) or "it did")
    for name, reason in done.passed_over.items():
        yield passed(f"{name} holds the damage and was passed over", reason)


def _kept(site: Place, database: Database, fault: Fault) -> Iterator[Verdict]:
    claim = "what was damaged is kept, and nobody gets into it"
    aside = site.platform.set_aside(database)
    nothing = "the fault left nothing to keep"
    yield holds(claim, aside or not fault.keeps, ", ".join(aside[-2:]) if fault.keeps else nothing)
