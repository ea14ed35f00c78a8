"""age: who may open a backup, and the streams to and from ciphertext. Keys come as text; no files, no stores here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ecom_platform.errors import ConfigurationError, CorruptBackup, PermanentError

Recipients = Sequence[str]
"""age public keys ("age1...") or SSH public keys."""


class Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


class Writable(Protocol):
    def write(self, block: bytes, /) -> int: ...


class Identities:
    """Private keys that open backups; never printed. recipients: the public halves of the age keys."""

    def __init__(self, key_file: str) -> None:
        """key_file: the text of an age key file; lines that begin with # are comments, an SSH private key
        may stand alone. Raises ConfigurationError, without the text, if no key is in it.
        """
        import pyrage

        self.recipients: tuple[str, ...] = ()
        self._keys: list[pyrage.x25519.Identity | pyrage.ssh.Identity] = []
        try:
            if "-----BEGIN" in key_file:
                self._keys.append(pyrage.ssh.Identity.from_buffer(key_file.encode()))
            else:
                lines = [line.strip() for line in key_file.splitlines()]
                keys = [pyrage.x25519.Identity.from_str(line) for line in lines if line and not line.startswith("#")]
                self._keys += keys
                self.recipients = tuple(str(each.to_public()) for each in keys)
        except pyrage.IdentityError as error:
            raise ConfigurationError(
                "read the key file", "a line is no age private key", "It holds lines of AGE-SECRET-KEY-1..."
            ) from error
        if not self._keys:
            raise ConfigurationError("read the key file", "it holds no key", "It holds lines of AGE-SECRET-KEY-1...")

    def __repr__(self) -> str:
        return f"Identities({', '.join(self.recipients) or 'ssh'})"

    def decrypt(self, source: Readable, sink: Writable) -> None:
        """Everything from source to sink. Raises NoKeyFits if none of the keys may open it and
        CorruptBackup if it is not what was encrypted; nothing unauthentic reaches the sink.
        """
        import pyrage

        try:
            pyrage.decrypt_io(source, sink, self._keys)
        except pyrage.DecryptError as error:
            if "no matching" in str(error).lower():
                raise NoKeyFits("decrypt", f"none of the keys opens it: {error}") from error
            raise CorruptBackup("decrypt", str(error)) from error


class NoKeyFits(PermanentError):
    """It was encrypted to other recipients."""


def new_identity() -> str:
    """The text of a new age key file."""
    import pyrage

    key = pyrage.x25519.Identity.generate()
    return f"# public key: {key.to_public()}\n{key}\n"


def check_recipients(recipients: Recipients) -> None:
    """Raises ConfigurationError, naming the entry, unless there is one at least and all are public keys."""
    _parse(recipients)


def encrypt(source: Readable, sink: Writable, recipients: Recipients) -> None:
    """Everything from source to sink, so that each recipient alone can open it. Flat memory."""
    import pyrage

    pyrage.encrypt_io(source, sink, _parse(recipients))


def _parse(recipients: Recipients) -> list[object]:
    import pyrage

    parsed: list[object] = []
    for each in recipients:
        try:
            kind = pyrage.ssh.Recipient if each.startswith("ssh-") else pyrage.x25519.Recipient
            parsed.append(kind.from_str(each))
        except pyrage.RecipientError as error:
            raise ConfigurationError(
                "read the recipients", f"{each[:80]!r} is no age public key", "Write age1... or ssh-ed25519 ..."
            ) from error
    if not parsed:
        raise ConfigurationError(
            "read the recipients", "there is none", "Name one at least: a backup that nobody can open is none."
        )
    return parsed
