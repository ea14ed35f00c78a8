"""Holds a reader to a rate, so that a dump leaves the database's users their share."""

from __future__ import annotations

import time
from collections.abc import Callable

Passed = Callable[[int], None]
"""Told how many bytes were read just now; returns when the next may be."""


def throttle(bytes_per_second: float | None) -> Passed:
    """A gate that lets so many bytes a second pass on average since it was made; None lets all pass at once."""
    if bytes_per_second is None:
        return lambda _: None
    rate, began, total = bytes_per_second, time.monotonic(), 0

    def passed(size: int) -> None:
        nonlocal total
        total += size
        ahead = began + total / rate - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)  # the throttle itself

    return passed
