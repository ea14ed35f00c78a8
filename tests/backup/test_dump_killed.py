"""`kill -9` at any point of dump, upload, verification and retention: after each the stores tell the truth."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from ecom_platform.backup.manifest import Status
from ecom_platform.backup.retention_apply import sweep
from ecom_platform.backup.scratch import sweep as scratch_sweep
from ecom_platform.backup.signing import ensure_signing_key
from ecom_platform.clients.sql import connect
from tests.backup.dumps import CONTENT, Dumper, dumper
from tests.backup.restoring import open_folder
from tests.backup.servers import ObjectServer, Postgres, wait_until
from tests.backup.snapshots import KEY_FILE, SHOP

ROUNDS = int(os.environ.get("KILL_ROUNDS", "12"))
"""In the suite; `make torture` does a hundred."""

PHASES = ("dump", "upload", "verify", "retention")

WORK = """
import json, sys
from datetime import timedelta
from functools import partial
from pathlib import Path
from ecom_platform.backup import dump_plan
from ecom_platform.backup.archives import copy_archive
from ecom_platform.backup.catalogue import record_proof
from ecom_platform.backup.dump import Options, dump_database
from ecom_platform.backup.dump_targets import Targets
from ecom_platform.backup.encryption import Identities
from ecom_platform.backup.retention_apply import apply_retention
from ecom_platform.backup.retention_guard import Limits
from ecom_platform.backup.retention_policy import read_policy
from ecom_platform.backup.signing import ensure_signing_key
from ecom_platform.backup.verification import verify_snapshot
from ecom_platform.clients.objects import open_store
from ecom_platform.platforms.protocol import DatabaseAccess, StoreAccess

task = json.load(sys.stdin)
dump_plan.LANE_BYTES = 1 << 20
key, keys = ensure_signing_key(Path(task["key"])), Identities(task["identity"])
accesses = [StoreAccess(**each) for each in task["stores"]]

def begin(phase):
    print(phase, flush=True)

def complete(targets, really=Targets.complete):
    begin("upload")  # every byte is on its way; now the objects become visible, then the manifests
    really(targets)

Targets.complete = complete
begin("dump")
manifest = dump_database(
    DatabaseAccess(**task["database"]), shop="ecommerce", name="shop", stores=accesses, recipients=keys.recipients,
    signing_key=key, progress=lambda _: None, options=Options(patience=timedelta(seconds=10)),
)
stores, proof = [open_store(each) for each in accesses], {"outcome": "passed"}
if task["verifies"]:
    begin("verify")
    archives = {name: partial(copy_archive, stores[0], manifest, name, keys) for name in manifest.archives}
    proof = verify_snapshot(manifest.fingerprint, archives, scratch_folder=Path(task["scratch"])).as_dict()
    assert proof["outcome"] == "passed", proof
    for store in stores:
        record_proof(store, manifest, proof, key)
else:
    for store in stores:
        record_proof(store, manifest, proof, key)
begin("retention")
for store in stores:
    apply_retention(
        store, shop="ecommerce", policy=read_policy({"keep-last": 2}, "x"), limits=Limits(share=1.0), key=key,
        by="test", progress=lambda _: None,
    )
begin("end")
"""


@dataclass(frozen=True)
class Place:
    """What a killed process may leave something in."""

    dumping: Dumper
    key: Path
    scratch: Path

    def start(self, *, verifies: bool) -> subprocess.Popen[str]:
        """The work in a process of its own."""
        process = subprocess.Popen(
            [sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdin
        task = {
            "key": str(self.key),
            "stores": [asdict(each) for each in self.dumping.stores],
            "database": asdict(self.dumping.database),
            "identity": KEY_FILE,
            "scratch": str(self.scratch),
            "verifies": verifies,
        }
        process.stdin.write(json.dumps(task))
        process.stdin.close()
        return process

    def whole(self) -> dict[str, float]:
        """All of it once, without a kill: how long each phase takes, in seconds."""
        found: dict[str, float] = {}
        began = time.monotonic()
        with self.start(verifies=True) as process:
            assert process.stdout
            for phase in (*PHASES, "end"):
                assert process.stdout.readline() == f"{phase}\n"
                found[phase] = time.monotonic() - began
            assert process.wait(30) == 0
        moments = [found[each] for each in (*PHASES, "end")]
        return {phase: after - at for phase, (at, after) in zip(PHASES, pairwise(moments), strict=True)}

    def kill_in(self, phase: str, after: float) -> bool:
        """Kill it that many seconds after the phase began; whether it had ended before."""
        with self.start(verifies=phase == "verify") as process:
            assert process.stdout
            for line in process.stdout:
                if line.strip() == phase:
                    break
            time.sleep(after)  # the moment of the kill is the test's subject
            process.kill()
            return "end" in process.stdout.read()


@pytest.fixture
def place(postgres_server: Postgres, s3_server: ObjectServer, tmp_path: Path) -> Iterator[Place]:
    dumping = dumper(postgres_server, s3_server, tmp_path, postgres_server.create("dump_killed", CONTENT))
    dumping.key = ensure_signing_key(tmp_path / "key")
    with open_folder() as scratch:
        yield Place(dumping, tmp_path / "key", scratch)


def check_invariants(place: Place, proved_before: dict[str, str]) -> None:
    for name in ("local", "cloud"):
        catalogue = place.dumping.catalogue(name)
        assert catalogue.problems == ()
        usable = catalogue.of(None)
        assert all(each.status in (Status.STORED, Status.PROVED) for each in usable)
        for each in usable[:1]:
            assert place.dumping.archive(name, each.manifest, "data")
        newest = [each.manifest.id for each in usable if each.status is Status.PROVED][:1]
        if name in proved_before:
            assert newest >= [proved_before[name]], "the last proved one is never lost"
        proved_before.update((name, each) for each in newest)
    scratch_sweep(place.scratch)
    assert {each.name for each in place.scratch.iterdir()} <= {".sweep"}
    assert servers_below(place.scratch) == []


def servers_below(folder: Path) -> list[int]:
    return [
        each.pid for each in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(each.info["cmdline"] or ())
    ]


def sessions(postgres: Postgres) -> int:
    with connect(postgres.access("dump_killed")) as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        (count,) = connection.execute(query).fetchone() or (0,)
    return int(count)


def test_after_a_kill_at_any_moment_the_stores_tell_the_truth(place: Place, postgres_server: Postgres) -> None:
    chance = random.Random(6)  # the same moments each time, as far as time can be repeated
    proved: dict[str, str] = {}
    lasts = place.whole()
    check_invariants(place, proved)
    finished = 0
    for number in range(ROUNDS):
        phase = PHASES[number % len(PHASES)]
        finished += place.kill_in(phase, chance.uniform(0, lasts[phase] * 1.1))
        # The server frees the lease as soon as it sees that its client is gone.
        wait_until(lambda: sessions(postgres_server) == 0, seconds=20, what="the dead dump's sessions have ended")
        check_invariants(place, proved)
    assert finished < ROUNDS / 2, "most were killed in the middle"
    dumping = place.dumping
    assert dumping.dump().complete
    for name in ("local", "cloud"):
        store = dumping.store(name)
        sweep(store, shop=SHOP, leased=lambda _: False, progress=print, age=timedelta(0))
        catalogue = dumping.catalogue(name)
        known = {each.manifest.folder for each in catalogue.of(None)} | {f"{SHOP}/database/shop/removed"}
        assert {each.rpartition("/")[0] for each in dumping.objects(name)} <= known
