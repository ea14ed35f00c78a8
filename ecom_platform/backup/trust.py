"""Whose signatures count on this platform: a store's records are signed, and whoever can write there can sign too."""

from __future__ import annotations

from ecom_platform.backup.signing import read_signing_key
from ecom_platform.platforms.protocol import Platform
from ecom_platform.spec import Shop


def trusted_signers(platform: Platform, shop: Shop) -> frozenset[str] | None:
    """Public keys: the platform's own, and those that the spec names in `encryption.signers`.

    None, which is anybody's, only where there is neither: on an empty machine, in an emergency, nothing is known
    that could tell a forger. What writes into a store (a dump, a proof) makes the platform's own key first.
    """
    key = platform.signing_key()
    own = {read_signing_key(key).public} if key.exists() else set[str]()
    return frozenset(own | set(shop.encryption.signers)) or None
