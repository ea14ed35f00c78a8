"""Goal: a dump slows the shop's p95 under 300 requests/s by at most 25 %, with the throttle of the spec.

`python -m benchmarks backup_slowdown [--gigabytes N] [--rounds N] [--minutes N]`. In each round customers visit the
front door three times for 20 s: alone, beside a throttled dump, and beside one without a throttle; dumps follow
one another as long as the customers are there. Shop, PostgreSQL, store and load share the same cores.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from benchmarks._size import Size, size_from
from benchmarks.backup_dump import dump_apart
from ecom_platform.load.generator import run_load
from ecom_platform.load.judge import why_behind
from ecom_platform.load.plan import steady
from ecom_platform.platforms.protocol import DatabaseAccess, StoreAccess
from tests.shop import programs
from tests.shop.server import create_database, running_postgres

RATE, SECONDS = 300, 20.0
GOAL = 1.25
BYTES_PER_SECOND = 20_000_000
"""A tenth of what a dump does alone: 1.2 GB take a minute, 10 GB less than ten."""


def dumps(database: DatabaseAccess, folder: Path, rate: float | None, stop: threading.Event, done: list[float]) -> None:
    """One after the other until told to stop; done: their seconds."""
    store = StoreAccess("disk", f"file://{folder}/store")
    while not stop.is_set():
        done.append(float(dump_apart(database, [store], folder / "key", rate)["seconds"]))


def p95(url: str, troubles: list[str]) -> float:
    """Milliseconds, of all requests from their intended start; troubles: what makes it a figure of the machine."""
    result = run_load(steady(url, RATE, SECONDS, scenario="shop"))
    if result.errors or (behind := why_behind(result)):
        troubles.append(f"{result.errors} of {result.requests} requests went wrong" if result.errors else behind)
    found = result.percentiles().p95
    assert found is not None
    return found


def beside_dumps(url: str, database: DatabaseAccess, folder: Path, rate: float | None, troubles: list[str]) -> float:
    stop, done = threading.Event(), list[float]()
    dumping = threading.Thread(target=dumps, args=(database, folder, rate, stop, done))
    dumping.start()
    try:
        return p95(url, troubles)
    finally:
        stop.set()
        dumping.join()
        assert done, "no dump ended well"


@contextmanager
def shop(orders: int, folder: Path) -> Iterator[tuple[str, DatabaseAccess]]:
    """The front door's address and the database, as its superuser."""
    with running_postgres() as server:
        database = create_database(server, "shop", folder)
        environment = {"DATABASE_URL_FILE": str(database.owner_file), "MEDIA_DIR": str(folder / "media")}
        for arguments in (["shop.migrate", "expand"], ["shop.seed", "--orders", str(orders)]):
            done = programs.run(arguments, environment, seconds=3600)
            assert done.returncode == 0, done.stderr
        with psycopg.connect(server.url("shop"), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        backend = programs.backend_environment(database, folder / "media")
        with programs.running("shop.backend", backend, folder, "/readyz") as api:
            upstream = {"BACKEND": api.url.removeprefix("http://"), "MEDIA_DIR": str(folder / "media")}
            with programs.running("shop.frontend", upstream, folder, "/readyz") as door:
                access = DatabaseAccess(f"postgresql://postgres@127.0.0.1:{server.port}/shop", server.password)
                yield door.url, access


def measure(size: Size, folder: Path) -> dict[str, Any]:
    alone: list[float] = []
    troubles: list[str] = []
    ratios: dict[str, list[float]] = {"throttled": [], "unthrottled": []}
    with shop(size.orders, folder) as (url, database):
        p95(url, [])  # the first visit fills the caches
        for number in size.turns():
            alone.append(p95(url, troubles))
            ratios["throttled"].append(beside_dumps(url, database, folder, BYTES_PER_SECOND, troubles) / alone[-1])
            ratios["unthrottled"].append(beside_dumps(url, database, folder, None, troubles) / alone[-1])
            told = ", ".join(f"{name} {of[-1]:.2f}x" for name, of in ratios.items())
            print(f"round {number + 1}: alone {alone[-1]:.1f} ms, {told}", file=sys.stderr)
    medians = {name: round(statistics.median(found), 3) for name, found in ratios.items()}
    return {
        "requests_per_second": RATE,
        "rounds": len(alone),
        "p95_alone_ms": round(statistics.median(alone), 1),
        "ratios": medians,
        "all_ratios": {name: [round(each, 2) for each in found] for name, found in ratios.items()},
        "dump_bytes_per_second": BYTES_PER_SECOND,
        "goal": GOAL,
        "troubles": troubles,
        "met": medians["throttled"] <= GOAL and not troubles,
    }


def main() -> None:
    size = size_from(None, __doc__)
    with tempfile.TemporaryDirectory(prefix="ecom-bench-") as name:
        print(json.dumps(measure(size, Path(name)), indent=2))


if __name__ == "__main__":
    main()
