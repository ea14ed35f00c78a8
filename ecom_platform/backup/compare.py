"""Judges two fingerprints: what was dumped against what came back. Pure; it reads nothing.

Each difference is a failed verdict that names its cause; each kind of thing without a difference is a
passed one with its numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ecom_platform.backup.fingerprints import Fingerprint, SequenceState
from ecom_platform.verdicts import Verdict, failed, inconclusive, passed

SHOWN = 30
"""Differences of one kind that are told one by one; a database that is quite another has thousands."""

_COMPARABLE = "the fingerprints can be compared"
_NEWER_ONLY = {"not-null constraint": 180000}  # kinds of objects that older servers do not name


def compare(expected: Fingerprint, observed: Fingerprint) -> tuple[Verdict, ...]:
    """Verdicts on tables, sequences, large objects and definitions; expected is the manifest's."""
    if expected.algorithm != observed.algorithm or expected.encoding != observed.encoding:
        seen = f"{_method(expected)} in the manifest, {_method(observed)} here"
        return (inconclusive(_COMPARABLE, seen),)
    if otherwise := [name for name, chain in observed.chains.items() if chain != expected.chains.get(name, chain)]:
        seen = f"other columns than in the manifest are hashed one into the other in {', '.join(otherwise[:3])}"
        return (inconclusive(_COMPARABLE, seen),)
    missing = _missing_tables(expected, observed)
    return (
        *_verdicts("every table has its rows and content", _tables(expected, observed), _size(expected)),
        *_verdicts(
            "every sequence has its value", _sequences(expected, observed), f"{len(expected.sequences):,} sequences"
        ),
        *_verdicts(
            "every large object is there",
            _large_objects(expected, observed),
            f"{expected.large_objects.rows:,} objects",
        ),
        *_verdicts(
            "every definition came back",
            _objects(expected, observed, missing),
            f"{len(expected.objects):,} columns, constraints, indexes, functions and other definitions",
        ),
    )


def _method(one: Fingerprint) -> str:
    return f"algorithm {one.algorithm} on text in {one.encoding}"


def _size(one: Fingerprint) -> str:
    return f"{len(one.tables):,} tables, {one.rows:,} rows"


def _verdicts(claim: str, differences: Iterable[str], size: str) -> list[Verdict]:
    found = list(differences)
    if not found:
        return [passed(claim, f"{size}, all equal")]
    shown = [failed(claim, each) for each in found[:SHOWN]]
    if len(found) > SHOWN:
        shown.append(failed(claim, f"and {len(found) - SHOWN:,} more differences"))
    return shown


def _missing_tables(expected: Fingerprint, observed: Fingerprint) -> tuple[str, ...]:
    return tuple(name for name in expected.tables if name not in observed.tables)


def _tables(expected: Fingerprint, observed: Fingerprint) -> Iterable[str]:
    for name, wanted in expected.tables.items():
        seen = observed.tables.get(name)
        if seen is None:
            yield f"table {name}: missing, the manifest says {wanted.rows:,} rows"
        elif seen.rows != wanted.rows:
            yield f"table {name}: {seen.rows:,} rows, the manifest says {wanted.rows:,}"
        elif seen.content != wanted.content:
            yield f"table {name}: {seen.rows:,} rows as in the manifest, but their content differs"
    for name in observed.tables:
        if name not in expected.tables:
            yield f"table {name}: {observed.tables[name].rows:,} rows, the manifest has no such table"


def _sequences(expected: Fingerprint, observed: Fingerprint) -> Iterable[str]:
    for name, wanted in expected.sequences.items():
        seen = observed.sequences.get(name)
        if seen is None:
            yield f"sequence {name}: missing"
        elif not _between(wanted, seen):
            yield f"sequence {name}: {_state(seen.value, seen.called)}, the manifest says {_range(wanted)}"
    for name in observed.sequences:
        if name not in expected.sequences:
            yield f"sequence {name}: the manifest has no such sequence"


def _between(wanted: SequenceState, seen: SequenceState) -> bool:
    """Between the state before the dump and the one after it; a sequence may count down."""
    first, last = (wanted.value, wanted.called), (wanted.until, wanted.until_called)
    low, high = min(first, last), max(first, last)
    return low <= (seen.value, seen.called) <= high


def _state(value: int, called: bool) -> str:  # noqa: FBT001  # two fields of one state
    return f"{value:,}" if called else f"{value:,}, not yet given out"


def _range(wanted: SequenceState) -> str:
    first, last = _state(wanted.value, wanted.called), _state(wanted.until, wanted.until_called)
    return first if first == last else f"{first} to {last}"


def _large_objects(expected: Fingerprint, observed: Fingerprint) -> Iterable[str]:
    wanted, seen = expected.large_objects, observed.large_objects
    if seen.rows != wanted.rows:
        yield f"large objects: {seen.rows:,}, the manifest says {wanted.rows:,}"
    elif seen.content != wanted.content:
        yield f"large objects: {seen.rows:,} as in the manifest, but their content differs"


def _objects(expected: Fingerprint, observed: Fingerprint, missing: Sequence[str]) -> Iterable[str]:
    exact = expected.server // 10000 == observed.server // 10000
    for name in sorted(set(expected.objects) | set(observed.objects)):
        if _unknown_there(name, expected, observed) or _part_of(name, missing):
            continue
        wanted, seen = expected.objects.get(name), observed.objects.get(name)
        if seen is None:
            yield f"{name}: missing"
        elif wanted is None:
            yield f"{name}: the manifest has no such object"
        elif wanted != seen and (exact or _portable(wanted) != _portable(seen)):
            yield f"{name}: its definition differs from the manifest's"


def _portable(digest: str) -> str:
    return digest.rpartition(":")[2]


def _unknown_there(name: str, *both: Fingerprint) -> bool:
    first = next((since for kind, since in _NEWER_ONLY.items() if name.startswith(f"{kind} ")), 0)
    return any(each.server < first for each in both)


def _part_of(name: str, tables: Sequence[str]) -> bool:
    """Whether the object belongs to a missing table, which is told already."""
    return any(f" {table}." in name or name == f"table {table}" for table in tables)
