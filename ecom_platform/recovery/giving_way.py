"""A drill beside the live shop on the same machine: it gets half of the cores, and of those what the shop leaves.

Its processes inherit that from the thread which begins them, so nothing has to be set anew afterwards, and an account
without rights may do it. The drill's own times are those of half a machine, then: never better than the truth.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from typing import TypeVar

from ecom_platform.platforms.protocol import Platform

T = TypeVar("T")
Progress = Callable[[str], None]

LOWEST = 19


def beside(live: Platform, work: Callable[[Progress], T], say: Progress) -> T:
    """What `work` gives; it is told where to say what it does, and that is said here, in the caller's thread.

    Where no shop runs on this machine nobody has to give way.
    """
    if not _runs_here(live):
        return work(say)
    said: SimpleQueue[str | None] = SimpleQueue()

    def giving_way() -> T:
        try:
            _give_way()
            return work(said.put)
        finally:
            said.put(None)

    with ThreadPoolExecutor(1, thread_name_prefix="drill") as pool:
        ended = pool.submit(giving_way)
        while (what := said.get()) is not None:
            say(what)
        return ended.result()


def _runs_here(live: Platform) -> bool:
    from ecom_platform.platforms.local import LocalPlatform

    return isinstance(live, LocalPlatform) and live.parts.running()


def _give_way() -> None:
    """This thread, and all that it begins. Only Linux knows threads with cores and priorities of their own."""
    if sys.platform != "linux":
        return
    thread = threading.get_native_id()
    cores = sorted(os.sched_getaffinity(thread))
    os.sched_setaffinity(thread, set(cores[len(cores) // 2 :]))
    os.setpriority(os.PRIO_PROCESS, thread, LOWEST)
