"""The parts of the platform as processes: begin them in order, see them ready or failed, end them.

A part fails at once when its process ends, with the last lines of its log. Not here: what any part is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from ecom_platform.clients.supervisor import ALIVE, ProcessState, Program, ProgramFiles, Supervisor
from ecom_platform.errors import CommandFailed, DeadlineExceeded, EcomError, MissingError
from ecom_platform.platforms.local.layout import Layout

Progress = Callable[[str, str], None]
"""Told the name of a part and what happened to it."""

POLL_SECONDS = 0.05
TAIL_LINES = 15
START_SECONDS = 120.0
"""The slowest part, Dagster's webserver, is ready in 4 s on two free cores, and in 40 s on busy ones."""

ANEW_SECONDS = 20.0
"""supervisord begins a killed part again within a second."""

PATIENCE_SECONDS = 15.0
"""A part that ran already has only to answer, not to start; after this time it hangs."""


def quiet(name: str, what: str) -> None:
    """Progress that nobody reads."""
    del name, what


def nothing() -> None:
    """What a part does after it is ready, if it does nothing."""


@dataclass(frozen=True)
class Part:
    """A program with its meaning. ready: asked again and again until true; must not block long.

    after: names of parts that must be ready first. before: done just before it begins.
    done: once when it is ready. seconds: until it must be ready.
    essential: without it the others are of no use. patience: how long one that ran already may be
    unready, in seconds, before it is killed and begun anew.
    """

    program: Program
    ready: Callable[[], bool]
    after: tuple[str, ...] = ()
    before: Callable[[], None] = field(default=nothing)
    done: Callable[[], None] = field(default=nothing)
    seconds: float = START_SECONDS
    essential: bool = True
    patience: float = field(default_factory=lambda: PATIENCE_SECONDS)

    @property
    def name(self) -> str:
        return self.program.name


@dataclass(frozen=True, slots=True)
class _Begun:
    """at: monotonic seconds. adopted: it ran already."""

    at: float
    adopted: bool


class PartFailed(CommandFailed):
    """A part ended or could not be started. name: which."""

    def __init__(self, tried: str, seen: str, next_step: str, name: str) -> None:
        super().__init__(tried, seen, next_step)
        self.name = name


class Parts:
    """All processes of one platform."""

    def __init__(self, layout: Layout) -> None:
        self.supervisor = Supervisor(layout.supervisor_config, layout.supervisor_socket)
        self.files = ProgramFiles(layout.parts, layout.logs)

    def running(self) -> bool:
        return self.supervisor.pid() is not None

    def states(self) -> dict[str, ProcessState]:
        """Empty when the platform is down."""
        return self.supervisor.states() if self.running() else {}

    def begin(self, program: Program, before: Callable[[], None] = nothing) -> bool:
        """Run the program as it is now; True if it was begun, False if just that ran already.

        before: called when nothing of the part runs.
        """
        state = self.supervisor.states().get(program.name)
        if state and state.alive and self.files.read().get(program.name) == program:
            return False
        if state:
            self.end([program.name])
        before()
        if self.files.write(program) or not state:
            self.supervisor.add(program.name)
        self.supervisor.begin(program.name)
        return True

    def end(self, names: Collection[str]) -> None:
        """End them side by side, and wait until they are gone."""
        if not names:
            return
        for name in names:
            self.supervisor.end(name)
        programs = self.files.read()
        patience = max((programs[each].stop_seconds for each in names if each in programs), default=10)
        deadline = time.monotonic() + patience + 10  # supervisord kills after stop_seconds
        while left := {
            name: state.state
            for name, state in self.supervisor.states().items()
            if name in names and state.state in ALIVE | {"STOPPING", "BACKOFF"}
        }:
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"end {', '.join(left)}", f"still there: {left}", "Run `ecom down`.")
            time.sleep(POLL_SECONDS)

    def forget(self, names: Collection[str]) -> None:
        """End them and remove their files; their logs stay."""
        self.end(names)
        for name in names:
            self.supervisor.forget(name)
            self.files.remove(name)

    def bring_up(self, parts: Sequence[Part], progress: Progress) -> list[EcomError]:
        """Begin all, each as soon as those before it are ready; returns when all are ready.

        Raises PartFailed as soon as an essential one ended, DeadlineExceeded if it is not ready in
        its time. Others are ended when they fail, and their errors returned.
        """
        waiting, begun, failures = {each.name: each for each in parts}, dict[str, _Begun](), list[EcomError]()
        while waiting:
            for part in [each for each in waiting.values() if not set(each.after) & set(waiting)]:
                try:
                    if self._advance(part, begun, progress):
                        del waiting[part.name]
                except EcomError as error:
                    if part.essential:
                        raise
                    self.end([part.name])
                    failures.append(error)
                    del waiting[part.name]
            if waiting:
                time.sleep(POLL_SECONDS)
        return failures

    def _advance(self, part: Part, begun: dict[str, _Begun], progress: Progress) -> bool:
        """Begin the part or look at it; True when it is ready."""
        if part.name not in begun:
            begun[part.name] = _Begun(time.monotonic(), adopted=not self._begin(part, progress))
            return False
        seconds = time.monotonic() - begun[part.name].at
        if part.ready():
            part.done()
            progress(part.name, f"ready after {seconds:.1f} s")
            return True
        if begun[part.name].adopted and seconds > part.patience:
            # It ran already and does not answer, as after SIGSTOP; supervisord begins it anew.
            progress(part.name, "does not answer; killed")
            self._kill(part.name)
            begun[part.name] = _Begun(time.monotonic(), adopted=False)
            return False
        self._refuse_failed(part, seconds)
        return False

    def _begin(self, part: Part, progress: Progress) -> bool:
        begun = self.begin(part.program, part.before)
        if begun:
            progress(part.name, "starting")
        return begun

    def _kill(self, name: str) -> None:
        """Returns when supervisord has begun it anew; until then it would look like one that ended by itself."""
        killed = self.supervisor.state(name).pid
        self.supervisor.kill(name)
        deadline = time.monotonic() + ANEW_SECONDS
        while (state := self.supervisor.state(name)).pid in (killed, None):
            if time.monotonic() > deadline:
                raise self.failure(name, f"it hung, was killed, and was not begun again ({state.seen})")
            time.sleep(POLL_SECONDS)

    def _refuse_failed(self, part: Part, seconds: float) -> None:
        state = self.supervisor.state(part.name)
        if not state.alive:
            raise self.failure(part.name, f"it ended ({state.seen})")
        if seconds > part.seconds:
            raise DeadlineExceeded(
                f"start {part.name}", f"not ready after {part.seconds:g} s; its log ends:\n{self.tail(part.name)}"
            )

    def failure(self, name: str, seen: str) -> PartFailed:
        return PartFailed(
            f"start {name}", f"{seen}; its log ends:\n{self.tail(name)}", f"The log is {self.files.log(name)}.", name
        )

    def tail(self, name: str, lines: int = TAIL_LINES) -> str:
        """The last lines of its log. Raises MissingError if it has none."""
        log = self.files.log(name)
        if not log.exists():
            raise MissingError(f"read the log of {name}", "there is none", f"Logs: {', '.join(self.logs())}.")
        with log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 1000 * lines))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])

    def logs(self) -> list[str]:
        """Names that have a log."""
        return sorted(each.stem for each in self.files.logs.glob("*.log"))
