"""Goals: a verified restore (fetch, decrypt, restore, compare) in at most 0.9x of the bare, unverified
`pg_restore -j2` of a local file on a server as it comes, and 1.25x of the same on the tuned scratch server;
200 MB at most in all processes but the server's, and the same for a database of any size.

`python -m benchmarks backup_verify [--gigabytes 10] [--rounds N] [--minutes N]`. In each round all arrangements run
one after the other, and the verified one is compared with the bare ones of its own round; the figures are medians.
The bare ones find their server running and leave it, so making and removing a scratch server does not count for the
verified one either; the ratios with all of that stand beside them.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks._size import Size, size_from
from benchmarks.backup_dump import MEMORY_GOAL_MB, MEMORY_GROWTH_GOAL, SECONDS, fill
from ecom_platform.backup import scratch
from ecom_platform.backup.dump import dump_database
from ecom_platform.backup.encryption import Identities, new_identity
from ecom_platform.backup.restore_target import create_roles
from ecom_platform.backup.signing import ensure_signing_key
from ecom_platform.clients import sql
from ecom_platform.clients.postgres_server import (
    free_port,
    initialise,
    own_folder,
    server_account,
    start,
    stop,
    wait_until_ready,
    wheel_programs,
)
from ecom_platform.platforms.protocol import DatabaseAccess, StoreAccess
from tests.backup.servers import PASSWORD, PG_BIN, postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

GOALS = {"as_it_comes": 0.9, "tuned": 1.25}

# The verification in a process of its own, so that its peak of memory is its own. Imports are not timed: a
# running code location has done them.
VERIFY = """
import json, sys, time
from functools import partial
from pathlib import Path
from threading import Event, Thread
import obstore.store, psutil, psycopg, pyrage, zstandard
from ecom_platform.backup.archives import copy_archive
from ecom_platform.backup.encryption import Identities
from ecom_platform.backup.manifest import Manifest
from ecom_platform.backup.scratch import space_for
from ecom_platform.backup.verification import verify_snapshot
from ecom_platform.clients.objects import open_store
from ecom_platform.platforms.protocol import StoreAccess

task = json.load(sys.stdin)
manifest = Manifest.model_validate(task["manifest"])
store, keys = open_store(StoreAccess(**task["store"])), Identities(task["identity"])
archives = {name: partial(copy_archive, store, manifest, name, keys) for name in manifest.archives}
peak, done = [0], Event()

def watch():
    own = psutil.Process()
    while not done.wait(0.3):
        total = 0
        for each in [own, *own.children(recursive=True)]:
            try:
                total += 0 if each.name() == "postgres" else each.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        peak[0] = max(peak[0], total)

watcher = Thread(target=watch, daemon=True)
watcher.start()
verification = verify_snapshot(
    manifest.fingerprint, archives, scratch_folder=Path(task["folder"]),
    space_needed=space_for(manifest.fingerprint["bytes"], manifest.plain_bytes),
)
done.set()
watcher.join()
assert verification.outcome == "passed", [str(each) for each in verification.verdicts]
spent = verification.seconds
print(json.dumps({"total": verification.total, "seconds": verification.total - spent["server"] - spent["cleanup"],
                  "peak_mb": peak[0] / 1e6, "phases": dict(spent)}))
