"""What retention never removes, whatever the policy says. Pure: facts in, a plan that only keeps more out.

The policy judges by time alone; here the judge is whether the shop could still be restored
afterwards. Every rule fails closed: in doubt the snapshot stays.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from ecom_platform.backup.catalogue_reading import Catalogue, Entry
from ecom_platform.backup.manifest import Status
from ecom_platform.backup.retention import Judged, Plan, Snapshot, moment_of, plan
from ecom_platform.backup.retention_policy import Policy
from ecom_platform.backup.sources.set_members import spared

CLOCK_TOLERANCE = timedelta(minutes=5)
"""Clocks of a database server and of this machine may differ by this much and be called right."""


@dataclass(frozen=True)
class Limits:
    """share: at most this part of a source's snapshots may go at once. In daily use one of some dozens
    goes; a half is a mistake in the policy, a clock, or an attack.

    lock: how long the store itself refuses to delete an object (object lock).
    trust_clock: a person looked, and times that contradict each other are no reason to wait.
    """

    share: float = 0.5
    lock: timedelta | None = None
    trust_clock: bool = False


@dataclass(frozen=True)
class Guarded:
    """keep and remove: by id with reasons, newest first. refused: why nothing is removed although the
    policy would; empty if the plan may be carried out.
    """

    source: str
    keep: tuple[tuple[Entry, tuple[str, ...]], ...]
    remove: tuple[tuple[Entry, tuple[str, ...]], ...]
    refused: tuple[str, ...] = ()


def guarded_plan(catalogue: Catalogue, source: str, policy: Policy, now: datetime, limits: Limits) -> Guarded:
    """What may be removed of a source in the store whose catalogue this is. now: aware."""
    entries = {each.manifest.id: each for each in catalogue.of(source)}
    judged = plan([_snapshot(each) for each in entries.values()], policy, now)
    kept = _spare(judged, entries, Surroundings(now, limits, _needed(catalogue, source)))
    refused = [f"the catalogue cannot be trusted whole: {each}" for each in catalogue.problems]
    refused += [] if limits.trust_clock else _clock_refusals(catalogue, source, now)
    refused += _too_many(kept, limits)
    if refused and kept.remove:
        everything = sorted([*kept.keep, *kept.remove], key=lambda each: each.snapshot.time.instant, reverse=True)
        # The sentence stands once, in `refused`; beside each snapshot stands what would have been.
        kept = Plan(tuple(Judged(each.snapshot, each.reasons) for each in everything), ())
    return Guarded(source, _entries(kept.keep, entries), _entries(kept.remove, entries), tuple(refused))


def _snapshot(entry: Entry) -> Snapshot:
    return Snapshot(entry.manifest.id, moment_of(entry.manifest.snapshot_at), entry.manifest.tags)


def _entries(judged: Iterable[Judged], entries: Mapping[str, Entry]) -> tuple[tuple[Entry, tuple[str, ...]], ...]:
    return tuple((entries[each.snapshot.id], each.reasons) for each in judged)


@dataclass(frozen=True)
class Surroundings:
    """needed: by id, the set that a snapshot belongs to."""

    now: datetime
    limits: Limits
    needed: Mapping[str, str]


def _needed(catalogue: Catalogue, source: str) -> dict[str, str]:
    """A set's members stay as long as the set does: what goes with it goes at the next time."""
    return {id_: set_id for (of, id_), set_id in spared(catalogue).items() if of == source}


def _spare(judged: Plan, entries: Mapping[str, Entry], around: Surroundings) -> Plan:
    """Moves from remove to keep what must stay."""
    proved = sorted(id_ for id_, each in entries.items() if each.status is Status.PROVED)
    keep, remove = list(judged.keep), []
    for each in judged.remove:
        reasons = _reasons_to_stay(entries[each.snapshot.id], proved, around)
        if reasons:
            keep.append(Judged(each.snapshot, reasons))
        else:
            remove.append(each)
    keep.sort(key=lambda each: each.snapshot.time.instant, reverse=True)
    return Plan(tuple(keep), tuple(remove))


def _reasons_to_stay(entry: Entry, proved: Sequence[str], around: Surroundings) -> tuple[str, ...]:
    """proved: ids of the proved snapshots, oldest first; the order of ids is the order of taking."""
    reasons = []
    if entry.held is not None:
        reasons.append(f"held by {entry.held.by}: {entry.held.reason}")
    if proved and entry.manifest.id == proved[-1]:
        reasons.append("it is the last proved snapshot")
    elif not proved or proved[-1] < entry.manifest.id:
        reasons.append("no newer snapshot is proved")
    if entry.manifest.id in around.needed:
        reasons.append(f"the set {around.needed[entry.manifest.id]} needs it")
    lock = around.limits.lock
    if lock is not None and entry.manifest.finished_at + lock > around.now:
        reasons.append(f"the store keeps it locked until {entry.manifest.finished_at + lock:%Y-%m-%d %H:%M} UTC")
    return tuple(reasons)


def _clock_refusals(catalogue: Catalogue, source: str, now: datetime) -> Iterable[str]:
    entries = catalogue.of(source)
    latest = max((each.manifest.snapshot_at for each in entries), default=None)
    if latest is not None and latest > now + CLOCK_TOLERANCE:
        yield f"the clock went backwards: a snapshot is of {latest:%Y-%m-%d %H:%M} UTC, which is to come"
    removed = [each.at for (of, _), each in catalogue.removals.items() if of == source]
    if removed and max(removed) > now + CLOCK_TOLERANCE:
        yield f"the clock went backwards: a snapshot was removed at {max(removed):%Y-%m-%d %H:%M} UTC, which is to come"
    for newer, older in pairwise(entries):
        if newer.manifest.snapshot_at + CLOCK_TOLERANCE < older.manifest.snapshot_at:
            yield f"the clock jumped: {newer.manifest.id} was taken after {older.manifest.id} and shows an earlier time"


def _too_many(judged: Plan, limits: Limits) -> Iterable[str]:
    total = len(judged.keep) + len(judged.remove)
    if len(judged.remove) > limits.share * total:
        yield f"{len(judged.remove)} of {total} would go at once, more than {limits.share:.0%}"
