"""What this process may use: its container's limits (cgroup v2), or the machine where there are none."""

from __future__ import annotations

import os
from pathlib import Path

_GROUPS = Path("/sys/fs/cgroup")


def cpu_cores(group: Path | None = None) -> float:
    """Cores. group: the folder of the control group; by default that of this process."""
    quota, _, period = _read(group or own_group(), "cpu.max").partition(" ")
    machine = float(len(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else float(os.cpu_count() or 1)
    return min(machine, int(quota) / int(period)) if quota.isdigit() and period.isdigit() else machine


def memory_bytes(group: Path | None = None) -> float:
    limit = _read(group or own_group(), "memory.max")
    machine = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(machine, float(limit)) if limit.isdigit() else machine


def own_group() -> Path:
    """In a container the group is the root that it sees."""
    try:
        lines = Path("/proc/self/cgroup").read_text(encoding="ascii").splitlines()
    except OSError:  # another system than Linux
        return _GROUPS
    return _GROUPS / next((line[3:].lstrip("/") for line in lines if line.startswith("0::")), "")


def _read(group: Path, name: str) -> str:
    try:
        return (group / name).read_text(encoding="ascii").strip()
    except OSError:  # no such limit here
        return ""
