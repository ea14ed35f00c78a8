"""The managed encryption key of a shop: an age identity, made once, kept in the state folder."""

from __future__ import annotations

from ecom_platform.platforms.local.layout import Layout
from ecom_platform.platforms.local.secrets import kept


def identity(layout: Layout) -> str:
    """The private key; whoever has it reads every backup."""
    import pyrage

    return kept(layout.secrets / "age-identity", lambda: str(pyrage.x25519.Identity.generate()))


def recipient(layout: Layout) -> str:
    """The public key; it can only encrypt."""
    import pyrage

    return str(pyrage.x25519.Identity.from_str(identity(layout)).to_public())
