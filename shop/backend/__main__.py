"""Runs one backend instance in this process until SIGTERM or SIGINT; open requests are answered first."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from typing import Any

import uvloop
from granian._granian import SocketHolder
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from shop.backend.app import build
from shop.backend.config import Config
from shop.database_url import NotConfigured

DRAIN_SECONDS = 20
"""How long open requests may take after SIGTERM; more than a checkout that waits for locks, below Kubernetes' 30 s."""

BACKLOG = 1024
"""Connections that wait to be accepted: a burst of people, not a queue."""


class OwnPortServer(Server):
    """Granian on a port that is this process's alone.

    Granian opens its port with SO_REUSEPORT: a second instance on the same port would start without a
    word and take half of the requests. A socket of our own makes it the error that it is.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(
            build(config),
            address=config.host,
            port=config.port,
            interface=Interfaces.ASGI,
            websockets=False,
            backlog=BACKLOG,
            http1_settings=HTTP1Settings(header_read_timeout=10_000),
            log_enabled=False,
        )
        self.workers_kill_timeout = DRAIN_SECONDS
        family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
        self._listener = socket.create_server((config.host, config.port), family=family, backlog=BACKLOG)

    def _init_shared_socket(self) -> None:
        holder: Any = SocketHolder  # its stub does not know its arguments
        self._shd = holder(self._listener.detach(), False, BACKLOG)


async def serve(config: Config) -> None:
    server = OwnPortServer(config)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, server.stop)
    await server.serve()


def main() -> int:
    """0 after a clean stop; 2 when the environment is not fit to start in."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        config = Config.from_environment(os.environ)
    except NotConfigured as error:
        sys.stderr.write(f"shop.backend: {error}\n")
        return 2
    try:
        uvloop.run(serve(config))
    except OSError as error:
        sys.stderr.write(
            f"shop.backend: {config.host}:{config.port} cannot be opened: {os.strerror(error.errno or 0)}\n"
        )
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
