"""What a catalogue says of a store; for the tests of the catalogue."""

from __future__ import annotations

from ecom_platform.backup import catalogue
from ecom_platform.backup.encryption import Identities
from ecom_platform.backup.manifest import Manifest, Status
from ecom_platform.clients.objects import ObjectStore
from tests.backup.snapshots import KEYS, SHOP, Taker


def read(taker: Taker) -> catalogue.Catalogue:
    return catalogue.read_catalogue(taker.stores[0], shop=SHOP, trusted=taker.trusted)


def problems(taker: Taker) -> list[str]:
    return [str(each) for each in read(taker).problems]


def statuses(taker: Taker) -> list[Status]:
    return [each.status for each in read(taker).entries]


def archive(store: ObjectStore, manifest: Manifest, name: str, keys: Identities = KEYS) -> bytes:
    with catalogue.open_archive(store, manifest, name, keys) as file:
        return file.readall()