"""


def verified(task: Mapping[str, Any]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", VERIFY],
        input=json.dumps(task),
        text=True,
        check=True,
        stdout=subprocess.PIPE,
        timeout=SECONDS,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@contextmanager
def target(folder: Path, roles: list[str], *, tuned: bool) -> Iterator[DatabaseAccess]:
    """An empty database on a new server: a scratch server, or one with the settings that it comes with."""
    with scratch.scratch_server(folder) if tuned else server_as_it_comes(folder) as server:
        create_roles(server.admin, roles)
        yield scratch.create_database(server.admin, "bench")


@contextmanager
def server_as_it_comes(folder: Path) -> Iterator[scratch.ScratchServer]:
    place, programs, account = folder / "as_it_comes", wheel_programs(), server_account()
    own_folder(place, account)
    initialise(place, programs, account, superuser="postgres", password=PASSWORD, as_it_comes=True)
    port = free_port()
    settings = {"port": str(port), "listen_addresses": "", "unix_socket_directories": str(place)}
    server = start(place, programs, account, settings)
    try:
        wait_until_ready(server, programs, str(place), port)
        url = sql.url(user="postgres", host=str(place), port=str(port), dbname="postgres")
        yield scratch.ScratchServer(DatabaseAccess(url, PASSWORD), place, programs)
    finally:
        stop(server.process)
        shutil.rmtree(place)


def bare(folder: Path, file: Path, roles: list[str], *, tuned: bool) -> float:
    """Seconds of the restore that a user would type."""
    with target(folder, roles, tuned=tuned) as access:
        started = time.perf_counter()
        subprocess.run(
            [PG_BIN / "pg_restore", "--jobs=2", f"--dbname={access.url}", file],
            check=True,
            env={**os.environ, **sql.libpq_environment(access)},
            timeout=SECONDS,
        )
        return time.perf_counter() - started


def cpu_seconds() -> float:
    """Of this process's ended children, servers included."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def prepare(database: DatabaseAccess, folder: Path) -> tuple[dict[str, Any], Path]:
    """A snapshot in a store on disk, and the file that a user would restore."""
    store, identity = StoreAccess("disk", f"file://{folder}/store"), new_identity()
    manifest = dump_database(
        database,
        shop="bench",
        name="shop",
        stores=[store],
        recipients=Identities(identity).recipients,
        signing_key=ensure_signing_key(folder / "key"),
        progress=lambda _: None,
    )
    file = folder / "plain.dump"
    subprocess.run(
        [PG_BIN / "pg_dump", f"--dbname={database.url}", "--format=custom", "--compress=0", f"--file={file}"],
        check=True,
        env={**os.environ, **sql.libpq_environment(database)},
        timeout=SECONDS,
    )
    task = {
        "manifest": manifest.model_dump(mode="json"),
        "store": {"name": store.name, "url": store.url},
        "identity": identity,
        "folder": str(folder / "scratch"),
    }
    return task, file


def prepared(orders: int, folder: Path) -> tuple[dict[str, Any], Path]:
    """A snapshot of a new database of that size; its server is gone when this returns."""
    (folder / "source").mkdir(parents=True)
    with postgres() as server:
        return prepare(fill(server, orders, folder / "source"), folder)


def small_peak(folder: Path) -> float:
    """The peak of memory, in MB, with a database of 1.2 GB: what a larger one is compared with."""
    try:
        return float(verified(prepared(size_from([], None).orders, folder)[0])["peak_mb"])
    finally:
        shutil.rmtree(folder)


def measure(size: Size, folder: Path) -> dict[str, Any]:
    task, file = prepared(size.orders, folder)
    roles = list(task["manifest"]["fingerprint"]["roles"])
    ratios: dict[str, list[float]] = {name: [] for name in GOALS}
    with_server: dict[str, list[float]] = {name: [] for name in GOALS}
    cpu: list[float] = []
    peaks: list[float] = []
    last: dict[str, Any] = {}
    for number in size.turns():
        begun = cpu_seconds()
        last = verified(task)
        of_ours = cpu_seconds() - begun
        peaks.append(last["peak_mb"])
        for name in GOALS:
            begun = cpu_seconds()
            unverified = bare(folder / "bare", file, roles, tuned=name == "tuned")
            ratios[name].append(last["seconds"] / unverified)
            with_server[name].append(last["total"] / unverified)
            if name == "tuned":
                cpu.append(of_ours / (cpu_seconds() - begun))
        told = ", ".join(f"{name} {of[-1]:.2f}x" for name, of in ratios.items())
        print(f"round {number + 1}: {last['seconds']:.1f} s, {told}", file=sys.stderr)
    medians, medians_with_server = (
        {name: round(statistics.median(found), 3) for name, found in each.items()} for each in (ratios, with_server)
    )
    return {
        "plain_mb": round(task["manifest"]["plain_bytes"] / 1e6),
        "database_mb": round(task["manifest"]["fingerprint"]["bytes"] / 1e6),
        "rounds": len(peaks),
        "verified_s": round(last["seconds"], 2),
        "ratios": medians,
        "ratios_with_the_server": medians_with_server,
        "all_ratios": {name: [round(each, 2) for each in found] for name, found in ratios.items()},
        "cpu_ratio_tuned": round(statistics.median(cpu), 3),
        "goals": GOALS,
        "peak_mb": round(max(peaks), 1),
        "phases": {name: round(value, 2) for name, value in last["phases"].items()},
        "met": all(medians[name] <= goal for name, goal in GOALS.items()) and max(peaks) <= MEMORY_GOAL_MB,
    }


def main() -> None:
    size = size_from(None, __doc__)
    with tempfile.TemporaryDirectory(prefix="ecom-bench-") as name:
        place = Path(name)
        place.chmod(0o755)
        large = size.orders > 2 * size_from([], None).orders
        small = small_peak(place / "small") if large else None
        found = measure(size, place / "measured")
    if small is not None:
        flat = found["peak_mb"] / small <= MEMORY_GROWTH_GOAL
        found |= {"peak_mb_with_1.2_gb": round(small), "met": found["met"] and flat}
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
