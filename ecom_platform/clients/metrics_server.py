"""The door for Prometheus: serves a registry at /metrics, and /healthz, over plain HTTP."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from ecom_platform.errors import PreflightError

if TYPE_CHECKING:
    from prometheus_client.registry import Collector


class _Threads(ThreadingMixIn, WSGIServer):
    """A scrape that reads a slow store must not make the health probe fail."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    timeout = 30  # seconds for a request to arrive; who sends nothing must not hold a thread for ever

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """A line per scrape would fill the log."""


def text_of(collector: Collector) -> str:
    """What /metrics answers."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Described(collector))
    return generate_latest(registry).decode()


@contextmanager
def serving(collector: Collector, host: str, port: int) -> Iterator[int]:
    """Serves until the block ends; gives the port, chosen by the kernel for 0. Raises PreflightError."""
    try:
        server = make_server(host, port, _application(collector), _Threads, _Quiet)
    except OSError as error:
        raise PreflightError(f"serve metrics on {host}:{port}", str(error.strerror), "Choose another port.") from error
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _application(collector: Collector) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    from prometheus_client import CollectorRegistry, make_wsgi_app

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Described(collector))
    metrics = make_wsgi_app(registry)

    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            found: Iterable[bytes] = metrics(environ, start_response)
            return found
        well = environ["PATH_INFO"] == "/healthz"
        start_response("200 OK" if well else "404 Not Found", [("Content-Type", "text/plain")])
        return [b"ok\n" if well else b"see /metrics\n"]

    return answer


class _Described:
    """Registering asks for a description; without one it would collect once, before anybody scraped."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def describe(self) -> list[Any]:
        return []

    def collect(self) -> Iterable[Any]:
        return self._collector.collect()
