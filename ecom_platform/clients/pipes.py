"""Programs whose output or input is a stream: a large pipe, deadlines, and an exit code that is never lost."""

from __future__ import annotations

import fcntl
import os
import select
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from ecom_platform.errors import CommandFailed, DeadlineExceeded, PreflightError

PIPE_BYTES = 1 << 20
"""The most an ordinary user may ask for (/proc/sys/fs/pipe-max-size); with the default of 64 KiB the
two sides wait for each other at every block."""

LARGE_WRITES = ("stdbuf", "-o256K")
"""Makes a program that writes by the C library write in blocks of this size. pg_dump writes 4 KiB at a
time otherwise, and each is read at once: 42,000 reads instead of 2,500 for 700 MB of dump, a quarter of
our processor time. Where the program is not there (it is part of GNU coreutils) it works without."""

STALL_SECONDS = 900.0
"""Without a byte for this long, the other side hangs. A dump may rightly wait for a lock or a slow
query, but not for a quarter of an hour."""

KEPT_CHARACTERS = 1000


def large_pipe() -> tuple[int, int]:
    """(end to read, end to write) of a pipe of PIPE_BYTES, or of the default size where that is refused."""
    reading, writing = os.pipe()
    # Above /proc/sys/fs/pipe-user-pages-soft an ordinary user is refused; the default size works too.
    with suppress(PermissionError):
        fcntl.fcntl(reading, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return reading, writing


class StreamingProgram:
    """A running program. Leaving the context kills it if it still runs.

    Raises PreflightError if the program is missing.
    """

    reads = False
    """Whether the stream is the program's input; else it is its output."""

    def __init__(self, argv: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        self.name = Path(argv[0]).name
        if shutil.which(argv[0]) is None:
            raise PreflightError(f"run {self.name}", "the program is not there", "Run `ecom doctor`.")
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the context
        ours, theirs = self._pipe()
        self._end: int | None = ours
        try:
            self._process = subprocess.Popen(
                [*self._before(), *(str(each) for each in argv)],
                stderr=self._errors,
                env={**os.environ, **environment},
                stdin=theirs if self.reads else subprocess.DEVNULL,
                stdout=subprocess.DEVNULL if self.reads else theirs,
            )
        except OSError as error:
            os.close(ours)
            self._errors.close()
            raise PreflightError(f"run {self.name}", error.strerror or str(error), "Run `ecom doctor`.") from error
        finally:
            os.close(theirs)

    def _before(self) -> Sequence[str]:
        """Arguments before the program's own: another program that becomes it."""
        return ()

    def _pipe(self) -> tuple[int, int]:
        """(our end, the program's end)."""
        reading, writing = large_pipe()
        return (writing, reading) if self.reads else (reading, writing)

    def finish(self, timeout: float = 60.0) -> None:
        """Wait for the program's end. Raises CommandFailed for a non-zero code or a signal, with what
        the program said last, and DeadlineExceeded.
        """
        self.close_end()
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise DeadlineExceeded(f"run {self.name}", f"not done {timeout:g} s after its stream ended") from error
        if code != 0:
            ending = f"exit code {code}" if code > 0 else f"killed by signal {-code}"
            raise CommandFailed(f"run {self.name}", f"{ending}: {self.said() or 'no output'}")

    def said(self) -> str:
        """The end of what the program wrote to its standard error."""
        self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, self._errors.tell() - KEPT_CHARACTERS))
        said: bytes = self._errors.read()
        return said.decode(errors="replace").strip()

    def close_end(self) -> None:
        if self._end is not None:
            os.close(self._end)
            self._end = None

    @property
    def pid(self) -> int:
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close_end()
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._errors.close()

    def _await(self, events: int) -> int:
        assert self._end is not None, "the stream is closed"
        poll = select.poll()
        poll.register(self._end, events)
        if not poll.poll(STALL_SECONDS * 1000):
            raise DeadlineExceeded(f"run {self.name}", f"nothing moved for {STALL_SECONDS:g} s: {self.said()}")
        return self._end


class OutputOf(StreamingProgram):
    """A program that we read from."""

    def _before(self) -> Sequence[str]:
        return LARGE_WRITES if shutil.which(LARGE_WRITES[0]) else ()

    def read(self, size: int) -> bytes:
        """At most size bytes, as soon as there are some; empty at the end of the stream, which says
        nothing of success: call finish().
        """
        return os.read(self._await(select.POLLIN), size)


class InputOf(StreamingProgram):
    """A program that we write to."""

    reads = True

    def write(self, block: bytes) -> int:
        """All of the block. Raises CommandFailed, with what the program said, if it no longer reads."""
        view = memoryview(block)
        while view:
            try:
                view = view[os.write(self._await(select.POLLOUT), view) :]
            except BrokenPipeError as error:
                self.finish()
                raise CommandFailed(f"run {self.name}", "it ended before its input did") from error
        return len(block)
