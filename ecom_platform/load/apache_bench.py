"""ApacheBench, for those who compare with it: runs it where it is installed, and reads what it says.

It is a closed loop: when the target stops, so does its test, and the stop is one slow request for each of its
connections. Its figures stand beside those of the engine and are never judged.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass

from ecom_platform.clients.commands import run
from ecom_platform.errors import EcomError

PROGRAM = "ab"
REQUESTS, CONCURRENCY = 1000, 10
"""As in the user's document."""
TIMEOUT = 120.0


@dataclass(frozen=True)
class AbFigures:
    """Milliseconds; None for what it did not say."""

    requests: int
    failed: int
    requests_per_second: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True)
class AbRun:
    """said: its whole output, or why there is none. figures: None without a complete run."""

    name: str
    url: str
    said: str
    figures: AbFigures | None


def installed() -> bool:
    return shutil.which(PROGRAM) is not None


def measure(name: str, url: str, *, requests: int = REQUESTS, concurrency: int = CONCURRENCY) -> AbRun:
    """Never raises for a target that fails: that is what it says then."""
    if not installed():
        return AbRun(name, url, "ApacheBench is not installed: apt-get install apache2-utils\n", None)
    command = [PROGRAM, "-q", "-n", str(requests), "-c", str(concurrency), url]
    try:
        done = run(command, timeout=TIMEOUT, check=False, keep=None)
    except EcomError as error:
        return AbRun(name, url, f"{error}\n", None)
    said = f"$ {' '.join(command)}\n{done.stdout}{done.stderr}"
    return AbRun(name, url, said, parse(done.stdout) if done.code == 0 else None)


def parse(text: str) -> AbFigures | None:
    """None for the output of a run that did not end."""
    requests = _number(text, r"^Complete requests:\s+(\d+)")
    if not requests:
        return None
    # Answers of other lengths count as failed, though a list that grows is no failure.
    lengths = _number(text, r"Length: (\d+),?") or 0
    # Answers that are not 2xx do not count as failed there, and ought to.
    other = _number(text, r"^Non-2xx responses:\s+(\d+)") or 0
    failed = (_number(text, r"^Failed requests:\s+(\d+)") or 0) - lengths + other
    return AbFigures(
        requests=int(requests),
        failed=int(failed),
        requests_per_second=_number(text, r"^Requests per second:\s+([\d.]+)"),
        p50_ms=_number(text, r"^\s+50%\s+(\d+)"),
        p95_ms=_number(text, r"^\s+95%\s+(\d+)"),
        p99_ms=_number(text, r"^\s+99%\s+(\d+)"),
    )


def _number(text: str, pattern: str) -> float | None:
    found = re.search(pattern, text, re.MULTILINE)
    return float(found[1]) if found else None
