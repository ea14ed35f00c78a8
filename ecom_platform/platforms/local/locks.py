"""Who may change what: locks on files, which the kernel lets go when their holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ecom_platform.errors import BusyError

_POLL_SECONDS = 0.05


@contextmanager
def held(path: Path, purpose: str, *, seconds: float, waiting: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the lock during the block. seconds: how long to wait for it; waiting is told once for whom.

    Raises BusyError that names the holder, its process and since when.
    """
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _acquire(handle, path, purpose, seconds, waiting)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{purpose} (process {os.getpid()}, since {datetime.now(UTC):%H:%M:%S} UTC)".encode(), 0)
        yield
        os.ftruncate(handle, 0)
    finally:
        os.close(handle)


def _acquire(handle: int, path: Path, purpose: str, seconds: float, waiting: Callable[[str], None] | None) -> None:
    deadline = time.monotonic() + seconds
    told = False
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(handle, 200, 0).decode(errors="replace") or "another process"
            if time.monotonic() > deadline:
                raise BusyError(
                    f"begin {purpose}", f"{holder} is at work", f"Wait for it, or end it; the lock is {path}."
                ) from error
            if waiting and not told:
                waiting(holder)
                told = True
            time.sleep(_POLL_SECONDS)
        else:
            return
