"""A port of this machine that takes connections and says nothing: the target of a network probe."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ecom_platform.errors import PreflightError


@contextmanager
def listening(port: int) -> Iterator[None]:
    """Takes and closes connections on every address for as long as the block takes. Raises PreflightError."""
    try:
        server = socket.create_server(("0.0.0.0", port), reuse_port=True)  # noqa: S104 - others are to try it
    except OSError as error:
        raise PreflightError(f"listen on port {port}", str(error)) from error
    threading.Thread(target=_take, args=(server,), name=f"listener-{port}", daemon=True).start()
    try:
        yield
    finally:
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)  # wakes the thread
        server.close()


def _take(server: socket.socket) -> None:
    while True:
        try:
            server.accept()[0].close()
        except OSError:
            return  # closed


def own_address() -> str:
    """The address under which others find this pod."""
    return socket.gethostbyname(socket.gethostname())
