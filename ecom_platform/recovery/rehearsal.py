"""The frame of a drill: one at a time, its state on disk before each step, its copy removed whatever happens.

    DRILLS/NAME/lock         held by the process that rehearses; the kernel lets go when it dies
    DRILLS/NAME/state.json   what goes on; written before it is done
    DRILLS/NAME/abort        somebody asked for its end
    DRILLS/NAME/ledger       the orders of the newest drill
    DRILLS/NAME/copy...      the copy of the shop, and what else is thrown away

A drill that is killed leaves the shop as it was, because it never touched it, and its copy for `ecom drill abort` or
the next drill to remove.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ecom_platform.clients.processes import lives
from ecom_platform.clients.supervisor import replace_text
from ecom_platform.errors import BusyError, DeadlineExceeded, RefusedError
from ecom_platform.platforms.local.layout import make_enterable
from ecom_platform.platforms.local.locks import held
from ecom_platform.recovery.stopwatch import Lap, Stopwatch
from ecom_platform.verdicts import Verdict, holds

ABORT_SECONDS = 180.0
"""A drill looks for the wish at each step and each poll; the longest step without one removes a copy."""

STAYS = ("lock", "ledger")
"""Of a drill's folder, when it is over."""

Remove = Callable[[Path], None]
"""Removes everything that a drill may have made: what lies below its folder, and what it started."""


class Aborted(RefusedError):
    """Somebody asked for the end of the drill."""


@dataclass(frozen=True)
class State:
    """What is known of a drill that goes on or was killed. alive: its process runs."""

    drill: str
    drill_id: str
    variant: str
    process: int
    began_at: datetime
    phase: str
    alive: bool


@dataclass
class Rehearsal:
    """A drill under way. progress: as given, and it raises Aborted when somebody asked for the end."""

    drill: str
    variant: str
    folder: Path
    say: Callable[[str], None]
    id: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}")
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.watch = Stopwatch(self._write)
        self._write(())

    @property
    def ledger(self) -> Path:
        return self.folder / "ledger"

    @property
    def prefix(self) -> str:
        """Of the keys of this drill's orders; no other drill has it."""
        return f"drill-{self.id}-"

    def progress(self, what: str) -> None:
        self.refuse_aborted()
        self.say(f"{self.watch.now():7.1f} s  {what}")

    def refuse_aborted(self) -> None:
        """Raises Aborted if somebody asked for the end."""
        if (self.folder / "abort").exists():
            raise Aborted(f"rehearse {self.drill}", "`ecom drill abort` was asked for", "")

    def left(self) -> Verdict:
        """Whether anything that was made is still there."""
        left = sorted(each.name for each in self.folder.iterdir() if each.name not in STAYS)
        return holds("nothing of the copy is left", not left, ", ".join(left) or "gone")

    def _write(self, laps: Sequence[Lap]) -> None:
        content = {
            "drill": self.drill,
            "drill_id": self.id,
            "variant": self.variant,
            "process": os.getpid(),
            "began_at": self.began_at.isoformat(),
            "phase": laps[-1].phase if laps else "preparation",
            "laps": [asdict(each) for each in laps],
        }
        replace_text(self.folder / "state.json", json.dumps(content, indent=1))


@contextmanager
def rehearsing(
    drills: Path, drill: str, variant: str, *, remove: Remove, progress: Callable[[str], None]
) -> Iterator[Rehearsal]:
    """The only drill of that name during the block. What an earlier one left is removed first, this one's own at last.

    drills: the platform's folder for them. Raises BusyError while another process rehearses the same.
    """
    folder = make_enterable(drills / drill)
    with held(folder / "lock", f"the drill {drill}", seconds=0):
        _clear(folder, remove)
        (folder / "ledger").unlink(missing_ok=True)
        rehearsal = Rehearsal(drill, variant, folder, progress)
        try:
            yield rehearsal
        finally:
            _clear(folder, remove)


def _clear(folder: Path, remove: Remove) -> None:
    """Whatever a drill made; its state last, so that a killed removal is seen and done again."""
    remove(folder)
    for each in folder.iterdir():
        if each.name not in (*STAYS, "state.json", "abort"):
            shutil.rmtree(each) if each.is_dir() else each.unlink()
    (folder / "abort").unlink(missing_ok=True)
    (folder / "state.json").unlink(missing_ok=True)


def states(drills: Path) -> list[State]:
    """Drills that go on or were killed, by name; one that ended well is not here."""
    return [_state(each) for each in sorted(drills.glob("*/state.json"))]


def _state(path: Path) -> State:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    began, process = datetime.fromisoformat(content["began_at"]), int(content["process"])
    return State(
        drill=content["drill"],
        drill_id=content["drill_id"],
        variant=content["variant"],
        process=process,
        began_at=began,
        phase=content["phase"],
        alive=lives(process, since=began.timestamp()),
    )


def abort(drills: Path, state: State, remove: Remove) -> None:
    """End the drill and remove what it made; what it rehearsed on is a copy, so the shop stays as it is.

    Raises DeadlineExceeded if its process does not end.
    """
    folder = drills / state.drill
    if state.alive:
        (folder / "abort").touch()
    deadline = time.monotonic() + ABORT_SECONDS
    while True:
        try:
            with held(folder / "lock", "`ecom drill abort`", seconds=1):
                return _clear(folder, remove)
        except BusyError as error:
            if time.monotonic() > deadline:
                raise DeadlineExceeded(
                    f"abort {state.drill}", f"process {state.process} does not end", "End that process, then again."
                ) from error
