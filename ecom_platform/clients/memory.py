"""How much memory this process may take: of the machine, and under the limits of its control groups."""

from __future__ import annotations

from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")


def usable_bytes() -> int:
    """What the machine has free now, and never more than the whole of the narrowest limit that holds for us."""
    import psutil

    return min([psutil.virtual_memory().available, *limits()])


def limits(groups: Path = CGROUPS, own: Path = OWN) -> list[int]:
    """The limits in bytes of this process's control groups and of those above them, of version 2 and 1; empty
    without any.
    """
    found: list[int] = []
    for line in _lines(own):
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            found += _limits(groups, path, "memory.max")
        elif "memory" in controllers.split(","):
            found += _limits(groups / "memory", path, "memory.limit_in_bytes")
    return found


def _limits(root: Path, path: str, name: str) -> list[int]:
    """A container sees its own group as the root, whatever its path says."""
    here = root / path.strip("/")
    folders = [each for each in (here, *here.parents) if each.is_relative_to(root)]
    return [int(line) for each in folders for line in _lines(each / name) if line.isdecimal()]


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except OSError:  # no such limit, or no control groups on this system
        return []
