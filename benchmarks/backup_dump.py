"""Goals: the whole dump (snapshot, fingerprint, compression, encryption, hash, stores) in at most 1.2x of
`pg_dump -Fp > /dev/null` to a store on disk, 1.5x to that and an S3 server on the same cores; 200 MB at most in all
our processes together, and the same for a database of any size.

`python -m benchmarks backup_dump [--gigabytes 10] [--rounds N] [--minutes N]`. In each round all arrangements run one
after the other, and each is compared with the floor of its own round; the figures are medians.
Processor time of all processes stands beside the time on the clock, which others on the machine disturb.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks._size import Size, size_from
from ecom_platform.clients.sql import url_with_password
from ecom_platform.platforms.protocol import DatabaseAccess, StoreAccess
from ecom_platform.settings import ROOT
from tests.backup.servers import PG_BIN, ObjectServer, Postgres, object_server, postgres, wait_until

GOALS = {"disk": 1.2, "disk_and_s3": 1.5}
MEMORY_GOAL_MB = 200
MEMORY_GROWTH_GOAL = 1.1  # from a database of 1.2 GB to a larger one: as good as none
SECONDS = 3600  # for one command: seeding 10 GB on a slow disk

# The dump in a process of its own, so that its peak of memory is its own. Imports are not timed: a
# running code location has done them.
DUMP = """
import json, os, sys, time
from threading import Event, Thread
import cryptography.hazmat.primitives.asymmetric.ed25519, obstore.store, psutil, psycopg, pyrage, zstandard
from ecom_platform.backup.dump import Options, dump_database
from ecom_platform.backup.encryption import Identities, new_identity
from ecom_platform.backup.signing import ensure_signing_key
from pathlib import Path
from ecom_platform.platforms.protocol import DatabaseAccess, StoreAccess

task = json.load(sys.stdin)
options = Options(bytes_per_second=task.get("bytes_per_second"))
database, stores = DatabaseAccess(**task["database"]), [StoreAccess(**each) for each in task["stores"]]
keys = Identities(new_identity())
peak, done = [0], Event()

def watch():
    own = psutil.Process()
    while not done.wait(0.05):
        total = 0
        for each in [own, *own.children(recursive=True)]:
            try:
                total += each.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        peak[0] = max(peak[0], total)

watcher = Thread(target=watch, daemon=True)
watcher.start()
started, before = time.perf_counter(), sum(os.times()[:4])
manifest = dump_database(
    database, shop="bench", name="shop", stores=stores, recipients=keys.recipients,
    signing_key=ensure_signing_key(Path(task["key"])), progress=lambda _: None, options=options,
)
seconds, cpu = time.perf_counter() - started, sum(os.times()[:4]) - before
done.set()
watcher.join()
assert manifest.complete, manifest.stores
print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_mb": peak[0] / 1e6, "plain_mb": manifest.plain_bytes / 1e6,
                  "stored_mb": manifest.stored_bytes / 1e6, "phases": dict(manifest.seconds)}))
"""


@dataclass(frozen=True)
class Cost:
    """seconds on the clock; cpu: processor seconds of all processes; more: what the dump told of itself."""

    seconds: float
    cpu: float
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Bench:
    server: Postgres
    s3: ObjectServer
    database: DatabaseAccess
    key: Path

    def _servers_cpu(self) -> float:
        """Counts a session when it has ended, so it waits until none is left."""
        wait_until(lambda: not self._has_sessions(), seconds=20, what="the sessions have ended")
        times = [psutil.Process(each.process.pid).cpu_times() for each in (self.server, self.s3)]
        return sum(each.user + each.system + each.children_user + each.children_system for each in times)

    def _has_sessions(self) -> bool:
        try:
            backends = psutil.Process(self.server.process.pid).children()
            return any("postgres bench " in " ".join(each.cmdline()) for each in backends)
        except psutil.NoSuchProcess:
            return True  # one ended while it was looked at

    def megabytes(self) -> int:
        with self.server.connect("bench") as connection:
            ((size,),) = connection.execute(b"SELECT pg_database_size('bench')::float8 / 1e6").fetchall()
        assert isinstance(size, float)
        return round(size)

    def pg_dump(self, *options: str) -> Cost:
        before, own, started = self._servers_cpu(), os.times(), time.perf_counter()
        subprocess.run(
            [PG_BIN / "pg_dump", f"--dbname={self.database.url}", *options],
            check=True,
            stdout=subprocess.DEVNULL,
            env={**os.environ, "PGPASSWORD": self.database.password},
            timeout=SECONDS,
        )
        seconds = time.perf_counter() - started
        children = sum(os.times()[2:4]) - sum(own[2:4])
        return Cost(seconds, self._servers_cpu() - before + children)

    def dump(self, *stores: StoreAccess) -> Cost:
        before = self._servers_cpu()
        told = dump_apart(self.database, stores, self.key)
        return Cost(told["seconds"], self._servers_cpu() - before + told["cpu"], told)


def dump_apart(
    database: DatabaseAccess, stores: Sequence[StoreAccess], key: Path, bytes_per_second: float | None = None
) -> dict[str, Any]:
    """The dump in a process of its own; what it told of itself."""
    task = {"database": asdict(database), "stores": [asdict(each) for each in stores], "key": str(key)}
    done = subprocess.run(
        [sys.executable, "-c", DUMP],
        input=json.dumps(task | {"bytes_per_second": bytes_per_second}),
        text=True,
        check=True,
        stdout=subprocess.PIPE,
        timeout=SECONDS,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def fill(server: Postgres, orders: int, folder: Path, name: str = "bench") -> DatabaseAccess:
    """The example shop's own tables and data."""
    access = server.create(name)
    with server.connect() as connection:
        if not connection.execute(b"SELECT FROM pg_roles WHERE rolname = 'shop_app'").fetchall():
            connection.execute(b"CREATE ROLE shop_app NOLOGIN")
    url = folder / "url"
    url.write_text(url_with_password(access))
    url.chmod(0o600)
    environment = {**os.environ, "DATABASE_URL_FILE": str(url), "MEDIA_DIR": str(folder / "media")}
    for arguments in (["shop.migrate", "expand"], ["shop.seed", "--orders", str(orders)]):
        subprocess.run([sys.executable, "-m", *arguments], check=True, env=environment, cwd=ROOT, timeout=SECONDS)
    with server.connect(name) as connection:
        connection.execute(b"VACUUM ANALYZE")
        connection.execute(b"CHECKPOINT")  # what the seed left to write would disturb the first rounds
    return access


