"""Runs one backend instance in this process until SIGTERM or SIGINT; open requests are answered first."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

import uvloop
from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from shop.backend.app import build
from shop.backend.config import Config
from shop.database_url import NotConfigured

DRAIN_SECONDS = 20
"""How long open requests may take after SIGTERM; more than a checkout that waits for locks, below Kubernetes' 30 s."""


async def serve(config: Config) -> None:
    server = Server(
        build(config),
        address=config.host,
        port=config.port,
        interface=Interfaces.ASGI,
        websockets=False,
        backlog=1024,
        http1_settings=HTTP1Settings(header_read_timeout=10_000),
        log_enabled=False,
    )
    server.workers_kill_timeout = DRAIN_SECONDS
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
    uvloop.run(serve(config))
    return 0


if __name__ == "__main__":
    sys.exit(main())
