"""Goal: a drill on a copy slows the live shop's p95 under 300 requests/s by at most 20 %, on the same two cores.

`python -m benchmarks drill_slowdown [--gigabytes N] [--rounds N] [--minutes N]`. In each round customers visit the
front door for 20 s alone, and then as long as `ecom drill database-lost` takes, in pieces of 20 s. The figure is the
median of the pieces' ratios; the worst is printed too. Shop, drill and load share the cores.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks._size import Size, size_from
from benchmarks.backup_slowdown import RATE, p95
from benchmarks.recovery_drill import large_shop
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.recovery.copies import TASK_SECONDS, open_shop
from ecom_platform.recovery.saving import save_database
from ecom_platform.settings import ROOT
from ecom_platform.spec import Store
from ecom_platform.spec_file import write_spec

GOAL = 1.20
DRILL_SECONDS = 900.0


def pieces_beside_a_drill(url: str, spec: Path, state: Path, troubles: list[str]) -> list[float]:
    """p95 of each piece that began while the drill went on, but the last, which may have outlived it."""
    environment = {**os.environ, "ECOM_STATE": str(state)}
    argv = [sys.executable, "-m", "ecom_platform.cli", "--spec", str(spec), "drill", "database-lost"]
    with tempfile.TemporaryFile() as said, subprocess.Popen(argv, cwd=ROOT, env=environment, stderr=said) as drill:
        found = []
        while drill.poll() is None:
            found.append(p95(url, troubles))
        if drill.wait(timeout=DRILL_SECONDS) != 0:
            said.seek(0)
            troubles.append(f"the drill ended with {drill.returncode}: {said.read().decode()[-1500:]}")
    return found[:-1]


def measure(size: Size, folder: Path) -> dict[str, Any]:
    alone: list[float] = []
    ratios: list[float] = []
    troubles: list[str] = []
    spec = large_shop(size.orders).model_copy(update={"stores": {"local": Store(url="file:backups")}})
    path = folder / "shop.yaml"
    path.write_text(write_spec(spec), encoding="utf-8")
    live = LocalPlatform(spec, folder / "state" / spec.shop)
    try:
        live.up()
        database = spec.databases[0]
        for task in (database.tasks.expand, database.tasks.seed):
            live.run_task(database, task, timeout=TASK_SECONDS)
        open_shop(live, spec)
        save_database(live, spec, database)
        url = live.address(spec.front_door, "active")
        p95(url, [])  # the first visit fills the caches
        for number in size.turns():
            alone.append(p95(url, troubles))
            beside = pieces_beside_a_drill(url, path, folder / "state", troubles)
            ratios += [each / alone[-1] for each in beside]
            told = ", ".join(f"{each:.1f}" for each in beside)
            print(f"round {number + 1}: alone {alone[-1]:.1f} ms, beside the drill {told} ms", file=sys.stderr)
    finally:
        live.down()
    median = round(statistics.median(ratios), 3) if ratios else None
    return {
        "requests_per_second": RATE,
        "p95_alone_ms": [round(each, 1) for each in alone],
        "ratios": [round(each, 2) for each in ratios],
        "median_ratio": median,
        "worst_ratio": round(max(ratios), 2) if ratios else None,
        "goal": GOAL,
        "troubles": troubles,
        "met": median is not None and median <= GOAL and not troubles,
    }


def main() -> None:
    size = size_from(None, __doc__)
    with tempfile.TemporaryDirectory(prefix="ecom-bench-") as name:
        Path(name).chmod(0o711)
        found = measure(size, Path(name))
    print(json.dumps(found, indent=2))
    if not found["met"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
