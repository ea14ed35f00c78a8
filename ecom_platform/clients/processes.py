"""The door to this machine's processes and ports: who runs, who listens, and how to end them.

Goes here: looking at processes by their environment or folder, ending them, free ports.
Not here: which of them ought to run.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

KILL_SECONDS = 5
"""After SIGKILL a process is gone in milliseconds, unless its disk does not answer."""


def find(wanted: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    """The living processes that are wanted, without this one and its ancestors.

    Processes that may not be looked at are somebody else's, and left out.
    """
    own = {os.getpid(), *(each.pid for each in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid not in own and process.status() != psutil.STATUS_ZOMBIE and wanted(process):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def has_environment(process: psutil.Process, name: str, value: str) -> bool:
    return bool(process.environ().get(name) == value)


def works_in(process: psutil.Process, folder: Path) -> bool:
    return Path(process.cwd()) == folder


def descendants(number: int) -> list[psutil.Process]:
    try:
        return psutil.Process(number).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def lives(number: int, *, since: float) -> bool:
    """True if the process that had this number at that time (Unix seconds) still runs."""
    try:
        process = psutil.Process(number)
        # A second for the clock's grain: a later process has the number of an earlier one.
        return bool(process.create_time() <= since + 1 and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; psutil knows a number that was given to another process."""
    return [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def end(processes: list[psutil.Process], *, seconds: float) -> list[psutil.Process]:
    """End them politely, after `seconds` by force; returns those that even that did not end."""
    for process in processes:
        # To PostgreSQL SIGTERM means to wait for its clients, SIGINT to send them away.
        _signal(process, signal.SIGINT if "postgres" in _name(process) else signal.SIGTERM)
        _signal(process, signal.SIGCONT)  # one that was stopped hears nothing else
    _, left = psutil.wait_procs(processes, timeout=seconds)
    for process in left:
        _signal(process, signal.SIGKILL)
    _, left = psutil.wait_procs(left, timeout=KILL_SECONDS)
    return alive(left)


def end_now(numbers: Iterable[int]) -> None:
    """SIGKILL to each, as a machine that loses its power; those that are gone already count as ended."""
    for number in numbers:
        try:
            psutil.Process(number).kill()
        except psutil.NoSuchProcess:
            continue


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.NoSuchProcess:
        return ""


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def port_is_free(port: int) -> bool:
    """True if a server could listen on that loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # like servers do, past TIME_WAIT
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def accepts(path: Path) -> bool:
    """True if a server accepts connections at that Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
        return True


def listener(port: int) -> str:
    """Who listens there, as far as this user may see."""
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        connections = []
    for each in connections:
        if each.status == psutil.CONN_LISTEN and each.laddr and each.laddr.port == port and each.pid:
            return f"{psutil.Process(each.pid).name()} (process {each.pid})"
    return "another program"


def listening_at(processes: Iterable[psutil.Process]) -> list[tuple[str, int]]:
    """Addresses and ports at which they take TCP connections; those of processes that ended meanwhile are left out."""
    found: list[tuple[str, int]] = []
    for process in processes:
        try:
            connections = process.net_connections("tcp")
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        found += [(each.laddr.ip, each.laddr.port) for each in connections if each.status == psutil.CONN_LISTEN]
    return found
