"""A proxy in front of an S3 server that misbehaves on demand: unavailable, cutting connections, slow, listing late."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Literal

Mode = Literal["pass", "unavailable", "cut", "slow", "late"]
_BLOCK = 64 << 10
_SLOW_BYTES_PER_SECOND = 8 << 20


class Proxy(ThreadingTCPServer):
    """mode may be changed at any time; it holds for requests that begin afterwards. seen: requests by mode.

    unavailable: 503. cut: the connection ends in the middle of a request's body. slow: 8 MB/s.
    late: a listing that was asked for before is answered as it was then.
    cut_bodies_over: bodies up to this size pass in mode cut.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, upstream: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.mode: Mode = "pass"
        self.cut_bodies_over = 0
        self.seen: dict[Mode, int] = {"pass": 0, "unavailable": 0, "cut": 0, "slow": 0, "late": 0}
        self.listings: dict[bytes, bytes] = {}

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Handler(StreamRequestHandler):
    """One request, then the connection closes: each request meets the mode of its own moment."""

    server: Proxy

    def handle(self) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return
            head += line
        mode = self.server.mode
        length = _content_length(head)
        if mode == "cut" and length <= self.server.cut_bodies_over:
            mode = "pass"
        target = head.split(b" ", 2)[1]
        if mode == "late" and target not in self.server.listings:
            mode = "pass"
        self.server.seen[mode] += 1
        if mode == "late":
            self.wfile.write(self.server.listings[target])
            return
        if mode == "unavailable":
            self._body(length, None)
            self.wfile.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        with socket.create_connection(("127.0.0.1", self.server.upstream)) as upstream:
            upstream.sendall(head.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            self._body(length // 2 if mode == "cut" else length, upstream, slow=mode == "slow")
            if mode == "cut":
                return
            answer = b""
            while data := upstream.recv(_BLOCK):
                self.wfile.write(data)
                answer += data if b"list-type=2" in target else b""
            if answer:
                self.server.listings[target] = answer

    def _body(self, length: int, upstream: socket.socket | None, *, slow: bool = False) -> None:
        while length > 0 and (data := self.rfile.read(min(_BLOCK, length))):
            length -= len(data)
            if slow:
                time.sleep(len(data) / _SLOW_BYTES_PER_SECOND)
            if upstream:
                upstream.sendall(data)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


@contextmanager
def proxy(upstream: int) -> Iterator[Proxy]:
    with Proxy(upstream) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
