"""The door to a program that lives no longer than the block which started it, nor than this process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ecom_platform.clients import launcher
from ecom_platform.clients.supervisor import Program, replace_text

_TAIL_CHARACTERS = 1500


@dataclass(frozen=True, slots=True)
class Child:
    """A started program and its log."""

    process: subprocess.Popen[bytes]
    log: Path

    def ended(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self.process.poll()

    def tail(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-_TAIL_CHARACTERS:].strip()


@contextmanager
def started(program: Program, folder: Path) -> Iterator[Child]:
    """Run the program during the block; its definition and log lie in the folder as long."""
    definition, log = folder / f"{program.name}.json", folder / f"{program.name}.log"
    replace_text(definition, json.dumps({**asdict(program), "tied_to": os.getpid()}))
    argv = [sys.executable, "-I", "-S", launcher.__file__, str(definition)]
    try:
        with log.open("wb") as output:
            process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        try:
            yield Child(process, log)
        finally:
            _end(process, program.stop_seconds)
    finally:
        definition.unlink(missing_ok=True)
        log.unlink(missing_ok=True)


def _end(process: subprocess.Popen[bytes], seconds: float) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):  # then the next lines end it by force
        process.wait(seconds)
    try:
        # Its workers too: it is the first of a group of its own.
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        process.wait(seconds)
