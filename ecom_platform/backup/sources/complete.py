"""The source `complete/all`: a signed record of the snapshots that belong together, and how to rebuild from them.

Goes here: taking a set and judging it. Not here: what its manifest says of its members (set_members.py). The
rebuild file is in clear: who needs it has no program yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from ecom_platform.backup.catalogue_reading import Catalogue, Entry, read_catalogue
from ecom_platform.backup.manifest import Manifest, Status
from ecom_platform.backup.sources.rebuild_file import rebuild_text
from ecom_platform.backup.sources.set_members import KIND, NAME, Member, broken, by_name, members_of
from ecom_platform.backup.sources.taking import Source, Stream, Writing, take_snapshot
from ecom_platform.clients.objects import ObjectStore, open_store
from ecom_platform.errors import EcomError, MissingError, RefusedError
from ecom_platform.verdicts import Verdict, failed, holds, inconclusive, passed

REBUILD = "rebuild"

MEMBERS_THERE = "every member of the set is there, and is the one that was named"
MEMBERS_PROVED = "every member of the set was restored and compared"
TOGETHER = "all members were taken in the run of the set"
REBUILD_FITS = "the rebuild file is whole and names what is there"


def take_set(members: Mapping[str, str], began: datetime, to: Writing) -> Manifest:
    """Record that these snapshots (id by source) belong together, in every store. began: when their run began.

    Raises MissingError if a store lacks one of them, RefusedError if there are none.
    """
    if not members:
        raise RefusedError("record a set", "it has no members", "Back up something in the same run.")
    found = {access.name: _entries(open_store(access, patience=to.patience), to, members) for access in to.stores}
    listed = [
        {"source": source, "id": id_, "manifests": {store: entries[source].digest for store, entries in found.items()}}
        for source, id_ in sorted(members.items())
    ]
    manifests = [entry.manifest for _, entry in sorted(next(iter(found.values())).items())]
    text = rebuild_text(to.shop, manifests).encode()

    def written() -> Iterator[bytes]:
        yield text

    streams = (Stream(REBUILD, "rebuild.txt", written, in_clear=True),)
    tools = {"age": "decrypts", "zstd": "decompresses", "pg_restore": "databases", "tar": "folders"}
    return take_snapshot(
        Source(KIND, NAME, streams, lambda: {"members": listed, "began": began.isoformat()}, tools), to
    )


def _entries(store: ObjectStore, to: Writing, members: Mapping[str, str]) -> dict[str, Entry]:
    catalogue = read_catalogue(store, shop=to.shop, trusted=[to.signing_key.public])
    there = by_name(catalogue)
    missing = [f"{source} {id_}" for source, id_ in members.items() if (source, id_) not in there]
    if missing:
        raise MissingError(
            f"record a set in the store {store.name}",
            f"it has no {', '.join(missing)}",
            "Mend that store and run `ecom backup complete` again.",
        )
    return {source: there[source, id_] for source, id_ in members.items()}


def verify_set(store: ObjectStore, catalogue: Catalogue, manifest: Manifest) -> list[Verdict]:
    """Judges the set by its store alone: members there, proved, taken together; rebuild file whole and right."""
    there = by_name(catalogue)
    members = members_of(manifest)
    entries = [there[each.source, each.id] for each in members if (each.source, each.id) in there]
    wrong = broken(catalogue, manifest)
    count = f"{len(members)} members"
    return [
        failed(MEMBERS_THERE, "; ".join(wrong))
        if wrong
        else holds(MEMBERS_THERE, members, f"{count}: {', '.join(each.source for each in members)}"),
        _proved(entries, members, count),
        _together(manifest, entries),
        _rebuild_fits(store, manifest, [each.manifest for each in entries]),
    ]


def _proved(entries: Iterable[Entry], members: Sequence[Member], count: str) -> Verdict:
    states = {f"{each.manifest.source} {each.manifest.id}": each.status for each in entries}
    bad = [name for name, status in states.items() if status in (Status.FAILED, Status.TAKEN)]
    if bad or len(states) < len(members):
        return failed(MEMBERS_PROVED, ", ".join(bad) or f"{len(states)} of {count} are there")
    unproved = [name for name, status in states.items() if status is not Status.PROVED]
    if unproved or not members:
        return inconclusive(MEMBERS_PROVED, f"not yet proved: {', '.join(unproved)}" if members else "no members")
    return passed(MEMBERS_PROVED, count)


def _together(manifest: Manifest, entries: Sequence[Entry]) -> Verdict:
    began = datetime.fromisoformat(manifest.fingerprint["began"])
    outside = [each.manifest.source for each in entries if not began <= each.manifest.started_at <= manifest.started_at]
    times = [each.manifest.snapshot_at for each in entries]
    span = f"within {(max(times) - min(times)).total_seconds():.0f} s" if times else "no member is there"
    return holds(TOGETHER, entries and not outside, f"before or after it: {', '.join(outside)}" if outside else span)


def _rebuild_fits(store: ObjectStore, manifest: Manifest, members: Sequence[Manifest]) -> Verdict:
    part = manifest.part(REBUILD)
    try:
        content = store.get(part.key)
    except EcomError as error:
        return failed(REBUILD_FITS, error.seen)
    if hashlib.sha256(content).hexdigest() != part.sha256:
        return failed(REBUILD_FITS, "it was altered")
    keys = [each.key for member in members for each in member.objects]
    unnamed = [each for each in keys if each.encode() not in content]
    return holds(REBUILD_FITS, keys and not unnamed, f"{len(keys)} objects" if not unnamed else f"not {unnamed[0]}")
