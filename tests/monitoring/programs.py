"""Prometheus's own programs, as the tests need them."""

from __future__ import annotations

import shutil

from tests.platforms.cluster import missing


def program(name: str) -> str:
    """The path of a program of Debian's package `prometheus`; without it the test is skipped, in CI it fails."""
    found = shutil.which(name)
    if found is None:
        missing(f"{name} is not installed: apt-get install prometheus")
    return found
