"""A service for the tests of releases, good or broken in one way, in the standard library.

MODE: `ok`; `errors` (answers 500), `slow` (takes SLOW_MS), `never-ready`, `liar` (answers the old version).
With `-live` behind it only for requests that came through the address in ACTIVE, so after the cut-over.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType

MODE, _, WHEN = os.environ.get("MODE", "ok").partition("-live")
ONLY_LIVE = os.environ.get("MODE", "").endswith("-live")
ACTIVE = os.environ.get("ACTIVE", "")
SLOW_SECONDS = int(os.environ.get("SLOW_MS", "400")) / 1000
IDENTITY = {
    "service": os.environ.get("SERVICE", "web"),
    "version": "1.0.0" if MODE == "liar" else os.environ.get("VERSION"),
    "colour": os.environ.get("COLOUR"),
    "instance": os.environ.get("INSTANCE"),
}
counts = {"200": 0, "500": 0}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        broken = not ONLY_LIVE or self.headers.get("Host") == ACTIVE
        if self.path == "/readyz":
            self._answer(503 if MODE == "never-ready" else 200, {})
        elif self.path == "/version":
            self._answer(200, IDENTITY)
        elif self.path == "/metrics":
            lines = [f'http_requests_total{{status="{status}"}} {count}' for status, count in counts.items()]
            self._send(200, "\n".join(lines).encode())
        elif self.path != "/":
            self._answer(404, {})
        elif MODE == "errors" and broken:
            self._answer(500, {"error": "broken on purpose"})
        else:
            if MODE == "slow" and broken:
                time.sleep(SLOW_SECONDS)  # its work takes that long
            self._answer(200, {"page": "home", **IDENTITY})

    def _answer(self, status: int, content: object) -> None:
        if str(status) in counts:
            counts[str(status)] += 1
        self._send(status, json.dumps(content).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Requests are not logged."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def main() -> None:
    server = Server((os.environ["HOST"], int(os.environ["PORT"])), Handler)

    def stop(number: int, frame: FrameType | None) -> None:
        threading.Thread(target=server.shutdown).start()

    signal.signal(signal.SIGTERM, stop)
    server.serve_forever(poll_interval=0.05)
    time.sleep(0.3)  # what is under way; none of its answers takes longer but the slow ones
    sys.exit(0)


if __name__ == "__main__":
    main()
