"""`python -m benchmarks [NAME ...] [OPTION ...]`: run the benchmarks one after the other, each in a process of its
own. Options (`--gigabytes 10 --rounds 3 --minutes 20`) go to each of them, so they go with names that know them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SECONDS = 3 * 3600  # the longest makes a database of 10 GB first; each bounds its own rounds


def main() -> int:
    first = next((at for at, each in enumerate(sys.argv) if at and each.startswith("-")), len(sys.argv))
    options = sys.argv[first:]
    names = sys.argv[1:first] or sorted(each.stem for each in Path(__file__).parent.glob("[!_]*.py"))
    failed = []
    for name in names:
        print(f"== {name}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=False, timeout=SECONDS)
        if done.returncode != 0:
            failed.append(name)
    print(f"{len(names) - len(failed)} of {len(names)} benchmarks ended well" + (f"; not {failed}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