def measure(bench: Bench, size: Size, folder: Path) -> dict[str, Any]:
    disk = StoreAccess("disk", f"file://{folder}/store")
    costs: dict[str, list[Cost]] = {"floor": [], "disk": [], "disk_and_s3": []}
    bench.pg_dump("-Fp")
    for number in size.turns():
        costs["floor"].append(bench.pg_dump("-Fp"))
        costs["disk"].append(bench.dump(disk))
        costs["disk_and_s3"].append(bench.dump(disk, bench.s3.access(f"bench{number}")))
        shutil.rmtree(folder / "store")
        told = ", ".join(f"{name} {of[-1].seconds:.1f} s" for name, of in costs.items())
        print(f"round {number + 1}: {told}", file=sys.stderr)
    floors = costs.pop("floor")
    ratios = {
        name: median(each.seconds / floor.seconds for each, floor in zip(of, floors, strict=True))
        for name, of in costs.items()
    }
    peak = max(each.more["peak_mb"] for of in costs.values() for each in of)
    return {
        "database_mb": bench.megabytes(),
        "plain_mb": round(costs["disk"][0].more["plain_mb"]),
        "stored_mb": round(costs["disk"][0].more["stored_mb"]),
        "rounds": len(floors),
        "floor_s": median(each.seconds for each in floors),
        "floor_cpu_s": median(each.cpu for each in floors),
        "ratios": ratios,
        "all_ratios": {
            name: [round(each.seconds / floor.seconds, 2) for each, floor in zip(of, floors, strict=True)]
            for name, of in costs.items()
        },
        "cpu_ratios": {
            name: median(each.cpu / floor.cpu for each, floor in zip(of, floors, strict=True))
            for name, of in costs.items()
        },
        "goals": GOALS,
        "pg_dump_custom_ratio": round(bench.pg_dump("-Fc").seconds / median(each.seconds for each in floors), 2),
        "peak_mb": round(peak),
        "phases": {name: of[-1].more["phases"] for name, of in costs.items()},
        "met": all(ratios[name] <= goal for name, goal in GOALS.items()) and peak <= MEMORY_GOAL_MB,
    }


def small_peak(server: Postgres, s3: ObjectServer, folder: Path) -> float:
    """The peak of memory, in MB, with a database of 1.2 GB: what a larger one is compared with."""
    small = fill(server, size_from([], None).orders, folder, "small")
    stores = [StoreAccess("disk", f"file://{folder}/store"), s3.access("small")]
    found = float(dump_apart(small, stores, folder / "key")["peak_mb"])
    with server.connect() as connection:
        connection.execute(b"DROP DATABASE small")
    shutil.rmtree(folder / "store")
    return found


def median(values: Iterable[float]) -> float:
    return round(statistics.median(values), 3)


def main() -> None:
    size = size_from(None, __doc__)
    with postgres() as server, object_server() as s3, tempfile.TemporaryDirectory() as folder:
        large = size.orders > 2 * size_from([], None).orders
        small = small_peak(server, s3, Path(folder)) if large else None
        bench = Bench(server, s3, fill(server, size.orders, Path(folder)), Path(folder) / "key")
        found = measure(bench, size, Path(folder))
    if small is not None:
        growth = found["peak_mb"] / small
        found |= {"peak_mb_with_1.2_gb": round(small), "met": found["met"] and growth <= MEMORY_GROWTH_GOAL}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
