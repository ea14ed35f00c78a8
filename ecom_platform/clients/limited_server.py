"""The door of a training's target: an HTTP server on loopback that answers so many requests a second, and no more.

Goes here: starting it so that it outlives the verb, finding and ending it, and serving.
Not here: what anybody is to learn from it. Run as a program: `python limited_server.py PORT PER_SECOND LOG`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

MARK = "TRAINING_SCENE"
"""In the environment of a target: the folder of its scene, by which it is found after any crash."""

COUNTS = "/counts"
BURST_SECONDS = 0.5
"""What a pause of the machine may pile up without a refusal."""

START_SECONDS, END_SECONDS = 30.0, 5.0


class Limit:
    """A bucket of tokens and the counts of each second. now: monotonic seconds, never going back."""

    def __init__(self, per_second: float, now: float) -> None:
        self._rate, self._tokens, self._last, self._began = per_second, per_second * BURST_SECONDS, now, now
        self._lock = threading.Lock()
        self.counts: dict[int, list[int]] = {}

    def admit(self, now: float) -> bool:
        with self._lock:
            elapsed = max(0.0, now - self._last)
            self._last = max(self._last, now)
            self._tokens = min(self._rate * BURST_SECONDS, self._tokens + elapsed * self._rate)
            admitted = self._tokens >= 1
            self._tokens -= admitted
            self.counts.setdefault(int(now - self._began), [0, 0])[0 if admitted else 1] += 1
            return admitted

    def as_json(self) -> str:
        """By second, [answered, refused]."""
        with self._lock:
            return json.dumps(list(self.counts.values()))


def start(folder: Path, port: int, per_second: float) -> None:
    """A target that listens when this returns and goes on when this process ends; its log lies in the folder.

    Raises CommandFailed if it cannot listen.
    """
    from ecom_platform.clients.commands import run

    argv = [sys.executable, "-I", "-S", __file__, str(port), str(per_second), str(folder / "target.log")]
    run(argv, timeout=START_SECONDS, check=True, environment={MARK: str(folder.resolve())})


def end(folder: Path) -> None:
    """Ends whatever target serves this scene; does nothing if there is none."""
    from ecom_platform.clients import processes

    mark = str(folder.resolve())
    processes.end(processes.find(lambda each: processes.has_environment(each, MARK, mark)), seconds=END_SECONDS)


def main(port: int, per_second: float, log: str) -> None:
    """Listens, then leaves the serving to a process of its own session: who started it need not wait for its end."""
    limit = Limit(per_second, time.monotonic())

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == COUNTS:
                self._say(200, limit.as_json())
            elif limit.admit(time.monotonic()):
                self._say(200, "welcome\n")
            else:
                self._say(503, "too many customers\n")

        def _say(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            """A line per request would fill the log."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    if os.fork():
        os._exit(0)
    os.setsid()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for each in (1, 2):  # the starter's pipes are let go, else it would wait for them
        os.dup2(output, each)
    server.serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
