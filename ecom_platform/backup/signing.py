"""Signed records: JSON that cannot be altered unseen. Which records there are is not known here.

A record is two lines: the JSON, and a line with the Ed25519 signature of exactly those bytes, so
that no question of formatting can arise. Write-once is the store's part.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecom_platform.errors import ConfigurationError, CorruptBackup

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_PREFIX = "ed25519:"


class SigningKey:
    """A private Ed25519 key; never printed. public: its public half, as text that records carry."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = _PREFIX + base64.b64encode(private.public_key().public_bytes_raw()).decode()

    def __repr__(self) -> str:
        return f"SigningKey({self.public})"

    def sign(self, content: bytes) -> str:
        return base64.b64encode(self._private.sign(content)).decode()

    def keyed_digest(self, content: bytes) -> str:
        """Hex; equal for equal content, and of no use to guess it for whoever has not this key."""
        key = hashlib.sha256(b"ecom keyed digest\0" + self._private.private_bytes_raw()).digest()
        return hmac.new(key, content, hashlib.sha256).hexdigest()


def ensure_signing_key(path: Path) -> SigningKey:
    """The key in the file, which is made (mode 600) if it is not there. Two callers get the same key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(scratch, path)
        except FileExistsError:
            pass  # somebody else was first; theirs is the key
        finally:
            scratch.unlink()
    return read_signing_key(path)


def read_signing_key(path: Path) -> SigningKey:
    """Raises ConfigurationError, without the content, if the file holds no key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        return SigningKey(Ed25519PrivateKey.from_private_bytes(base64.b64decode(path.read_bytes(), validate=False)))
    except OSError as error:
        raise ConfigurationError("read the signing key", f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ConfigurationError(
            "read the signing key", f"{path} holds no key", "Put back the file, or remove it to make a new key."
        ) from error


@dataclass(frozen=True)
class Opened:
    """A record whose signature fits its bytes. key: who signed; digest: SHA-256 of the whole record, hex."""

    content: bytes
    key: str
    digest: str


def digest_of(record: bytes) -> str:
    return hashlib.sha256(record).hexdigest()


def close_record(content: dict[str, Any], key: SigningKey) -> bytes:
    """The signed record. content: JSON-able."""
    line = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    return line + b"\n" + json.dumps({"key": key.public, "signature": key.sign(line)}).encode() + b"\n"


def open_record(record: bytes, trusted: Collection[str] | None) -> Opened:
    """Checks the signature. trusted: public keys; None trusts any key, which shows accidents but no
    forger. Raises CorruptBackup that says what is wrong.
    """
    from cryptography.exceptions import InvalidSignature

    tried = "check the signature of a record"
    line, newline, rest = record.partition(b"\n")
    if not newline or not rest.endswith(b"}\n"):
        raise CorruptBackup(tried, "it is cut off")
    try:
        signed = json.loads(rest)
        key, signature = str(signed["key"]), base64.b64decode(signed["signature"], validate=True)
        public = _public(key)
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise CorruptBackup(tried, "its signature cannot be read") from error
    if trusted is not None and key not in trusted:
        seen = f"it was signed by {key}, which is not trusted here"
        raise CorruptBackup(tried, f"{seen}; if that is another platform of this shop, name it in `encryption.signers`")
    try:
        public.verify(signature, line)
    except InvalidSignature as error:
        raise CorruptBackup(tried, "it was altered after it was signed") from error
    return Opened(line, key, digest_of(record))


@lru_cache(maxsize=64)
def _public(key: str) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if not key.startswith(_PREFIX):
        raise ValueError("not an ed25519 key")
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(key.removeprefix(_PREFIX), validate=True))
