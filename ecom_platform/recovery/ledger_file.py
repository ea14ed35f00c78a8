"""The ledger on disk: a line when an order is begun, and a line when it was acknowledged.

An acknowledgement counts when fsync has returned. A line that a killed writer left half is no line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from ecom_platform.errors import PermanentError
from ecom_platform.recovery.ledger import Attempt


class LedgerFile:
    """Appends; one writer."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def begun(self, attempt: Attempt) -> None:
        """Before the order is sent. Not synced: it promises nothing, and outlives the process by the flush."""
        self._append({"number": attempt.number, "key": attempt.key, "began": attempt.began})
        self._file.flush()

    def acknowledged(self, attempt: Attempt) -> None:
        """On the disk when this returns."""
        self._append({"number": attempt.number, "acknowledged": attempt.acknowledged, "order": attempt.order})
        self._file.flush()
        os.fsync(self._file.fileno())

    def _append(self, content: dict[str, Any]) -> None:
        self._file.write(json.dumps(content).encode() + b"\n")


@contextmanager
def opened(path: Path) -> Iterator[LedgerFile]:
    """A new ledger. Raises FileExistsError for one that is there: a ledger is written once."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
    with os.fdopen(handle, "wb") as file:
        yield LedgerFile(file)


def read(path: Path) -> list[Attempt]:
    """All attempts by number. Raises PermanentError for a ledger that is damaged before its end."""
    attempts: dict[int, Attempt] = {}
    lines = path.read_bytes().split(b"\n")
    for place, line in enumerate(lines[:-1], start=1):
        try:
            content = json.loads(line)
            number = int(content["number"])
            if "began" in content:
                attempts[number] = Attempt(number, str(content["key"]), float(content["began"]))
            else:
                known = attempts[number]
                attempts[number] = replace(known, acknowledged=content["acknowledged"], order=content["order"])
        except (ValueError, KeyError, TypeError) as error:
            raise PermanentError(f"read the ledger {path}", f"line {place} is no line of a ledger") from error
    return [attempts[number] for number in sorted(attempts)]
