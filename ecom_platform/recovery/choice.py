"""Which snapshot to go back to: the newest proved one that does not hold the damage itself. Pure.

A backup that ran after a `DELETE` without `WHERE` restores perfectly and brings the damage back. Tables that the
spec calls `growing` never lose rows in ordinary business, so a snapshot in which one of them has fewer rows than in
an older snapshot was taken after the damage: content says it, no clock and no guess.
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
    """candidates: in any order; ids are in the order of time."""
    ordered = sorted(candidates, key=lambda each: each.id)
    reasons: dict[str, str] = {}
    for place in range(len(ordered) - 1, -1, -1):
        lost = _lost(ordered[place], ordered[:place], growing)
        if not lost:
            return Choice(ordered[place].id, reasons)
        reasons[ordered[place].id] = lost
    return Choice(None, reasons)


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
