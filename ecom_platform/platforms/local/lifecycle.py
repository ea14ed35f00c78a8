"""The platform's life: up, down, status, reset. Each may be called again after a crash at any point.

Not here: what the parts are (the files beside this one), and how they are begun and ended (parts.py).
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from ecom_platform.clients import processes
from ecom_platform.clients.supervisor import ALIVE, ProcessState, daemon_config, replace_text
from ecom_platform.errors import DeadlineExceeded, PreflightError, RefusedError
from ecom_platform.platforms.local.layout import Layout
from ecom_platform.platforms.local.locks import held
from ecom_platform.platforms.local.parts import Part, Parts, Progress

WAIT_SECONDS = 60.0
"""How long a second `ecom up` waits for the first, which takes at most about that."""

STOP_ORDER = (("daemon", "webserver", "code-location", "metrics"), (), ("switch",), ("s3", "postgres"))
"""Who ends first; the empty place is for the shop's services. Together where nobody needs the other."""

LEFTOVER_SECONDS = 10.0


@dataclass(frozen=True)
class PartStatus:
    """One part as `ecom status` shows it. seconds: since it began; address may be empty."""

    name: str
    state: str
    pid: int | None
    seconds: float
    address: str

    @property
    def alive(self) -> bool:
        return self.state in ALIVE


class Lifecycle:
    """leftovers: more processes of this platform than the marked ones; they may be there after a crash.

    sockets: files outside the state folder that parts leave behind.
    """

    def __init__(
        self, layout: Layout, parts: Parts, leftovers: Callable[[], list[int]], sockets: Callable[[], list[Path]]
    ) -> None:
        self._layout = layout
        self._parts = parts
        self._leftovers = leftovers
        self._sockets = sockets

    @contextmanager
    def alone(self, purpose: str, progress: Progress) -> Iterator[None]:
        """No other up, down or reset of this platform during the block."""
        self._layout.make()
        lock = self._layout.locks / "platform"
        with held(lock, purpose, seconds=WAIT_SECONDS, waiting=lambda who: progress("wait", f"{who} is at work")):
            yield

    def start_supervisor(self) -> bool:
        """True if it was started, False if it ran."""
        if self._parts.running():
            return False
        self.end_leftovers()
        config = daemon_config(self._layout.state, self._layout.supervisor_socket, self._parts.files)
        replace_text(self._layout.supervisor_config, config)
        self._parts.supervisor.start()
        return True

    def bring_up(self, parts: Callable[[], Sequence[Part]], progress: Progress) -> None:
        """Begin everything and wait for it. parts: asked when supervisord runs.

        What was not up before is down again after an essential part failed. A service that fails is
        ended alone, or a broken shop could not be mended.
        """
        fresh = self.start_supervisor()
        try:
            failures = self._parts.bring_up(parts(), progress)
        except BaseException:
            if fresh:
                self.stop(progress)
            raise
        if failures:
            raise failures[0]

    def stop(self, progress: Progress) -> None:
        """End everything; returns when it is seen that nothing of the platform runs."""
        supervisor = self._parts.supervisor.pid()
        if supervisor is not None:
            family = [psutil.Process(supervisor), *processes.descendants(supervisor)]
            self._stop_parts(progress)
            self._parts.supervisor.shutdown()
            deadline = time.monotonic() + LEFTOVER_SECONDS
            while processes.alive(family[:1]) and time.monotonic() < deadline:
                time.sleep(0.05)
            processes.end(processes.alive(family), seconds=LEFTOVER_SECONDS)
        self.end_leftovers()

    def _stop_parts(self, progress: Progress) -> None:
        names = {name for name, state in self._parts.states().items() if state.pid or state.state == "BACKOFF"}
        named = {each for phase in STOP_ORDER for each in phase}
        for phase in STOP_ORDER:
            now = names & set(phase) if phase else names - named
            self._parts.end(now)
            for each in sorted(now):
                progress(each, "stopped")

    def end_leftovers(self) -> None:
        """End what a killed supervisord left, and remove its sockets.

        Raises DeadlineExceeded if something does not end.
        """
        marked = self._parts.supervisor.server_url

        def ours(process: psutil.Process) -> bool:
            own = str(self._layout.supervisor_config) in process.cmdline()
            return own or processes.has_environment(process, "SUPERVISOR_SERVER_URL", marked)

        found = {each.pid: each for each in processes.find(ours)}
        found |= {number: psutil.Process(number) for number in self._leftovers() if psutil.pid_exists(number)}
        left = processes.end(list(found.values()), seconds=LEFTOVER_SECONDS)
        if left:
            raise DeadlineExceeded(
                "end what an earlier platform left running",
                f"still there: {', '.join(f'{each.name()} ({each.pid})' for each in left)}",
                "They may wait for a disk; try again, or end them by hand.",
            )
        for socket in [*self._layout.sockets.iterdir(), *self._sockets()]:
            socket.unlink()

    def reset(self, progress: Progress) -> None:
        """End everything and remove the state folder."""
        if not self._layout.ports.exists() and any(self._layout.state.iterdir()):
            raise RefusedError(
                f"remove {self._layout.state}", "it is not the state of a platform: it has no ports.json", ""
            )
        self.stop(progress)
        shutil.rmtree(self._layout.sockets, ignore_errors=True)
        try:
            shutil.rmtree(self._layout.state)
        except OSError as error:
            raise PreflightError(f"remove {self._layout.state}", f"{error.strerror}: {error.filename}") from error


def status_of(name: str, state: ProcessState | None, address: str) -> PartStatus:
    if state is None:
        return PartStatus(name, "DOWN", None, 0.0, address)
    seconds = time.time() - state.since if state.pid else 0.0
    return PartStatus(name, state.state, state.pid, round(seconds, 1), address)
