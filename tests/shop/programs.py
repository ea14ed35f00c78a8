"""The shop's programs as real processes: started on free ports, waited for, stopped by their own id."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx

from tests.shop.server import ShopDatabase, free_port

SeenT = TypeVar("SeenT")

START_SECONDS = 30.0

_TLS = ssl.create_default_context()  # unused, but made anew for each request it would cost more than the request


def until(seen: Callable[[], SeenT | None], what: str, seconds: float = START_SECONDS) -> SeenT:
    """What `seen` returns once it is true; asks again until the deadline, then fails with `what`."""
    deadline = time.monotonic() + seconds
    while True:
        found = seen()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


@dataclass
class Program:
    """A running program of the shop that answers HTTP."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def get(self, path: str, **options: object) -> httpx.Response:
        return httpx.get(self.url + path, timeout=20, verify=_TLS, **options)  # type: ignore[arg-type]  # passed through

    def status(self, path: str) -> int | None:
        """The status of a GET, or None when nobody answers."""
        try:
            return self.get(path).status_code
        except httpx.TransportError:
            return None

    def wait_for(self, path: str, status: int = 200) -> None:
        def answered() -> bool:
            assert self.process.poll() is None, f"it ended: {self.log.read_text()[-2000:]}"
            return self.status(path) == status

        until(answered, f"{self.url}{path} answers {status}")

    def stop(self) -> int:
        """Asks it to end, and returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@contextmanager
def running(module: str, environment: Mapping[str, str], folder: Path, ready: str = "/healthz") -> Iterator[Program]:
    """`python -m MODULE` on a free port, answering at `ready`; ended at the end whatever happened."""
    port = free_port()
    log = folder / f"{module}-{port}.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            env={**_clean_environment(), "HOST": "127.0.0.1", "PORT": str(port), **environment},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
        )
    program = Program(process, f"http://127.0.0.1:{port}", log)
    try:
        if ready:
            program.wait_for(ready)
        yield program
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def run(arguments: list[str], environment: Mapping[str, str], seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """`python -m ARGUMENTS` to its end."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env={**_clean_environment(), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def backend_environment(database: ShopDatabase, media: Path, instance: str = "backend-1") -> dict[str, str]:
    return {
        "DATABASE_URL_FILE": str(database.app_file),
        "MEDIA_DIR": str(media),
        "VERSION": "1.2.3",
        "COLOUR": "blue",
        "INSTANCE": instance,
    }


def make_shop(database: ShopDatabase, media: Path, orders: int = 2000, seed: int = 1) -> None:
    """Schema and content, by the shop's own commands."""
    environment = {"DATABASE_URL_FILE": str(database.owner_file), "MEDIA_DIR": str(media)}
    for arguments in (["shop.migrate", "expand"], ["shop.seed", "--orders", str(orders), "--seed", str(seed)]):
        done = run(arguments, environment)
        assert done.returncode == 0, done.stderr


def _clean_environment() -> dict[str, str]:
    """Ours, without what would configure the shop from outside."""
    ours = (
        "DATABASE_URL_FILE",
        "DATABASE_POOL",
        "MEDIA_DIR",
        "BACKEND",
        "HOST",
        "PORT",
        "VERSION",
        "COLOUR",
        "INSTANCE",
    )
    return {name: value for name, value in os.environ.items() if name not in (*ours, "APP_ROLE")}
