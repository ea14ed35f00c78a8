"""A real HTTP server on loopback whose path says how it behaves; a process of its own, so that it can be stopped.

/ok            200 and a short body            /status/N       that status
/every/N/S     status S for each N-th request  /slow/MS        an answer after so many milliseconds
/silent        no answer, ever                 /hangup         closes the connection instead of answering
/short         fewer bytes than it promises    /drip           a byte now and then, for longer than anybody waits
/close         answers and closes, as HTTP/1.0 does
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

OK = b"a body that is right"


@dataclass
class Target:
    """The running server."""

    process: subprocess.Popen[str]
    url: str

    def stop_it(self) -> None:
        """Stop it in the middle of whatever it does; connections stay open."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.process.pid, signal.SIGCONT)


@contextmanager
def running_target(certificate: Path | None = None) -> Iterator[Target]:
    """A server of its own for a test; gone at the end. certificate: PEM with its key, for https."""
    command = [sys.executable, "-m", "tests.load.target", *([str(certificate)] if certificate else [])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        scheme = "https" if certificate else "http"
        yield Target(process, f"{scheme}://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


class _Connection(asyncio.Protocol):
    count = itertools.count(1)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.received = b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        while b"\r\n\r\n" in self.received:
            head, self.received = self.received.split(b"\r\n\r\n", 1)
            self._answer(head.split(b" ", 2)[1].decode().strip("/").split("/"))

    def _answer(self, words: list[str]) -> None:
        verb, numbers = words[0], [int(each) for each in words[1:] if each.isdigit()]
        if verb == "status":
            self._send(numbers[0])
        elif verb == "every":
            self._send(numbers[1] if next(self.count) % numbers[0] == 0 else 200)
        elif verb == "slow":
            asyncio.get_running_loop().call_later(numbers[0] / 1000, self._send, 200)
        elif verb == "hangup":
            self.transport.close()
        elif verb == "short":
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + OK)
            self.transport.close()
        elif verb == "drip":
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            self._drip()
        elif verb == "close":
            self._send(200, b"Connection: close\r\n")
            self.transport.close()
        elif verb != "silent":
            self._send(200)

    def _send(self, status: int, header: bytes = b"") -> None:
        self.transport.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(OK), header, OK))

    def _drip(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(b".")
            asyncio.get_running_loop().call_later(0.05, self._drip)


async def _serve(certificate: str | None) -> None:
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    # A short backlog, as many servers have: connections that pile up in a stall are dropped by the kernel.
    server = await asyncio.get_running_loop().create_server(_Connection, "127.0.0.1", 0, backlog=100, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1] if len(sys.argv) > 1 else None))
