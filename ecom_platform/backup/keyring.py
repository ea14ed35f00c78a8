"""The keys of a shop's backups: who can open new ones, and which private keys are here.

Goes here: the files that hold them, adding and rotating. Not here: encryption itself (encryption.py), and words
for a person (escrow.py). What a dump needs is public and lies in a file of its own: a machine whose private keys
were taken away goes on making backups that it cannot read.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ecom_platform.backup.encryption import Identities, check_recipients, new_identity
from ecom_platform.errors import ConfigurationError
from ecom_platform.secret_values import resolve
from ecom_platform.spec import Encryption

Origin = Literal["spec", "managed", "added"]

IDENTITY = "age-identity"
"""The first private key's file; later ones have its name and the end of their public half."""


@dataclass(frozen=True)
class Recipient:
    """A public key that can open new backups. since: when it came here; None for the spec's."""

    public: str
    origin: Origin
    since: datetime | None = None


@dataclass(frozen=True)
class KeyRing:
    """private: the folder of the private keys. public: the file of the recipients that are not the spec's."""

    private: Path
    public: Path
    encryption: Encryption

    def recipients(self) -> tuple[str, ...]:
        """Those that can open new backups; reads no private key once there are recipients."""
        return tuple(dict.fromkeys(each.public for each in self.entries()))

    def entries(self) -> list[Recipient]:
        """The spec's first. The managed key is made at the first look, by one of two that come at once."""
        if self.encryption.managed and not any(each.origin == "managed" for each in self._kept()):
            with self._locked():
                kept = self._kept()
                if not any(each.origin == "managed" for each in kept):
                    self._write_public([_managed(self._first_identity()), *kept])
        kept = [each for each in self._kept() if self.encryption.managed or each.origin == "added"]
        return [*(Recipient(each, "spec") for each in self.encryption.recipients), *kept]

    def identities(self) -> tuple[str, ...]:
        """The private keys that are here, as texts of key files; none on a machine that only dumps."""
        own, kept = self.encryption.identity, list[str]()
        if self.encryption.managed:
            self.entries()
            kept = [each.read_text(encoding="utf-8").strip() for each in self._private_files()]
        return (*((resolve(own, "the encryption identity"),) if own else ()), *kept)

    def add(self, public: str) -> None:
        """From now on this key, too, opens new backups; older ones stay as they are.

        Raises ConfigurationError if it is no public key or is there already.
        """
        check_recipients([public])
        with self._locked():
            self._refuse_known(public)
            self._write_public([*self._kept(), Recipient(public, "added", _now())])

    def rotate(self) -> tuple[str, str]:
        """A new managed key takes the place of the old one for new backups: (old, new) public keys.

        The old private key stays here for the old backups. Raises ConfigurationError if the key is not managed.
        """
        if not self.encryption.managed:
            raise ConfigurationError(
                "rotate the key",
                "the spec names its recipients itself",
                "Make a key with age-keygen and write its public half into `encryption.recipients`.",
            )
        old = next(each.public for each in self.entries() if each.origin == "managed")
        text = _new_key()
        (new,) = Identities(text).recipients
        with self._locked():
            # The private half first: a kill between the two leaves a key that nobody uses, not a lost one.
            _write(self.private / f"{IDENTITY}-{new[-8:]}", text)
            others = [each for each in self._kept() if each.origin != "managed"]
            self._write_public([Recipient(new, "managed", _now()), *others])
        return old, new

    def _refuse_known(self, public: str) -> None:
        if public in {*self.encryption.recipients, *(each.public for each in self._kept())}:
            raise ConfigurationError(f"add the recipient {public}", "it can open new backups already")

    def _first_identity(self) -> str:
        """The text of the first private key's file, which is made if it is not there."""
        path = self.private / IDENTITY
        if not path.exists():
            _write(path, _new_key())
        return path.read_text(encoding="utf-8")

    def _private_files(self) -> list[Path]:
        return sorted(each for each in self.private.glob(f"{IDENTITY}*") if each.is_file())

    def _kept(self) -> list[Recipient]:
        if not self.public.exists():
            return []
        lines = [each.split() for each in self.public.read_text(encoding="utf-8").splitlines() if each.strip()]
        return [_parsed(self.public, each) for each in lines if not each[0].startswith("#")]

    def _write_public(self, entries: list[Recipient]) -> None:
        lines = [f"{each.public} {each.origin} {each.since:%Y-%m-%dT%H:%M:%SZ}\n" for each in entries if each.since]
        _write(self.public, "# Public keys that open new backups, beside those of the spec.\n" + "".join(lines))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.public.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = os.open(self.public.with_name(f".{self.public.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(held, fcntl.LOCK_EX)
            yield
        finally:
            os.close(held)


def _new_key() -> str:
    """A private key alone on its line, so that whoever looks for secrets where they must not be finds it."""
    return new_identity().splitlines()[-1] + "\n"


def _managed(identity: str) -> Recipient:
    return Recipient(Identities(identity).recipients[0], "managed", _now())


def _parsed(path: Path, words: list[str]) -> Recipient:
    known: dict[str, Origin] = {"managed": "managed", "added": "added"}
    try:
        *public, origin, since = words  # an SSH key has a space inside
        return Recipient(" ".join(public), known[origin], datetime.fromisoformat(since))
    except (KeyError, ValueError) as error:
        raise ConfigurationError(
            f"read {path}", f"this is no line of it: {' '.join(words)[:120]!r}", "It holds KEY, origin, moment."
        ) from error


def _now() -> datetime:
    return datetime.now(UTC)


def _write(path: Path, content: str) -> None:
    """The whole content or the old one, for its owner alone, on the disk when this returns."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
