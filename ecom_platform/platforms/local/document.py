"""A document of the shop's as a file, which each write replaces whole; see Document in the protocol."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from ecom_platform.platforms.local.layout import make_private
from ecom_platform.platforms.local.locks import held
from ecom_platform.platforms.protocol import Conflict

WRITE_SECONDS = 10.0
"""How long a write waits for another one; each takes milliseconds."""


@dataclass(frozen=True)
class FileDocument:
    """A file, mode 600. Its revision is the digest of its text, so a text must never come again."""

    path: Path

    def read(self) -> tuple[str, str]:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return "", ""
        return content.decode(), hashlib.sha256(content).hexdigest()

    def write(self, text: str, revision: str) -> str:
        make_private(self.path.parent)
        with held(self.path.with_suffix(".lock"), f"a write of {self.path.name}", seconds=WRITE_SECONDS):
            if self.read()[1] != revision:
                raise Conflict(f"write {self.path}", "somebody else wrote it meanwhile")
            _replace(self.path, text.encode())
        return hashlib.sha256(text.encode()).hexdigest()


def _replace(path: Path, content: bytes) -> None:
    """Atomic, and on the disk when it returns."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
