"""Restores the archives of a snapshot into an empty database, from streams.

    schema           before the data: tables, types, functions; after it: indexes and keys, then foreign keys and
                     what follows them
    largest, data    each in a lane of its own, both at once

Goes here: the order of the phases and the judgement of each program. Not here: where the bytes come from
(archives.py), what comes back (compare.py).
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import IO, TYPE_CHECKING

from ecom_platform.backup.column_marks import has_marks, without_marks
from ecom_platform.clients import sql
from ecom_platform.clients.commands import run
from ecom_platform.clients.pipes import InputOf
from ecom_platform.errors import CommandFailed, CorruptBackup, PermanentError, PreflightError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ecom_platform.platforms.protocol import DatabaseAccess

Write = Callable[[bytes], object]
Copy = Callable[[Write], None]
"""Writes a whole archive (pg_dump's custom format, decrypted, decompressed) by the function that it is
given, in the calling thread; raises if what it wrote was not all of it, or not authentic."""

SCHEMA = "schema"
ROLES = "roles"
LARGEST = "largest"
"""An archive of this name holds the data of one table and nothing else."""

DATA = "data"
"""Beside `largest`, an archive of this name holds all other data."""

INDEX_JOBS = max(2, min(4, os.cpu_count() or 2))
"""Indexes built at once: each has a sort buffer of maintenance_work_mem and keeps a core busy."""

_FOREIGN_KEYS_IN_CACHE = {"maintenance_work_mem": "8MB"}
"""A check hashes the keys of the other table in parts of this size: two to three times as fast in a core's own cache as
in a gigabyte of memory. Indexes are sorted with what the server has set."""

TOLD_BYTES = 100_000_000
"""Progress is told each time that so much more was restored: every second or two."""

PHASE_SECONDS = 6 * 3600.0
"""The longest that one program may run: a restore that takes longer has missed every recovery time."""


@dataclass
class Restored:
    """seconds by phase. decrypt: of the processor, to decrypt and decompress; fetch: for which the lanes
    waited besides; both summed up over the lanes, so they run beside the phase `data`.
    """

    seconds: dict[str, float] = field(default_factory=lambda: {"fetch": 0.0, "decrypt": 0.0})
    plain_bytes: int = 0


class Observer:
    """What a caller does along the way; here nothing."""

    def tables_made(self) -> None:
        """Before the data."""

    def lane_ended(self, name: str) -> None:
        """All data of that archive is committed. Called by the lane's own thread."""

    def data_ended(self, contents: Sequence[str]) -> None:
        """Before the indexes. contents: pg_restore's lines of what will be made now."""


def restore_archives(
    archives: Mapping[str, Copy],
    target: DatabaseAccess,
    *,
    programs: Path,
    folder: Path,
    observer: Observer | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Restored:
    """Restore everything into the target, which must be empty and have the roles that are needed.

    programs: the folder of pg_restore. folder: for the schema's archive while this runs.
    Raises CommandFailed with the first error of any program, or what an archive raises.
    """
    lanes = [name for name in archives if name not in (SCHEMA, ROLES)]
    if SCHEMA not in archives:
        raise PermanentError(
            "restore a snapshot", f"it has no archive `{SCHEMA}`, only {', '.join(archives) or 'none'}"
        )
    work = _Work(target, programs, observer or Observer(), progress)
    schema = folder / "schema.dump"
    with work.phase("schema"):
        work.spool(archives[SCHEMA], schema)
        if has_marks(schema):
            work.run_without_marks(schema, folder / "schema.sql")
        else:
            work.run_file(schema, "pre-data")
    work.observer.tables_made()
    with work.phase("data"):
        progress(f"restoring {', '.join(lanes)}")
        work.lanes({name: archives[name] for name in lanes})
    contents = work.contents(schema, "post-data")
    work.observer.data_ended(contents)
    indexes, rest = before_foreign_keys(contents)
    with work.phase("indexes"):
        work.run_entries(schema, indexes, {}, "building indexes and keys")
        work.run_entries(schema, rest, _FOREIGN_KEYS_IN_CACHE, "checking foreign keys")
    return work.result


def before_foreign_keys(contents: Sequence[str]) -> tuple[list[str], list[str]]:
    """The numbers of pg_restore's entries before the first foreign key, and from it on. They are listed in an order in
    which none needs a later one.
    """
    entries = [(line.partition(";")[0], bool(_FOREIGN_KEY.match(line))) for line in contents if line[:1].isdigit()]
    at = next((number for number, (_, foreign) in enumerate(entries) if foreign), len(entries))
    numbers = [number for number, _ in entries]
    return numbers[:at], numbers[at:]


_FOREIGN_KEY = re.compile(r"\d+; \d+ \d+ FK CONSTRAINT ")


@dataclass
class _Work:
    target: DatabaseAccess
    programs: Path
    observer: Observer
    progress: Callable[[str], None]
    result: Restored = field(default_factory=Restored)
    lock: Lock = field(default_factory=Lock)
    name: str = field(default_factory=lambda: f"ecom-restore-{secrets.token_hex(6)}")

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.result.seconds[name] = time.monotonic() - began

    def command(self, section: str) -> list[str | Path]:
        return [
            self.programs / "pg_restore",
            f"--dbname={self.target.url}",
            f"--section={section}",
            "--no-password",
            "--exit-on-error",
            "--no-tablespaces",
            "--no-subscriptions",  # a copy must never connect to what the original listens to
        ]

    @property
    def environment(self) -> dict[str, str]:
        return sql.libpq_environment(self.target) | {"PGAPPNAME": self.name}

    def spool(self, copy: Copy, path: Path) -> None:
        with open_spool(path) as file:
            self.copy(copy, file.write)

    def copy(self, copy: Copy, write: Write) -> None:
        """Copies, and counts the bytes and what they cost before they were written."""
        writing, working = 0.0, 0.0
        began, began_working = time.monotonic(), time.thread_time()

        def timed(block: bytes) -> None:
            nonlocal writing, working
            start, start_working = time.monotonic(), time.thread_time()
            write(block)
            self._count(len(block))
            writing += time.monotonic() - start
            working += time.thread_time() - start_working

        copy(timed)
        decrypt = time.thread_time() - began_working - working
        with self.lock:
            self.result.seconds["decrypt"] += decrypt
            self.result.seconds["fetch"] += max(0.0, time.monotonic() - began - writing - decrypt)

    def _count(self, size: int) -> None:
        with self.lock:
            before, self.result.plain_bytes = self.result.plain_bytes, self.result.plain_bytes + size
        if before // TOLD_BYTES < (before + size) // TOLD_BYTES:
            self.progress(f"{(before + size) / 1e6:,.0f} MB restored")

    def run_file(self, path: Path, section: str, *options: str, settings: Mapping[str, str] | None = None) -> None:
        argv = [*self.command(section), *options, path]
        given = [os.environ.get("PGOPTIONS", ""), *(f"-c {name}={value}" for name, value in (settings or {}).items())]
        environment = self.environment | {"PGOPTIONS": " ".join(given).strip()}
        run(argv, timeout=PHASE_SECONDS, check=True, environment=environment)

    def run_entries(self, path: Path, entries: Sequence[str], settings: Mapping[str, str], told: str) -> None:
        """Those entries of the part after the data, side by side."""
        if not entries:
            return
        self.progress(told)
        chosen = path.with_suffix(".list")
        with open_spool(chosen) as file:
            file.write("".join(f"{each};\n" for each in entries).encode())
        self.run_file(path, "post-data", f"--jobs={INDEX_JOBS}", f"--use-list={chosen}", settings=settings)

    def run_without_marks(self, path: Path, script: Path) -> None:
        """The part before the data by way of a script, because pg_restore can leave out no single option."""
        own = [each for each in self.command("pre-data") if not str(each).startswith("--dbname=")]
        with open_spool(script):  # made for its owner alone, before a program writes into it
            run([*own, f"--file={script}", path], timeout=PHASE_SECONDS, check=True)
        script.write_bytes(without_marks(script.read_bytes()))
        psql: list[str | Path] = [self.programs / "psql", f"--dbname={self.target.url}", "--no-password"]
        options = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={script}"]
        run([*psql, *options], timeout=PHASE_SECONDS, check=True, environment=self.environment)
        script.unlink()

    def lanes(self, archives: Mapping[str, Copy]) -> None:
        if not archives:
            return
        with ThreadPoolExecutor(len(archives)) as pool:
            running = [pool.submit(self._lane, name, copy) for name, copy in archives.items()]
            try:
                for done in as_completed(running):
                    done.result()
            except BaseException:
                self._end_sessions()  # or the other lanes would run to their ends first
                raise

    def _lane(self, name: str, copy: Copy) -> None:
        with InputOf(self.command("data"), self.environment | {"PGAPPNAME": f"{self.name}-{name}"}) as program:
            self.copy(copy, program.write)
            program.finish(PHASE_SECONDS)
        self.observer.lane_ended(name)

    def contents(self, path: Path, section: str) -> list[str]:
        argv: list[str | Path] = [self.programs / "pg_restore", "--list", f"--section={section}", path]
        return run(argv, timeout=PHASE_SECONDS, check=True, keep=None).stdout.splitlines()

    def _end_sessions(self) -> None:
        with sql.connect(self.target) as connection:
            connection.execute(
                "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
                " WHERE pg_catalog.starts_with(application_name, %s) AND pid <> pg_catalog.pg_backend_pid()",
                (self.name,),
            )


@contextmanager
def open_spool(path: Path) -> Iterator[IO[bytes]]:
    """A new file of mode 600. Raises PreflightError if the disk does not take it."""
    try:
        path.touch(mode=0o600)
        with path.open("wb") as file:
            yield file
    except OSError as error:
        raise PreflightError(f"write {path}", error.strerror or str(error), "Make room on that disk.") from error


def cause(error: CommandFailed | CorruptBackup) -> str:
    """The first thing that a program complained of, in one line."""
    lines = [line for line in error.seen.splitlines() if "error:" in line or "ERROR:" in line]
    return (lines or error.seen.splitlines() or ["no output"])[0]
