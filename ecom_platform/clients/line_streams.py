"""Programs on other machines that speak in lines, each over a connection of its own; and what answers there.

The far side gives the connection to a program as its standard input and output, one at a time: what is told to it and
what it says is the same as beside us (line_programs.py).
"""

from __future__ import annotations

import contextlib
import queue
import select
import socket
import subprocess
import threading
from collections.abc import Sequence
from functools import partial

from ecom_platform.clients.line_programs import Line, LineGroup
from ecom_platform.errors import PreflightError

CONNECT_SECONDS = 10.0
SILENT_SECONDS = 10.0
"""From a connection to its first line; a probe of the port says nothing and makes no program start."""
DEAD_SECONDS = 20
"""After so long without a sign of the other machine its connection counts as ended."""
AT_WORK = "it works for somebody else"
PATIENCE_SECONDS = 20.0
"""How long the next one waits for a program to end that has said its last word."""


class LineStream:
    """A program at host:port."""

    pid = 0
    """It is no process of this machine."""

    def __init__(self, address: str) -> None:
        self.name = address
        host, _, port = address.rpartition(":")
        try:
            self._socket = socket.create_connection((host, int(port)), CONNECT_SECONDS)
        except OSError as error:
            raise PreflightError(f"reach the program at {address}", str(error), "Is its pod ready?") from error
        self._socket.settimeout(None)
        _notice_death(self._socket)
        self._last = ""

    def send(self, line: str) -> None:
        """Give the program a line; one that has ended does not hear it, which its silence tells."""
        with contextlib.suppress(OSError):
            self._socket.sendall((line + "\n").encode())

    def ending(self) -> str:
        return f"{self.name}: {self._last or 'its connection ended'}"

    def read_into(self, number: int, lines: queue.SimpleQueue[Line]) -> None:
        """Read to the end; runs in a thread of its own."""
        with self._socket.makefile("r", encoding="utf-8") as said:
            try:
                for text in said:
                    if text.startswith("{"):
                        lines.put(Line(number, text))
                    else:
                        self._last = text.strip()
            except (OSError, UnicodeDecodeError) as error:
                self._last = str(error)
        lines.put(Line(number, None))

    def stop(self) -> None:
        """Hang up; the program at the other end ends with its input."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()


class LineStreams(LineGroup):
    """A group of programs elsewhere, one at each address. Raises PreflightError if one cannot be reached."""

    def __init__(self, addresses: Sequence[str]) -> None:
        super().__init__([partial(LineStream, each) for each in addresses])


class LineServer:
    """Gives each connection in turn to a program of its own. Who comes while one runs is told so after `patience`."""

    def __init__(self, argv: Sequence[str], port: int, patience: float = PATIENCE_SECONDS) -> None:
        self._argv = list(argv)
        self._patience = patience
        self._free = threading.Lock()
        try:
            # All interfaces: pods are called by their address. Who may is the network policies' matter.
            self._server = socket.create_server(("", port))
        except OSError as error:
            raise PreflightError(f"listen on port {port}", str(error)) from error

    @property
    def port(self) -> int:
        return int(self._server.getsockname()[1])

    def serve(self) -> None:
        """Until close()."""
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _one(self, connection: socket.socket) -> None:
        with connection:
            if not _speaks(connection):
                return
            if not self._free.acquire(timeout=self._patience):
                with contextlib.suppress(OSError):
                    connection.sendall(f"{AT_WORK}\n".encode())
                return
            try:
                _notice_death(connection)
                done = subprocess.run(
                    self._argv,
                    stdin=connection.fileno(),
                    stdout=connection.fileno(),
                    stderr=subprocess.PIPE,
                    check=False,
                )
                if done.returncode != 0:
                    why = done.stderr.decode(errors="replace").strip()[-500:].replace("\n", " ")
                    with contextlib.suppress(OSError):
                        connection.sendall(f"exit code {done.returncode}: {why}\n".encode())
            finally:
                self._free.release()


def _speaks(connection: socket.socket) -> bool:
    """Whether a first byte comes; it stays there for the program."""
    ready, _, _ = select.select([connection], [], [], SILENT_SECONDS)
    try:
        return bool(ready) and connection.recv(1, socket.MSG_PEEK) != b""
    except OSError:
        return False


def _notice_death(connection: socket.socket) -> None:
    """A machine whose power is gone says nothing: the kernel asks, and ends the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, DEAD_SECONDS // 4)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, DEAD_SECONDS // 4)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_SECONDS * 1000)
