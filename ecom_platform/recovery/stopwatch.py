"""The stopwatch of a drill: which phase began and ended when, by one monotonic clock. Pure but for that clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal, get_args

Phase = Literal["preparation", "steady", "fault", "detection", "recovery", "validation", "normal"]
PHASES: tuple[Phase, ...] = get_args(Phase)


@dataclass(frozen=True, slots=True)
class Lap:
    """One phase, in seconds since the drill began. ended is None while it goes on, or when it broke off."""

    phase: Phase
    began: float
    ended: float | None = None

    @property
    def seconds(self) -> float | None:
        return None if self.ended is None else self.ended - self.began


class Stopwatch:
    """told: called with all laps at each change, before anything of the phase is done."""

    def __init__(
        self,
        told: Callable[[Sequence[Lap]], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._told, self._clock, self._zero = told, clock, clock()
        self.laps: list[Lap] = []

    def now(self) -> float:
        """Seconds since the drill began."""
        return self._clock() - self._zero

    def of(self, at: float) -> float:
        """The same for a moment of the clock itself."""
        return at - self._zero

    @contextmanager
    def phase(self, name: Phase) -> Iterator[None]:
        """Phases come in their order, each once; one that raises has no end, and so no time.

        Raises ValueError for one that is out of order.
        """
        if self.laps and (self.laps[-1].ended is None or PHASES.index(self.laps[-1].phase) >= PHASES.index(name)):
            raise ValueError(f"the phase {name} cannot follow {self.laps[-1]}")
        self.laps.append(Lap(name, self.now()))
        self._told(self.laps)
        yield
        self.laps[-1] = replace(self.laps[-1], ended=self.now())
        self._told(self.laps)

    def lap(self, name: Phase) -> Lap | None:
        return next((each for each in self.laps if each.phase == name), None)
