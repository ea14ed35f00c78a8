"""`kill -9` at any point of dump, upload and retention: after each the stores tell the truth."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import pytest

from ecom_platform.backup.manifest import Status
from ecom_platform.backup.retention_apply import sweep
from ecom_platform.backup.signing import ensure_signing_key
from ecom_platform.clients.sql import connect
from tests.backup.dumps import CONTENT, Dumper, dumper
from tests.backup.servers import ObjectServer, Postgres, wait_until
from tests.backup.snapshots import KEYS, SHOP

ROUNDS = int(os.environ.get("KILL_ROUNDS", "8"))
"""In the suite; by hand a hundred: KILL_ROUNDS=100."""

WORK = """
import json, sys
from datetime import timedelta
from pathlib import Path
from ecom_platform.backup import dump_plan
from ecom_platform.backup.catalogue import record_proof
from ecom_platform.backup.dump import Options, dump_database
from ecom_platform.backup.retention_apply import apply_retention
from ecom_platform.backup.retention_guard import Limits
from ecom_platform.backup.retention_policy import read_policy
from ecom_platform.backup.signing import ensure_signing_key
from ecom_platform.clients.objects import open_store
from ecom_platform.platforms.protocol import DatabaseAccess, StoreAccess

task = json.load(sys.stdin)
dump_plan.LANE_BYTES = 1 << 20
key = ensure_signing_key(Path(task["key"]))
stores = [StoreAccess(**each) for each in task["stores"]]
print("begin", flush=True)
manifest = dump_database(
    DatabaseAccess(**task["database"]), shop="ecommerce", name="shop", stores=stores, recipients=task["recipients"],
    signing_key=key, progress=lambda _: None, options=Options(patience=timedelta(seconds=10)),
)
for each in stores:
    store = open_store(each)
    record_proof(store, manifest, {"outcome": "passed"}, key)
    apply_retention(
        store, shop="ecommerce", policy=read_policy({"keep-last": 2}, "x"), limits=Limits(share=1.0), key=key,
        by="test", progress=lambda _: None,
    )
print("end", flush=True)
"""


def start(dumping: Dumper, key: Path) -> subprocess.Popen[str]:
    """The work in a process of its own, at its beginning."""
    process = subprocess.Popen([sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    task = {
        "key": str(key),
        "stores": [asdict(each) for each in dumping.stores],
        "database": asdict(dumping.database),
        "recipients": KEYS.recipients,
    }
    process.stdin.write(json.dumps(task))
    process.stdin.close()
    assert process.stdout.readline() == "begin\n"
    return process


@pytest.fixture
def dumping(postgres_server: Postgres, s3_server: ObjectServer, tmp_path: Path) -> Dumper:
    return dumper(postgres_server, s3_server, tmp_path, postgres_server.create("dump_killed", CONTENT))


def check_invariants(dumping: Dumper, proved_before: dict[str, str]) -> None:
    for name in ("local", "cloud"):
        catalogue = dumping.catalogue(name)
        assert catalogue.problems == ()
        usable = catalogue.of(None)
        assert all(each.status in (Status.STORED, Status.PROVED) for each in usable)
        for each in usable[:1]:
            assert dumping.archive(name, each.manifest, "data")
        newest = [each.manifest.id for each in usable if each.status is Status.PROVED][:1]
        if name in proved_before:
            assert newest >= [proved_before[name]], "the last proved one is never lost"
        proved_before.update((name, each) for each in newest)


def sessions(postgres: Postgres) -> int:
    with connect(postgres.access("dump_killed")) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        (count,) = connection.execute(query).fetchone() or (0,)
    return int(count)


def test_after_a_kill_at_any_moment_the_stores_tell_the_truth(
    dumping: Dumper, postgres_server: Postgres, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    dumping.key = ensure_signing_key(key)
    began = time.monotonic()
    with start(dumping, key) as whole:
        assert whole.wait(120) == 0
    duration = time.monotonic() - began
    chance = random.Random(6)  # the same moments each time, as far as time can be repeated
    proved: dict[str, str] = {}
    check_invariants(dumping, proved)
    finished = 0
    for _ in range(ROUNDS):
        with start(dumping, key) as process:
            time.sleep(chance.uniform(0, duration * 1.1))  # the moment of the kill is the test's subject
            process.kill()
            finished += "end" in (process.stdout.read() if process.stdout else "")
        # The server frees the lease as soon as it sees that its client is gone.
        wait_until(lambda: sessions(postgres_server) == 0, seconds=20, what="the dead dump's sessions have ended")
        check_invariants(dumping, proved)
    assert finished < ROUNDS
    assert dumping.dump().complete
    for name in ("local", "cloud"):
        store = dumping.store(name)
        sweep(store, shop=SHOP, leased=lambda _: False, progress=print, age=timedelta(0))
        catalogue = dumping.catalogue(name)
        known = {each.manifest.folder for each in catalogue.of(None)} | {f"{SHOP}/database/shop/removed"}
        assert {each.rpartition("/")[0] for each in dumping.objects(name)} <= known
