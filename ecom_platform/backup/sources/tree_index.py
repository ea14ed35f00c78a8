"""The list of what a tree snapshot holds: written, read, and compared with what is there. Pure.

It is an archive of its own beside the content, encrypted like it, because names of files can tell as
much as files; the manifest has its hash and its totals.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ecom_platform.backup.sources.tree_reader import FILE, Entry
from ecom_platform.errors import CorruptBackup
from ecom_platform.verdicts import Verdict, failed, inconclusive, passed

INDEX, CONTENT = "index", "content"
"""The archives of a tree snapshot."""

SHOWN = 5  # paths named in one sentence

THERE = "every file, folder and link is there, and no other"
SAME_CONTENT = "every file has its content, every link its target"
SAME_MODE = "every mode is as it was"
SAME_TIME = "every time of change is as it was"


def write_index(entries: Iterable[Entry]) -> bytes:
    """A line for each entry, by path: the same entries are always the same bytes."""
    ordered = sorted(entries, key=lambda each: each.path)
    return b"".join(json.dumps(vars(each), sort_keys=True).encode() + b"\n" for each in ordered)


def read_index(content: bytes, fingerprint: Mapping[str, Any]) -> dict[str, Entry]:
    """Entries by path. Raises CorruptBackup if it is not the list of that fingerprint."""
    tried = "read the list of the snapshot's files"
    found = hashlib.sha256(content).hexdigest()
    if found != fingerprint.get("index"):
        raise CorruptBackup(tried, "it is not the one that the manifest names")
    entries = [Entry(**json.loads(line)) for line in content.splitlines()]
    return {each.path: each for each in entries}


def fingerprint_of(index: bytes, entries: Iterable[Entry]) -> dict[str, Any]:
    """What the manifest says of a tree: totals, and the hash of the list, in which each file has its own."""
    sizes = [each.size for each in entries if each.type == FILE]
    return {
        "index": hashlib.sha256(index).hexdigest(),
        "entries": index.count(b"\n"),
        "files": len(sizes),
        "bytes": sum(sizes),
    }


def compare_trees(expected: Mapping[str, Entry], observed: Mapping[str, Entry]) -> list[Verdict]:
    """A verdict for each of the four claims. An empty expectation is inconclusive: it would prove nothing."""
    if not expected:
        return [inconclusive(THERE, "the snapshot lists nothing")]
    both = [(expected[path], observed[path]) for path in sorted(expected.keys() & observed.keys())]
    count = f"{len(expected):,} entries"
    return [
        _there(expected, observed, count),
        _all(SAME_CONTENT, both, _content, count),
        _all(SAME_MODE, both, _mode, count),
        _all(SAME_TIME, both, _time, count),
    ]


def _there(expected: Mapping[str, Entry], observed: Mapping[str, Entry], count: str) -> Verdict:
    wrong = [f"{_shown(each)} is missing" for each in sorted(expected.keys() - observed.keys())]
    wrong += [f"{_shown(each)} should not be there" for each in sorted(observed.keys() - expected.keys())]
    return failed(THERE, _list(wrong)) if wrong else passed(THERE, count)


def _all(
    claim: str, both: Iterable[tuple[Entry, Entry]], difference: Callable[[Entry, Entry], Iterator[str]], count: str
) -> Verdict:
    wrong = [f"{_shown(each.path)}: {seen}" for each, other in both for seen in difference(each, other)]
    return failed(claim, _list(wrong)) if wrong else passed(claim, count)


def _content(expected: Entry, observed: Entry) -> Iterator[str]:
    if expected.type != observed.type:
        yield f"was a {expected.type}, is a {observed.type}"
    elif expected.target != observed.target:
        yield f"led to {_shown(expected.target)}, leads to {_shown(observed.target)}"
    elif expected.size != observed.size:
        yield f"had {expected.size:,} bytes, has {observed.size:,}"
    elif expected.sha256 != observed.sha256:
        yield "other bytes"


def _mode(expected: Entry, observed: Entry) -> Iterator[str]:
    if expected.mode != observed.mode:
        yield f"was {expected.mode:o}, is {observed.mode:o}"


def _time(expected: Entry, observed: Entry) -> Iterator[str]:
    if expected.mtime != observed.mtime:
        yield f"was {expected.mtime / 1e9:.9f}, is {observed.mtime / 1e9:.9f}"


def _shown(path: str) -> str:
    """A path in a message: one line, no bytes that a terminal or a database would refuse."""
    return json.dumps(path)[1:-1][:200]


def _list(wrong: list[str]) -> str:
    more = f"; and {len(wrong) - SHOWN:,} more" if len(wrong) > SHOWN else ""
    return "; ".join(wrong[:SHOWN]) + more
