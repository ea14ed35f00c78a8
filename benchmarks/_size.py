"""How large and how long a benchmark of backups is, by the same options for all of them."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass

ORDERS_A_GIGABYTE = 1_600_000
"""Of the example shop, with its indexes; the result says how large the database really was."""


@dataclass(frozen=True)
class Size:
    """minutes: no round begins later than that after the first one began."""

    orders: int
    rounds: int
    minutes: float

    def turns(self) -> Iterator[int]:
        """Numbers of rounds: as many as wanted, at least one, and none that begins too late."""
        began = time.monotonic()
        for number in range(self.rounds):
            if number and time.monotonic() - began > self.minutes * 60:
                return
            yield number


def size_from(arguments: list[str] | None, purpose: str | None) -> Size:
    parser = argparse.ArgumentParser(description=purpose, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1.2, help="of the database, about")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=60, help="no round begins later")
    given = parser.parse_args(arguments)
    return Size(int(given.gigabytes * ORDERS_A_GIGABYTE), given.rounds, given.minutes)
