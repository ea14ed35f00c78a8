"""The door of a training's status page: a small HTTP server that listens where its settings say, again whenever those
are written.

Goes here: starting it so that it outlives the verb, and serving. It is found and ended as limited_server.py's targets.
It tells nothing but that it is there, so it may listen too widely until somebody who learns narrows it.
Run as a program: `python status_page.py SETTINGS LOG`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

LOOK_SECONDS = 0.2
"""How soon new settings hold; a look is one stat()."""

START_SECONDS = 30.0


def start(folder: Path, settings: Path) -> None:
    """A page that listens when this returns and goes on when this process ends; its log lies in the folder.

    settings: JSON, {"address": ..., "port": ...}. Raises CommandFailed if it cannot listen.
    """
    from ecom_platform.clients.commands import run
    from ecom_platform.clients.limited_server import MARK

    argv = [sys.executable, "-I", "-S", __file__, str(settings), str(folder / "status-page.log")]
    run(argv, timeout=START_SECONDS, check=True, environment={MARK: str(folder.resolve())})


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        text = b"the copy is there\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """A line per request would fill the log."""


def _server(settings: Path) -> HTTPServer:
    wanted = json.loads(settings.read_text(encoding="utf-8"))
    return HTTPServer((str(wanted["address"]), int(wanted["port"])), _Page)


def main(settings: Path, log: str) -> None:
    """Listens, then leaves the serving to a process of its own session."""
    server = _server(settings)
    if os.fork():
        os._exit(0)
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for each in (1, 2):  # the starter's pipes are let go, else it would wait for them
        os.dup2(output, each)
    while True:
        seen = settings.stat().st_mtime_ns
        threading.Thread(target=server.serve_forever, args=(LOOK_SECONDS,), daemon=True).start()
        while settings.exists() and settings.stat().st_mtime_ns == seen:
            time.sleep(LOOK_SECONDS)
        server.shutdown()
        server.server_close()
        server = _again(settings)


def _again(settings: Path) -> HTTPServer:
    """With the new settings, as soon as they are some: an editor may write them in pieces, or wrongly at first."""
    told = ""
    while True:
        try:
            return _server(settings)
        except (OSError, ValueError, KeyError, TypeError) as error:
            if str(error) != told:
                told = str(error)
                sys.stderr.write(f"{settings}: {told}\n")
                sys.stderr.flush()
        time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
