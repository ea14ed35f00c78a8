"""Holds a reader to a rate, so that a dump leaves the database's users their share."""

from __future__ import annotations

import time
from collections.abc import Callable

Passed = Callable[[int], None]
"""Told how many bytes were read just now; returns when the next may be."""


def throttle(bytes_per_second: float | None) -> Passed:
    """A gate that lets so many bytes a second pass at most; None lets all pass at once.

    What was not used while the reader waited for something else is not made up for by a burst later.
    """
    if bytes_per_second is None:
        return lambda _: None
    rate, free_at = bytes_per_second, time.monotonic()

    def passed(size: int) -> None:
        nonlocal free_at
        free_at = max(free_at, time.monotonic()) + size / rate
        time.sleep(max(0.0, free_at - time.monotonic()))  # the throttle itself

    return passed
