"""Looks whether a snapshot that was taken really is where it should be: read back from each store, not believed."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ecom_platform.backup.catalogue import find_entry, read_catalogue
from ecom_platform.backup.manifest import Manifest, Status
from ecom_platform.clients.objects import ObjectStore
from ecom_platform.errors import EcomError
from ecom_platform.verdicts import Verdict, equal, failed, holds

AGE_HEADER = b"age-encryption.org/v1"


def is_stored(store: ObjectStore, manifest: Manifest, trusted: Collection[str] | None) -> Verdict:
    claim = f"the store {store.name} holds {manifest.id}"
    said = manifest.stores.get(store.name)
    if said != Status.STORED:
        return failed(claim, f"{said or 'the manifest does not name it'}")
    try:
        entry = find_entry(
            read_catalogue(store, shop=manifest.shop, trusted=trusted), store.name, manifest.id, manifest.source
        )
    except EcomError as error:
        return failed(claim, str(error))
    return equal(claim, Status.STORED.value, entry.status.value)


def is_encrypted(store: ObjectStore, manifest: Manifest) -> Iterator[Verdict]:
    for part in manifest.objects:
        claim = f"{part.name} in {store.name} is an age file"
        try:
            head = next(iter(store.read(part.key)), b"")[: len(AGE_HEADER)]
        except EcomError as error:
            yield failed(claim, str(error))
        else:
            yield holds(claim, head == AGE_HEADER, f"begins with {head[:21]!r}")
