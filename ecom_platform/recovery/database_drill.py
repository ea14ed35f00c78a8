"""The drill `database-lost`: a steady shop, its database damaged, noticed, recovered, tested, all with a stopwatch.

On a copy of the shop. The recovery is the one of a real disaster (database.py); only the fault is made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from ecom_platform.backup import proof, snapshot
from ecom_platform.clients import sql
from ecom_platform.errors import ProofFailed
from ecom_platform.platforms.protocol import DatabaseAccess, Platform
from ecom_platform.records import Findings
from ecom_platform.recovery import ledger, ledger_file, probes
from ecom_platform.recovery.checks import DATABASE_LOST
from ecom_platform.recovery.copies import Progress, Site, copy_of, make_copy, remove_copy, site_of
from ecom_platform.recovery.database import DatabaseRecovery, candidate, proved, recover_database
from ecom_platform.recovery.faults import Fault
from ecom_platform.recovery.ledger import Moments
from ecom_platform.recovery.record import DrillRecord, judge_time, ledger_figures
from ecom_platform.recovery.rehearsal import Rehearsal, rehearsing
from ecom_platform.recovery.validation import validate
from ecom_platform.recovery.writer import Place, Writer, writing
from ecom_platform.spec import Database, Shop
from ecom_platform.verdicts import Verdict, equal, holds, passed

STEADY_ORDERS = 5
"""Acknowledged orders before the snapshot, and again between it and the fault: some to keep, some to lose."""

NOTICE_SECONDS = 120.0
"""A fault that no probe sees in that time is not noticed by the platform."""

WAIT_SECONDS = 60.0
"""For a few orders of a shop that serves."""


@dataclass
class Seen:
    """What the drill measured on its way."""

    alarm: probes.Alarm | None = None
    recovery: DatabaseRecovery | None = None
    moments: Moments | None = None
    first: float = 0.0
    validated: tuple[Verdict, ...] = ()
    kept: tuple[Verdict, ...] = ()


def run(
    live: Platform, shop: Shop, database: Database, fault: Fault, *, progress: Progress
) -> tuple[Findings, DrillRecord]:
    """Verdicts for checks.DATABASE_CHECKS and the record. Raises what kept the drill from being carried out."""
    copied = copy_of(shop)
    with rehearsing(
        live.drills(), DATABASE_LOST, fault.name, remove=remove_copy(copied), progress=progress
    ) as rehearsal:
        site = site_of(copied, rehearsal.folder)
        with rehearsal.watch.phase("preparation"):
            make_copy(live, shop, site, rehearsal.progress)
        found, record = drill_on(site, site.shop.database(database.name), fault, rehearsal)
    return Findings({**found, "cleaned_up": [rehearsal.left()]}), record


def drill_on(
    site: Site, database: Database, fault: Fault, rehearsal: Rehearsal
) -> tuple[dict[str, list[Verdict]], DrillRecord]:
    """The drill on a copy that serves, which it leaves serving; verdicts by check, and the record."""
    return _judge(site, database, fault, rehearsal, _rehearse(site, database, fault, rehearsal))


def _rehearse(site: Site, database: Database, fault: Fault, rehearsal: Rehearsal) -> Seen:
    watch, seen = rehearsal.watch, Seen()
    address = site.platform.address(site.shop.front_door, "active")
    place = Place(address, rehearsal.prefix, site.shop.drills.orders_per_second)
    with writing(place, rehearsal.ledger, watch.now) as writer:
        with watch.phase("steady"):
            saved, checks = _steady(site, database, rehearsal, writer)
        with watch.phase("fault"):
            at = watch.now()
            rehearsal.progress(f"fault: {fault.what}")
            fault.inflict(site.platform, database, hit(database, site))
            if fault.backup_follows:
                _backup(site, database, rehearsal)
        with watch.phase("detection"):
            seen.alarm = probes.wait_for_alarm(checks, seconds=NOTICE_SECONDS)
            rehearsal.progress(f"noticed: {seen.alarm.seen[0]}")
        with watch.phase("recovery"):
            done = recover_database(site.platform, site.shop, database, progress=rehearsal.progress)
            seen.recovery = done
            first = writer.wait_for(1, since=watch.of(done.back_at), seconds=WAIT_SECONDS)
            seen.first = first.acknowledged or first.began
            rehearsal.progress(f"first good purchase {seen.first - at:.1f} s after the fault")
        seen.moments = Moments(at, watch.of(done.stopped_at), watch.of(done.back_at), saved)
        with watch.phase("validation"):
            seen.validated = tuple(validate(site.platform, site.shop))
            seen.kept = tuple(_kept(site, done, fault))
        with watch.phase("normal"):
            probes.wait_until_well(checks[: len(site.shop.services)], seconds=WAIT_SECONDS)
            writer.wait_for(STEADY_ORDERS, since=watch.now(), seconds=WAIT_SECONDS)
    return seen


def _steady(site: Site, database: Database, rehearsal: Rehearsal, writer: Writer) -> tuple[float, list[probes.Probe]]:
    """Orders, a proved snapshot, more orders; when its dump began, and the probes that know what is there."""
    watch = rehearsal.watch
    writer.wait_for(STEADY_ORDERS, since=0.0, seconds=WAIT_SECONDS)
    saved = watch.now()
    _backup(site, database, rehearsal)
    held = proved(site.platform, site.shop, database, [])
    newest = candidate(held[max(held)].manifest)
    checks = probes.probes(site.platform, site.shop, {database.name: newest.rows})
    probes.wait_until_well(checks, seconds=WAIT_SECONDS)
    writer.wait_for(STEADY_ORDERS, since=watch.now(), seconds=WAIT_SECONDS)
    until = watch.now() + site.shop.drills.steady.total_seconds()
    while watch.now() < until:
        rehearsal.refuse_aborted()
        writer.wait_for(1, since=watch.now(), seconds=WAIT_SECONDS)
    return saved, checks


def _backup(site: Site, database: Database, rehearsal: Rehearsal) -> None:
    """A snapshot of the copy, proved as every snapshot is."""
    rehearsal.progress("taking and proving a snapshot of the copy")
    _, taken = snapshot.take(site.platform, site.shop, database, progress=lambda _: None)
    findings, _ = proof.prove(
        site.platform, site.shop, database, snapshot=taken.snapshot, store="", progress=lambda _: None
    )
    if any(not each.passed for found in findings.verdicts.values() for each in found):
        bad = [str(each) for found in findings.verdicts.values() for each in found if not each.passed]
        raise ProofFailed(f"prove the copy's snapshot {taken.snapshot}", "; ".join(bad[:3]))


def hit(database: Database, site: Site) -> str:
    """The table that a fault hits: the last of the spec's growing ones, or else the one with the most rows."""
    if database.growing:
        return database.growing[-1]
    held = proved(site.platform, site.shop, database, [])
    rows = candidate(held[max(held)].manifest).rows
    return max(rows, key=lambda name: rows[name])


