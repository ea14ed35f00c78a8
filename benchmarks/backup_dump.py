"""Goals: the whole dump (snapshot, fingerprint, compression, encryption, hash, stores) in at most 1.2x of
`pg_dump -Fp > /dev/null` to a store on disk, 1.5x to that and an S3 server on the same cores; 200 MB at most.

`python -m benchmarks.backup_dump [--orders N] [--rounds N]`. In each round all arrangements run one
after the other, and each is compared with the floor of its own round; the figures are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ecom_platform.clients.sql import url_with_password
from ecom_platform.platforms.protocol import DatabaseAccess, StoreAccess
from ecom_platform.settings import ROOT
from tests.backup.servers import PG_BIN, ObjectServer, Postgres, object_server, postgres

GOALS = {"disk": 1.2, "disk_and_s3": 1.5}
MEMORY_GOAL_MB = 200

# The dump in a process of its own, so that its peak of memory is its own. Imports are not timed: a
# running code location has done them.
DUMP = """
import json, sys, time
from threading import Event, Thread
import cryptography.hazmat.primitives.asymmetric.ed25519, obstore.store, psutil, psycopg, pyrage, zstandard
from ecom_platform.backup.dump import dump_database
from ecom_platform.backup.encryption import Identities, new_identity
from ecom_platform.backup.signing import ensure_signing_key
from pathlib import Path
from ecom_platform.platforms.protocol import DatabaseAccess, StoreAccess

task = json.load(sys.stdin)
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
started = time.perf_counter()
manifest = dump_database(
    database, shop="bench", name="shop", stores=stores, recipients=keys.recipients,
    signing_key=ensure_signing_key(Path(task["key"])), progress=lambda _: None,
)
seconds = time.perf_counter() - started
done.set()
watcher.join()
assert manifest.complete, manifest.stores
print(json.dumps({"seconds": seconds, "peak_mb": peak[0] / 1e6, "plain_mb": manifest.plain_bytes / 1e6,
                  "stored_mb": manifest.stored_bytes / 1e6, "phases": dict(manifest.seconds)}))
"""


def pg_dump_seconds(database: DatabaseAccess, *options: str) -> float:
    started = time.perf_counter()
    subprocess.run(
        [PG_BIN / "pg_dump", f"--dbname={database.url}", *options],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PGPASSWORD": database.password},
        timeout=1800,
    )
    return time.perf_counter() - started


def dump(database: DatabaseAccess, stores: list[StoreAccess], key: Path) -> dict[str, float]:
    task = {"database": asdict(database), "stores": [asdict(each) for each in stores], "key": str(key)}
    done = subprocess.run(
        [sys.executable, "-c", DUMP],
        input=json.dumps(task),
        text=True,
        check=True,
        stdout=subprocess.PIPE,
        timeout=1800,
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def fill(server: Postgres, orders: int, folder: Path) -> DatabaseAccess:
    """The example shop's own tables and data."""
    access = server.create("bench")
    with server.connect() as connection:
        connection.execute(b"CREATE ROLE shop_app NOLOGIN")
    url = folder / "url"
    url.write_text(url_with_password(access))
    url.chmod(0o600)
    environment = {**os.environ, "DATABASE_URL_FILE": str(url), "MEDIA_DIR": str(folder / "media")}
    for arguments in (["shop.migrate", "expand"], ["shop.seed", "--orders", str(orders)]):
        subprocess.run([sys.executable, "-m", *arguments], check=True, env=environment, cwd=ROOT, timeout=1800)
    with server.connect("bench") as connection:
        connection.execute(b"VACUUM ANALYZE")
    return access


def measure(server: Postgres, s3: ObjectServer, orders: int, rounds: int, folder: Path) -> dict[str, object]:
    database = fill(server, orders, folder)
    disk = StoreAccess("disk", f"file://{folder}/store")
    arrangements: dict[str, Callable[[int], dict[str, float]]] = {
        "disk": lambda _: dump(database, [disk], folder / "key"),
        "disk_and_s3": lambda number: dump(database, [disk, s3.access(f"bench{number}")], folder / "key"),
    }
    floors, ratios, peaks = [], {name: [] for name in arrangements}, []  # type: ignore[var-annotated]  # lists of floats
    last: dict[str, dict[str, float]] = {}
    pg_dump_seconds(database, "-Fp")
    for number in range(rounds):
        floors.append(pg_dump_seconds(database, "-Fp"))
        for name, arrangement in arrangements.items():
            last[name] = arrangement(number)
            ratios[name].append(last[name]["seconds"] / floors[-1])
            peaks.append(last[name]["peak_mb"])
    medians = {name: round(statistics.median(found), 3) for name, found in ratios.items()}
    met = all(medians[name] <= goal for name, goal in GOALS.items()) and max(peaks) <= MEMORY_GOAL_MB
    return {
        "database_mb": round(last["disk"]["plain_mb"]),
        "stored_mb": round(last["disk"]["stored_mb"]),
        "rounds": rounds,
        "floor_s": round(statistics.median(floors), 2),
        "ratios": medians,
        "goals": GOALS,
        "pg_dump_custom_ratio": round(pg_dump_seconds(database, "-Fc") / statistics.median(floors), 2),
        "peak_mb": round(max(peaks), 1),
        "phases": {name: each["phases"] for name, each in last.items()},
        "met": met,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with postgres() as server, object_server() as s3, tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(server, s3, given.orders, given.rounds, Path(folder))))


if __name__ == "__main__":
    main()
