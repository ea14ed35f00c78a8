"""The course of every drill: steady → fault → detection → recovery → validation → normal, under real orders.

A drill is a plan: what is lost, what notices it, what brings it back. Here is what they have in common: the writer,
the stopwatch, the order of the steps, and the judgement.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, cast

from ecom_platform.clients import sql
from ecom_platform.errors import ProofFailed
from ecom_platform.platforms.protocol import Platform
from ecom_platform.records import Findings
from ecom_platform.recovery import ledger, ledger_file, probes
from ecom_platform.recovery.copies import Place as CopyPlace
from ecom_platform.recovery.copies import make_copy, place_of, remover_of
from ecom_platform.recovery.ledger import Moments
from ecom_platform.recovery.record import DrillRecord, judge_time, ledger_figures
from ecom_platform.recovery.rehearsal import Rehearsal, rehearsing
from ecom_platform.recovery.validation import validate
from ecom_platform.recovery.writer import Place, Writer, writing
from ecom_platform.spec import Shop
from ecom_platform.verdicts import Verdict, passed

STEADY_ORDERS = 5
"""Acknowledged orders before the snapshot, and again between it and the fault: some to keep, some to lose."""

NOTICE_SECONDS = 120.0
"""A fault that no probe sees in that time is not noticed by the platform."""

WAIT_SECONDS = 60.0
"""For a few orders of a shop that serves."""

P = TypeVar("P", bound=CopyPlace)
FIRST_SECONDS = 600.0
"""For the first order after the recovery: pods are asked for their readiness every few seconds, and the stopwatch
runs; a drill that gave up early would be inconclusive where it is only slow.
"""

Verdicts = Mapping[str, Sequence[Verdict]]


@dataclass(frozen=True)
class Back:
    """What a recovery gives. stopped_at, back_at: monotonic seconds; nobody wrote in between.

    address: of the front door, if it is another one now. verdicts: by check. facts: for the record.
    """

    stopped_at: float
    back_at: float
    verdicts: Verdicts = field(default_factory=dict)
    facts: Mapping[str, float | str] = field(default_factory=dict)
    address: str = ""


@dataclass(frozen=True)
class Plan:
    """One drill. budget_seconds: of its recovery. loss_seconds: of acknowledged work that may be lost.

    save: takes and proves what will be recovered from. eyes: asked when that is done. recover: brings it back.
    shop: where the shop runs, asked again after the recovery. keeps_all: no order at all may be lost.
    afterwards: what is left to do when the shop sells again; verdicts by check.
    """

    drill: str
    variant: str
    budget_seconds: float
    loss_seconds: float
    save: Callable[[], None]
    fault: Callable[[], None]
    eyes: Callable[[], list[probes.Probe]]
    recover: Callable[[], Back]
    shop: Callable[[], tuple[Platform, Shop]]
    keeps_all: bool = False
    afterwards: Callable[[], Verdicts] = dict


def on_a_copy(
    live: Platform,
    shop: Shop,
    copied: Shop,
    plan_of: Callable[[P, Rehearsal], Plan],
    *,
    drill: tuple[str, str],
    progress: Callable[[str], None],
) -> tuple[Findings, DrillRecord]:
    """The whole drill: the copy made, the course followed, everything removed. drill: its name and its variant."""
    with rehearsing(live.drills(), *drill, remove=remover_of(copied), progress=progress) as rehearsal:
        site = cast("P", place_of(copied, rehearsal.folder))
        with rehearsal.watch.phase("preparation"):
            make_copy(live, shop, site, rehearsal.progress)
        found, record = follow(plan_of(site, rehearsal), rehearsal)
    return Findings({**found, "cleaned_up": [rehearsal.left()]}), record


@dataclass
class _Seen:
    alarm: probes.Alarm
    back: Back
    moments: Moments
    first: float
    validated: tuple[Verdict, ...] = ()
    after: Verdicts = field(default_factory=dict)


def follow(plan: Plan, rehearsal: Rehearsal) -> tuple[dict[str, list[Verdict]], DrillRecord]:
    """Verdicts by check, and the record. Raises what kept the drill from being carried out to its end."""
    platform, shop = plan.shop()
    place = Place(platform.address(shop.front_door, "active"), rehearsal.prefix, shop.drills.orders_per_second)
    with writing(place, rehearsal.ledger, rehearsal.watch.now) as writer:
        seen = _rehearse(plan, rehearsal, writer)
    return _judge(plan, rehearsal, seen)


def _rehearse(plan: Plan, rehearsal: Rehearsal, writer: Writer) -> _Seen:
    watch = rehearsal.watch
    with watch.phase("steady"):
        saved = _steady(plan, rehearsal, writer)
        eyes = plan.eyes()
        probes.wait_until_well(eyes, seconds=WAIT_SECONDS)
        writer.wait_for(STEADY_ORDERS, since=watch.now(), seconds=WAIT_SECONDS)
    with watch.phase("fault"):
        at = watch.now()
        rehearsal.progress(f"fault: {plan.variant}")
        plan.fault()
    with watch.phase("detection"):
        alarm = probes.wait_for_alarm(eyes, seconds=NOTICE_SECONDS)
        rehearsal.progress(f"noticed: {alarm.seen[0]}")
    with watch.phase("recovery"):
        back = plan.recover()
        if back.address:
            writer.redirect(back.address)
        first = writer.wait_for(1, since=watch.of(back.back_at), seconds=FIRST_SECONDS)
        served = first.acknowledged if first.acknowledged is not None else first.began
        rehearsal.progress(f"first good purchase {served - at:.1f} s after the fault")
    returned = watch.of(back.back_at)
    moments = Moments(at, watch.of(back.stopped_at), returned, returned if plan.keeps_all else saved)
    seen = _Seen(alarm, back, moments, served)
    platform, shop = plan.shop()
    with watch.phase("validation"):
        seen.validated = tuple(validate(platform, shop))
    with watch.phase("normal"):
        seen.after = plan.afterwards()
        well = probes.fronts(platform, shop)
        patience = WAIT_SECONDS if all(each.passed for each in seen.validated) else 0.0
        seen.validated += tuple(probes.still_wrong(well, seconds=patience))
        writer.wait_for(STEADY_ORDERS, since=watch.now(), seconds=WAIT_SECONDS)
    return seen


def _steady(plan: Plan, rehearsal: Rehearsal, writer: Writer) -> float:
    """Orders, a proved snapshot of them, more orders; when the snapshot was begun."""
    watch = rehearsal.watch
    writer.wait_for(STEADY_ORDERS, since=0.0, seconds=WAIT_SECONDS)
    saved = watch.now()
    rehearsal.progress("taking and proving what the drill recovers from")
    plan.save()
    until = watch.now() + plan.shop()[1].drills.steady.total_seconds()
    while watch.now() < until:
        rehearsal.refuse_aborted()
        writer.wait_for(1, since=watch.now(), seconds=WAIT_SECONDS)
    return saved


def orders_under(connection: sql.Connection, prefix: str) -> dict[str, list[int]]:
    """The orders of the database whose keys begin so, by key."""
    query = "SELECT idempotency_key, id FROM public.orders WHERE pg_catalog.starts_with(idempotency_key, %s)"
    found: dict[str, list[int]] = {}
    for key, number in sql.fetch(connection, query, (prefix,)):
        found.setdefault(key, []).append(number)
    return found


def _judge(plan: Plan, rehearsal: Rehearsal, seen: _Seen) -> tuple[dict[str, list[Verdict]], DrillRecord]:
    platform, shop = plan.shop()
    attempts = ledger_file.read(rehearsal.ledger)
    with sql.connect(platform.database(shop.databases[0], "backup")) as connection:
        found = ledger.reconcile(attempts, orders_under(connection, rehearsal.prefix))
    noticed: dict[str, float | str] = {
        "noticed_seconds": round(seen.alarm.seconds, 3),
        "noticed_by": seen.alarm.seen[0].claim,
    }
    record = DrillRecord(
        drill=plan.drill,
        variant=plan.variant,
        drill_id=rehearsal.id,
        laps=tuple(rehearsal.watch.laps),
        rto_budget_seconds=plan.budget_seconds,
        rpo_budget_seconds=plan.loss_seconds,
        rto_seconds=round(seen.first - seen.moments.fault, 3),
        facts={**noticed, **seen.back.facts},
        **ledger_figures(found, seen.moments),
    )
    alarm = f"{seen.alarm.seen[0]} after {seen.alarm.seconds:.2f} s"
    verdicts = {
        "detected": [passed("a probe noticed the fault", alarm, seconds=seen.alarm.seconds)],
        "in_time": judge_time(record),
        "ledger": ledger.judge(found, seen.moments, plan.loss_seconds),
        "validated": list(seen.validated),
        **{check: list(each) for check, each in {**seen.back.verdicts, **seen.after}.items()},
    }
    return verdicts, record


def refuse_unproved(what: str, findings: Findings) -> None:
    """Raises ProofFailed if a verdict did not pass: a drill does not begin on a backup that is not proved."""
    bad = [str(each) for found in findings.verdicts.values() for each in found if not each.passed]
    if bad:
        raise ProofFailed(f"prove {what} of the copy", "; ".join(bad[:3]))
