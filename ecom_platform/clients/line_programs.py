"""Programs that speak in lines, several side by side: one queue of what they say, and none outlives its group."""

from __future__ import annotations

import contextlib
import os
import queue
import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Protocol, Self

from ecom_platform.errors import PreflightError

KEPT_CHARACTERS = 1000
EXIT_SECONDS = 5.0  # from the last line to the end of the process


@dataclass(frozen=True, slots=True)
class Line:
    """What program number `program` said; text is None when it will say no more."""

    program: int
    text: str | None


class LineProgram:
    """A running program. Its standard error is kept in a file that has no name."""

    def __init__(self, argv: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        self.name = Path(argv[0]).name
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the group
        try:
            self._process = subprocess.Popen(
                [str(each) for each in argv],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                env={**os.environ, **environment},
                text=True,
                encoding="utf-8",
                bufsize=1,
            )
        except OSError as error:
            self._errors.close()
            raise PreflightError(f"run {self.name}", f"{error.strerror}", "Run `ecom doctor`.") from error

    @property
    def pid(self) -> int:
        return self._process.pid

    def send(self, line: str) -> None:
        """Give the program a line; one that has ended does not hear it, which its silence tells."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()

    def ending(self) -> str:
        """How the program ended, with the end of what it complained about; "" for exit code 0."""
        try:
            code = self._process.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            return "it does not end"
        if code == 0:
            return ""
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - KEPT_CHARACTERS))
        said = self._errors.read().decode(errors="replace").strip()
        return (f"exit code {code}" if code > 0 else f"killed by signal {-code}") + (f": {said}" if said else "")

    def read_into(self, number: int, lines: queue.SimpleQueue[Line]) -> None:
        """Read to the end; runs in a thread of its own."""
        assert self._process.stdout is not None
        for text in self._process.stdout:
            lines.put(Line(number, text))
        lines.put(Line(number, None))

    def stop(self) -> None:
        """Kill it if it runs, and let go of its pipes."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()

    def close(self) -> None:
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._errors.close()


class Speaker(Protocol):
    """A program that is spoken to by lines, here or elsewhere. pid: 0 for one that is no process of this machine."""

    @property
    def pid(self) -> int: ...

    def send(self, line: str) -> None: ...

    def ending(self) -> str: ...

    def read_into(self, number: int, lines: queue.SimpleQueue[Line]) -> None: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


class LineGroup:
    """A group of programs; leaving the context ends those that still run. begin: what starts each."""

    def __init__(self, begin: Sequence[Callable[[], Speaker]]) -> None:
        self.programs: list[Speaker] = []
        self._lines: queue.SimpleQueue[Line] = queue.SimpleQueue()
        self._readers: list[threading.Thread] = []
        try:
            for number, one in enumerate(begin):
                self.programs.append(one())
                reader = threading.Thread(target=self.programs[-1].read_into, args=(number, self._lines), daemon=True)
                reader.start()
                self._readers.append(reader)
        except BaseException:
            self._end()
            raise

    def next_line(self, timeout: float) -> Line | None:
        """The next line of any of them; None if there is none for `timeout` seconds."""
        try:
            return self._lines.get(timeout=max(0.0, timeout))
        except queue.Empty:
            return None

    def _end(self) -> None:
        for each in self.programs:
            each.stop()
        for reader in self._readers:
            reader.join(EXIT_SECONDS)
        for each in self.programs:
            each.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()


class LinePrograms(LineGroup):
    """Processes of this machine. Raises PreflightError if the program is missing."""

    def __init__(self, argv: Sequence[str | Path], count: int, environment: Mapping[str, str] | None = None) -> None:
        super().__init__([lambda: LineProgram(argv, environment or {})] * count)
