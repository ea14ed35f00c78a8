"""A service for the platform's tests: the least that the contract asks for, in the standard library.

MODE: `ok`, `exit` (writes a reason and ends), `never-ready`, or `liar` (answers another version).
GET /slow?ms=N takes that long; GET /call asks the service of CALLS who it is. After SIGTERM it
finishes what is under way, then ends.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

MODE = os.environ.get("MODE", "ok")
IDENTITY = {
    "service": os.environ.get("SERVICE", "web"),
    "version": "another" if MODE == "liar" else os.environ.get("VERSION"),
    "colour": os.environ.get("COLOUR"),
    "instance": os.environ.get("INSTANCE"),
    "process": os.getpid(),
    "setting": os.environ.get("SETTING", ""),
    "database_url_file": os.environ.get("DATABASE_URL_FILE", ""),
}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60  # longer than the switch keeps idle connections

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path == "/slow":
            time.sleep(int(parse_qs(address.query)["ms"][0]) / 1000)  # its work takes that long
        if address.path == "/readyz" and MODE == "never-ready":
            self._answer(503, {"status": "waiting for ever"})
        elif address.path == "/call":
            with urlopen(f"http://{os.environ['CALLS'].split()[0]}/version", timeout=5) as answer:
                self._answer(200, json.load(answer))
        else:
            self._answer(200, IDENTITY)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(201, {**IDENTITY, "length": len(body)})

    def handle_one_request(self) -> None:
        super().handle_one_request()
        WORK.discard(self)

    def parse_request(self) -> bool:
        WORK.add(self)
        return super().parse_request()

    def _answer(self, status: int, content: Mapping[str, object]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Requests are not logged."""


WORK: set[Handler] = set()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    print(f"{IDENTITY['instance']} begins in mode {MODE}", flush=True)
    if MODE == "exit":
        sys.exit("cannot start: the setting FROBNICATE is missing")
    server = Server((os.environ["HOST"], int(os.environ["PORT"])), Handler)

    def stop(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    server.serve_forever(poll_interval=0.05)
    while WORK:
        time.sleep(0.01)
    print(f"{IDENTITY['instance']} ends", flush=True)


if __name__ == "__main__":
    main()
