"""Whose signatures count: the platform's own and those that the spec names; anybody's only where nothing is known."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ecom_platform.backup.signing import ensure_signing_key
from ecom_platform.backup.trust import trusted_signers
from ecom_platform.spec import Encryption


def trusted(key: Path, *signers: str) -> frozenset[str] | None:
    platform: Any = SimpleNamespace(signing_key=lambda: key)
    shop: Any = SimpleNamespace(encryption=Encryption(managed=True, signers=signers))
    return trusted_signers(platform, shop)


def test_an_empty_machine_takes_anybodys_and_no_other_does(tmp_path: Path) -> None:
    key = tmp_path / "signing-key"
    assert trusted(key) is None
    assert trusted(key, "ed25519:theirs") == frozenset({"ed25519:theirs"})
    assert not key.exists()
    own = ensure_signing_key(key).public
    assert trusted(key) == frozenset({own})
    assert trusted(key, "ed25519:theirs") == frozenset({own, "ed25519:theirs"})
