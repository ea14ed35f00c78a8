"""Which snapshots belong together: what the manifest of a set says of its members, held against a catalogue. Pure.

Their names and the hashes of their manifests stand there in clear, so that retention can spare them and
anybody can see a set that is broken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ecom_platform.backup.catalogue_reading import Catalogue, Entry
from ecom_platform.backup.manifest import Manifest, Status

KIND, NAME = "complete", "all"
SOURCE = f"{KIND}/{NAME}"


@dataclass(frozen=True)
class Member:
    """manifests: SHA-256 of its manifest by store, which differ, because each is chained to its store's own."""

    source: str
    id: str
    manifests: Mapping[str, str]


def members_of(manifest: Manifest) -> list[Member]:
    """Empty for what is no set."""
    listed = manifest.fingerprint.get("members", ()) if manifest.kind == KIND else ()
    return [Member(each["source"], each["id"], each["manifests"]) for each in listed]


def by_name(catalogue: Catalogue) -> dict[tuple[str, str], Entry]:
    """By source and id; those that retention removed are not among them."""
    return {(each.manifest.source, each.manifest.id): each for each in catalogue.of(None)}


def broken(catalogue: Catalogue, manifest: Manifest) -> list[str]:
    """What is wrong with the set's members in the store of that catalogue; empty if nothing is."""
    there = by_name(catalogue)
    wrong = []
    for member in members_of(manifest):
        entry = there.get((member.source, member.id))
        if entry is None:
            wrong.append(f"{member.source} {member.id} is missing")
        elif entry.digest not in member.manifests.values():
            wrong.append(f"{member.source} {member.id} is not the one that was named")
        elif entry.status is Status.TAKEN:
            wrong.append(f"{member.source} {member.id} lacks an object")
        elif entry.status is Status.FAILED:
            wrong.append(f"{member.source} {member.id} failed its verification")
    return wrong


def broken_sets(catalogue: Catalogue) -> Iterator[str]:
    """A line for each set of the store that can no longer be rebuilt from."""
    for entry in catalogue.of(SOURCE):
        for wrong in broken(catalogue, entry.manifest):
            yield f"{entry.manifest.id}: the set is broken: {wrong}"


def spared(catalogue: Catalogue) -> dict[tuple[str, str], str]:
    """Which snapshots must stay because a set needs them: the set's id by source and id."""
    return {
        (member.source, member.id): entry.manifest.id
        for entry in catalogue.of(SOURCE)
        for member in members_of(entry.manifest)
    }
