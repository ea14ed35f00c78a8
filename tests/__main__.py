"""`python -m tests [ARGUMENTS OF PYTEST]`: the suite in two passes, red if either is.

First what bears company, in several workers; then, one after the other, what is marked `alone`: it holds a stopwatch
or sends load by a schedule. Both always run. Each pass has a cache of its own, so that `--last-failed` runs again
what failed in that pass and nothing else.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

WORKERS = os.environ.get("ECOM_TEST_WORKERS", "3")
"""Most tests wait for processes: on two cores a third worker has something to do while two wait."""
CACHE = Path(".pytest_cache")
PASSES = {"beside": ["-n", WORKERS, "--dist", "loadscope"], "alone": []}
NOTHING_RAN = int(pytest.ExitCode.NO_TESTS_COLLECTED)


def run(name: str, how: list[str], arguments: list[str]) -> int:
    """Pytest's exit code of one pass; an empty one is red where it was not green before and is asked to go again."""
    ended = CACHE / name / "ended"
    before = ended.read_text() if ended.exists() else ""
    ended.unlink(missing_ok=True)  # a pass that is killed leaves no mark
    command = [sys.executable, "-m", "pytest", "--pass", name, "-o", f"cache_dir={CACHE / name}", *how, *arguments]
    code = subprocess.run(command, check=False).returncode
    if code == NOTHING_RAN and {"--last-failed", "--lf"} & set(arguments) and before != "green":
        return int(pytest.ExitCode.INTERNAL_ERROR)
    if code in (0, NOTHING_RAN):
        ended.parent.mkdir(parents=True, exist_ok=True)
        ended.write_text("green")
    return code


def main(arguments: list[str]) -> int:
    """0 when both passes are green and a test ran; else the first red code."""
    codes = [run(name, how, arguments) for name, how in PASSES.items()]
    red = [code for code in codes if code not in (0, NOTHING_RAN)]
    return next(iter(red), min(codes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
