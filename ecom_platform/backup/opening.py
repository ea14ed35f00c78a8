"""Finds the snapshot that is meant, in the store that is meant, and the keys that open it."""

from __future__ import annotations

from ecom_platform.backup.catalogue import find
from ecom_platform.backup.encryption import Identities
from ecom_platform.backup.manifest import Manifest
from ecom_platform.backup.trust import trusted_signers
from ecom_platform.clients.objects import ObjectStore, open_store
from ecom_platform.errors import ConfigurationError
from ecom_platform.platforms.protocol import Platform
from ecom_platform.spec import Shop


def chosen_snapshot(
    platform: Platform, shop: Shop, source: str, snapshot: str, store: str
) -> tuple[ObjectStore, Manifest]:
    """The store (empty: the spec's first) and the snapshot (an id or `latest`) of the source (KIND/NAME) in it.

    Raises ConfigurationError or MissingError for what is not there, CorruptBackup for a catalogue that
    cannot be trusted.
    """
    name = store or next(iter(shop.stores))
    if name not in shop.stores:
        raise ConfigurationError(
            f"find the store {name}", "the spec has none of that name", f"It has {[*shop.stores]}."
        )
    stored = open_store(platform.store(name))
    return stored, find(stored, snapshot, source, shop=shop.shop, trusted=trusted_signers(platform, shop))


def identities_for(platform: Platform, manifest: Manifest) -> Identities:
    """The platform's private keys. Raises ConfigurationError, naming who could open it, if it has none."""
    keys = platform.identities()
    if not keys:
        raise ConfigurationError(
            f"decrypt {manifest.id}",
            "this platform has no identity; it can encrypt and not decrypt",
            f"Name one in `encryption.identity`. The recipients are {', '.join(manifest.recipients)}.",
        )
    return Identities("\n".join(keys))
