"""Goal: the definitions load in at most 0.5 s beyond `import dagster`, in an empty environment."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

from ecom_platform.settings import ROOT

ROUNDS = 5


def seconds(statement: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, cwd=ROOT, env={}, timeout=60)
    return time.perf_counter() - started


def main() -> None:
    bare, loaded = [], []
    for _ in range(ROUNDS):
        bare.append(seconds("import dagster"))
        loaded.append(seconds("import dagster; from ecom_platform.definitions import defs; defs()"))
    beyond = statistics.median(loaded) - statistics.median(bare)
    print(
        json.dumps(
            {
                "import_dagster_s": round(statistics.median(bare), 3),
                "with_definitions_s": round(statistics.median(loaded), 3),
                "beyond_s": round(beyond, 3),
                "goal_s": 0.5,
                "met": beyond <= 0.5,
            }
        )
    )


if __name__ == "__main__":
    main()
