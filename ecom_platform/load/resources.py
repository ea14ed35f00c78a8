"""How busy the target's machine is while it is under load. A sampler is asked about once a second.

This machine is sampled here; a cluster's metrics come from a sampler that the caller brings.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Usage:
    """Shares (0 to 1) of what the target may use, `seconds` after the start of the load."""

    seconds: float
    cpu: float
    memory: float


class Sampler(Protocol):
    """of: whose figures these are, for people."""

    of: str

    def begin(self, generator: Sequence[int]) -> None:
        """The load begins. generator: the processes that make it, whose use is not the target's."""

    def sample(self) -> Usage | None:
        """Figures since the last call, or None if there are none now."""


class ThisMachine:
    """CPU time and memory of this machine, less the CPU time of the generator itself."""

    of = "this machine without the load generator"

    def begin(self, generator: Sequence[int]) -> None:
        import psutil

        self._cores = psutil.cpu_count() or 1
        self._generator = [psutil.Process(pid) for pid in generator]
        self._began = self._last = time.monotonic()
        self._own = self._own_seconds()
        psutil.cpu_percent()  # from here on

    def sample(self) -> Usage | None:
        import psutil

        now = time.monotonic()
        if now - self._last < 0.2:  # the kernel counts in hundredths; a shorter stretch is noise
            return None
        busy, own = psutil.cpu_percent() / 100, self._own_seconds()
        generator = (own - self._own) / (now - self._last) / self._cores
        self._last, self._own = now, own
        return Usage(now - self._began, min(1.0, max(0.0, busy - generator)), psutil.virtual_memory().percent / 100)

    def _own_seconds(self) -> float:
        import psutil

        total = 0.0
        for each in self._generator:
            try:
                spent = each.cpu_times()
            except psutil.NoSuchProcess:  # it has ended; what it used before was counted before
                continue
            total += spent.user + spent.system
        return total


class TheseProcesses:
    """CPU time and memory of the target's own processes and their children, as shares of this machine.

    What else this machine does is not the target's; it shows as a generator that falls behind.
    """

    def __init__(self, of: str, roots: Callable[[], Sequence[int]]) -> None:
        """roots: the processes now; a restarted one has another number."""
        self.of = of
        self._roots = roots

    def begin(self, generator: Sequence[int]) -> None:
        import psutil

        del generator
        self._cores, self._memory = psutil.cpu_count() or 1, psutil.virtual_memory().total
        self._began = self._last = time.monotonic()
        self._spent = {pid: seconds for pid, (seconds, _) in self._now().items()}

    def sample(self) -> Usage | None:
        now = time.monotonic()
        if now - self._last < 0.2:  # the kernel counts in hundredths; a shorter stretch is noise
            return None
        seen = self._now()
        if not seen:
            return None
        spent = sum(seconds - self._spent.get(pid, 0.0) for pid, (seconds, _) in seen.items())
        cpu = spent / (now - self._last) / self._cores
        self._last, self._spent = now, {pid: seconds for pid, (seconds, _) in seen.items()}
        memory = sum(size for _, size in seen.values()) / self._memory
        return Usage(now - self._began, min(1.0, max(0.0, cpu)), memory)

    def _now(self) -> dict[int, tuple[float, int]]:
        """CPU seconds and bytes by process. Bytes are proportional: shared pages count once."""
        import psutil

        found: dict[int, tuple[float, int]] = {}
        for root in self._roots():
            try:
                family = [psutil.Process(root), *psutil.Process(root).children(recursive=True)]
            except psutil.NoSuchProcess:  # it was restarted just now; the next sample has its successor
                continue
            for each in family:
                try:
                    times = each.cpu_times()
                    found[each.pid] = (times.user + times.system, each.memory_full_info().pss)
                except psutil.NoSuchProcess:  # a connection's server process, over by now
                    continue
        return found


def mean_cpu(samples: Sequence[Usage]) -> float | None:
    return statistics.fmean(each.cpu for each in samples) if samples else None


def peak_memory(samples: Sequence[Usage]) -> float | None:
    return max(each.memory for each in samples) if samples else None
