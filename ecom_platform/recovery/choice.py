"""Which snapshot to go back to: the newest proved one that does not hold the damage itself. Pure.

A backup that ran after a `DELETE` without `WHERE` restores perfectly and brings the damage back. Tables that the
spec calls `growing` never lose rows in ordinary business, so a snapshot in which one of them has fewer rows than in
an older whole one was taken after the damage: content says it, no clock and no guess.

The counts do not see a deletion of fewer rows than were added before the next snapshot, nor values that were spoiled.
Counting what a sequence gave out would see more, and would take a night of refused orders for damage: a recovery would
then lose what is sound. So a person looks where counts are not enough (docs/disaster-recovery.md, limits).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Candidate:
    """A proved snapshot. rows: by schema.table, of its fingerprint."""

    id: str
    rows: Mapping[str, int]


@dataclass(frozen=True)
class Choice:
    """passed_over: snapshots that are newer than the chosen one, each with the reason. chosen: None for none."""

    chosen: str | None
    passed_over: Mapping[str, str]


def newest_whole(candidates: Sequence[Candidate], growing: Sequence[str]) -> Choice:
    """candidates: in any order; ids are in the order of time.

    A snapshot is measured by those before it that are whole: one that holds the damage of one table may have more
    rows of another than everything that was recovered from the snapshot before it.
    """
    whole: list[Candidate] = []
    reasons: dict[str, str] = {}
    for each in sorted(candidates, key=lambda each: each.id):
        if lost := _lost(each, whole, growing):
            reasons[each.id] = lost
        else:
            whole.append(each)
    if not whole:
        return Choice(None, reasons)
    return Choice(whole[-1].id, {name: reason for name, reason in reasons.items() if name > whole[-1].id})


def _lost(one: Candidate, older: Sequence[Candidate], growing: Sequence[str]) -> str:
    """Which growing tables have fewer rows than before, in words; empty for none."""
    found = []
    for table in growing:
        before = max((each.rows.get(table, 0) for each in older), default=0)
        rows = one.rows.get(table)
        if (rows or 0) < before:
            said = "is not there" if rows is None else f"has {rows:,} rows"
            found.append(f"{table} {said}, an older snapshot has {before:,}")
    return "; ".join(found)