def orders_under(access: DatabaseAccess, prefix: str) -> Mapping[str, list[int]]:
    """The orders of the database whose keys begin so, by key."""
    query = "SELECT idempotency_key, id FROM public.orders WHERE pg_catalog.starts_with(idempotency_key, %s)"
    found: dict[str, list[int]] = {}
    with sql.connect(access) as connection:
        for key, number in sql.fetch(connection, query, (prefix,)):
            found.setdefault(key, []).append(number)
    return found


def _kept(site: Site, done: DatabaseRecovery, fault: Fault) -> Iterator[Verdict]:
    postgres = site.platform.postgres
    aside = [each.name for each in postgres.layout.postgres.glob("data.kept-*")]
    claim = "what was damaged is kept"
    if not fault.keeps:
        yield passed(claim, "the fault left nothing to keep")
        return
    with sql.connect(postgres.superuser()) as connection:
        query = "SELECT datname, datallowconn, pg_catalog.pg_database_size(oid) FROM pg_catalog.pg_database"
        there = {name: (open_, size) for name, open_, size in sql.fetch(connection, query)}
    if aside:
        yield passed(claim, f"as files: {', '.join(aside)}")
        return
    yield holds(claim, done.kept in there, f"as {done.kept or 'nothing'}")
    if done.kept in there:
        yield equal("nobody gets into what is kept", False, there[done.kept][0])  # what is expected


def _judge(
    site: Site, database: Database, fault: Fault, rehearsal: Rehearsal, seen: Seen
) -> tuple[dict[str, list[Verdict]], DrillRecord]:
    assert seen.alarm is not None
    assert seen.recovery is not None
    assert seen.moments is not None
    attempts = ledger_file.read(rehearsal.ledger)
    access = site.platform.database(site.shop.database(database.name), "backup")
    found = ledger.reconcile(attempts, orders_under(access, rehearsal.prefix))
    record = DrillRecord(
        drill=DATABASE_LOST,
        variant=fault.name,
        drill_id=rehearsal.id,
        laps=tuple(rehearsal.watch.laps),
        rto_budget_seconds=database.rto.total_seconds(),
        rto_seconds=round(seen.first - seen.moments.fault, 3),
        facts={
            "snapshot": seen.recovery.snapshot,
            "restore_seconds": seen.recovery.restore_seconds,
            "database_bytes": seen.recovery.database_bytes,
            "noticed_seconds": round(seen.alarm.seconds, 3),
            "noticed_by": seen.alarm.seen[0].claim,
        },
    )
    record = replace(record, **ledger_figures(found, seen.moments))
    alarm = f"{seen.alarm.seen[0]} after {seen.alarm.seconds:.2f} s"
    verdicts = {
        "detected": [passed("a probe noticed the fault", alarm, seconds=seen.alarm.seconds)],
        "recovered": list(_recovered(seen.recovery)),
        "kept_aside": list(seen.kept),
        "in_time": judge_time(record),
        "ledger": ledger.judge(found, seen.moments, database.rpo.total_seconds()),
        "validated": list(seen.validated),
    }
    return verdicts, record


def _recovered(done: DatabaseRecovery) -> Iterator[Verdict]:
    rows = f"{done.tables} tables, {done.rows:,} rows, compared in {done.restore_seconds:.1f} s with the restore"
    yield passed(f"{done.snapshot} from {done.store} is equal to its fingerprint", rows)
    yield holds("the first snapshot that was tried restored", not done.failures, "; ".join(done.failures) or "it did")
    for name, reason in done.passed_over.items():
        yield passed(f"{name} holds the damage and was passed over", reason)
