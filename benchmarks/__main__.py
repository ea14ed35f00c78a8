"""`python -m benchmarks [NAME ...]`: run the benchmarks one after the other, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SECONDS = 1800  # the longest fills a database of 1.2 GB first


def main() -> int:
    names = sys.argv[1:] or sorted(each.stem for each in Path(__file__).parent.glob("[!_]*.py"))
    failed = []
    for name in names:
        print(f"== {name}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=False, timeout=SECONDS)
        if done.returncode != 0:
            failed.append(name)
    print(f"{len(names) - len(failed)} of {len(names)} benchmarks ended well" + (f"; not {failed}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
