"""One HTTP connection of the load generator: opened, used for one request at a time, never retried in secret.

Only worker processes import this: it uses gevent's sockets. geventhttpclient parses the answers; its own
client is not used, because it repeats a GET whose connection broke, and so hides an error of the target.
"""

from __future__ import annotations

import errno
import select
import socket
import ssl
from dataclasses import dataclass
from urllib.parse import urlsplit

import gevent.socket
import gevent.ssl
from gevent import monkey
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError, HTTPSocketResponse

from ecom_platform.load.plan import OUR_LIMIT, LoadPlan
from ecom_platform.load.scenarios import Answer, Request

BLOCK = 65_536
MOST_BODY = 32 * 1024 * 1024
"""Bytes of one answer. A larger one is no page of a shop, and many of them would fill the memory."""

# The loop's own poll would give way to other greenlets; this one only looks.
_poll = monkey.get_original("select", "poll")


class Broken(Exception):
    """No complete answer came. kind: as in the results ("refused", "closed", ...)."""

    def __init__(self, kind: str, seen: str) -> None:
        self.kind = kind
        super().__init__(seen[:300])


@dataclass(frozen=True, slots=True)
class Address:
    """The target, resolved once, so that a test measures the shop and not the resolver."""

    shown: str
    host: str
    family: int
    sockaddr: tuple[object, ...]
    tls: ssl.SSLContext | None


def resolve(plan: LoadPlan) -> Address:
    """The plan's target as an address. Raises Broken("unresolved")."""
    parts = urlsplit(plan.target)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    host = parts.hostname or ""
    try:
        found = gevent.socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    except OSError as error:
        raise Broken("unresolved", f"{host}: {error}") from error
    family, _, _, _, sockaddr = found[0]
    context = None
    if parts.scheme == "https":
        # gevent's context, so that handshakes wait on the loop; a test of a preview may have no real certificate.
        context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_default_certs()
        if plan.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
    return Address(f"{host}:{port}", parts.netloc, family, sockaddr, context)


class Connection:
    """A connection that is opened when it is needed. Raises Broken from every method that waits."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._socket: gevent.socket.socket | None = None
        self._idle: select.poll | None = None
        self._head = f" HTTP/1.1\r\nHost: {address.host}\r\nUser-Agent: ecom-bench\r\nAccept: */*\r\n"

    def open(self) -> None:
        """Connect, if it is not connected."""
        if self._socket is not None:
            return
        fresh = gevent.socket.socket(self._address.family, socket.SOCK_STREAM)
        try:
            fresh.connect(self._address.sockaddr)
            fresh.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._address.tls is not None:
                name = urlsplit(f"//{self._address.host}").hostname
                fresh = self._address.tls.wrap_socket(fresh, server_hostname=name)
        except OSError as error:
            fresh.close()
            raise Broken(_kind(error), f"{_text(error)}, connecting to {self._address.shown}") from error
        except BaseException:  # the request's time is over: gevent's Timeout is no Exception
            fresh.close()
            raise
        self._socket = fresh

    def ask(self, request: Request) -> Answer:
        """Send the request and read the whole answer. After anything but an answer the connection is closed."""
        self._drop_if_closed()
        self.open()
        assert self._socket is not None
        try:
            answer = self._exchange(self._socket, request)
        except (OSError, HTTPParseError) as error:
            self.close()
            raise Broken(_kind(error), f"{_text(error)}, asking {self._address.shown}") from error
        except BaseException:
            self.close()
            raise
        self._watch()
        return answer

    def _exchange(self, connected: gevent.socket.socket, request: Request) -> Answer:
        connected.sendall(self._encode(request))
        response = HTTPSocketResponse(connected, block_size=BLOCK, method=request.method)
        body = response.read(BLOCK)
        while not response.message_complete:
            if len(body) > MOST_BODY:
                raise HTTPParseError(f"the answer has more than {MOST_BODY} bytes")
            body += response.read(BLOCK)
        body += response.read()
        if response.should_close():
            self.close()
        return Answer(response.get_code(), body)

    def _encode(self, request: Request) -> bytes:
        lines = "".join(f"{name}: {value}\r\n" for name, value in request.headers)
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            lines += f"Content-Length: {len(request.body)}\r\n"
        return f"{request.method} {request.path}{self._head}{lines}\r\n".encode("latin-1") + request.body

    def _watch(self) -> None:
        """From the first answer on: an idle connection that is readable was closed by the server."""
        if self._socket is not None and self._idle is None:
            self._idle = _poll()
            self._idle.register(self._socket.fileno(), select.POLLIN | select.POLLRDHUP)

    def _drop_if_closed(self) -> None:
        """A server may close a connection that lies idle: that is its right, and no error."""
        if self._idle is not None and self._idle.poll(0):
            self.close()

    def close(self) -> None:
        self._idle = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None


_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (ssl.SSLError, "tls"),
    (ConnectionRefusedError, "refused"),
    (ConnectionResetError, "closed"),
    (BrokenPipeError, "closed"),
    (HTTPConnectionClosed, "closed"),
    (HTTPParseError, "broken_answer"),
    (TimeoutError, "timeout"),
)
_OUR_ERRNOS = (errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS)


def _kind(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in _OUR_ERRNOS:
        return OUR_LIMIT
    return next((kind for family, kind in _KINDS if isinstance(error, family)), "unreachable")


def _text(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else "") or str(error) or type(error).__name__
