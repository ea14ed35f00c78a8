"""Goals: a retention plan over 100,000 snapshots in at most 2 s, a list of 10,000 snapshots in at most 3 s.

Both are of process time, by the program `ecom` and by the reading of a whole catalogue with every
signature and the chain checked. The snapshots lie in a folder; each has three objects and a manifest.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ecom_platform.backup.catalogue import read_catalogue
from ecom_platform.backup.manifest import Link, Part, manifest_key
from ecom_platform.backup.signing import close_record, digest_of, ensure_signing_key
from ecom_platform.clients.objects import open_store
from ecom_platform.platforms.protocol import StoreAccess
from tests.backup import samples

PLANNED, PLAN_GOAL_S = 100_000, 2.0
LISTED, LIST_GOAL_S = 10_000, 3.0
ROUNDS = 5
START = datetime(2020, 1, 1, tzinfo=UTC)
TABLES = {f"public.table_{number}": {"rows": number * 1000, "sum": "1234567890123456789"} for number in range(20)}


def plan_seconds(folder: Path) -> float:
    """Process time of the whole program."""
    given, rules = folder / "snapshots.json", folder / "policy.json"
    times = [(START + timedelta(minutes=30 * number)).isoformat() for number in range(PLANNED)]
    given.write_text(json.dumps([{"id": f"{number}", "time": at, "tags": []} for number, at in enumerate(times)]))
    rules.write_text(json.dumps({"keep-hourly": 24, "keep-daily": 7, "keep-weekly": 5, "keep-within": "1y"}))
    argv = ["retention", "plan", "--input", str(given), "--policy", str(rules), "--json"]
    program = "from ecom_platform.cli.main import main; main()"
    found = []
    for _ in range(ROUNDS):
        before = os.times()
        subprocess.run([sys.executable, "-c", program, *argv], check=True, stdout=subprocess.DEVNULL, timeout=120)
        after = os.times()
        found.append(after.children_user + after.children_system - before.children_user - before.children_system)
    return statistics.median(found)


def fill(folder: Path, key_file: Path) -> None:
    """A catalogue as dumps leave it, written without their fsync."""
    key, previous = ensure_signing_key(key_file), None
    for number in range(LISTED):
        draft = samples.manifest(START + timedelta(hours=6 * number))
        parts = tuple(
            Part(name=name, key=f"{draft.folder}/{name}.dump.zst.age", size=4, sha256="0" * 64, plain_bytes=4)
            for name in ("schema", "roles", "data")
        )
        manifest = draft.model_copy(update={"objects": parts, "previous": previous, "fingerprint": {"tables": TABLES}})
        record = close_record(manifest.model_dump(mode="json"), key)
        previous = Link(id=manifest.id, sha256=digest_of(record))
        (folder / manifest.folder).mkdir(parents=True)
        (folder / manifest_key(manifest.shop, manifest.source, manifest.id)).write_bytes(record)
        for part in parts:
            (folder / part.key).write_bytes(b"0000")


def list_seconds(folder: Path) -> float:
    fill(folder / "store", folder / "key")
    store = open_store(StoreAccess("local", f"file://{folder}/store"))
    found = []
    for _ in range(ROUNDS):
        started = time.process_time()
        catalogue = read_catalogue(store, shop="ecommerce", trusted=[ensure_signing_key(folder / "key").public])
        found.append(time.process_time() - started)
        assert len(catalogue.entries) == LISTED, catalogue.problems[:3]
        assert not catalogue.problems
    return statistics.median(found)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plan, listed = plan_seconds(folder), list_seconds(folder)
    print(
        json.dumps(
            {
                "plan_100000_s": round(plan, 2),
                "plan_goal_s": PLAN_GOAL_S,
                "list_10000_s": round(listed, 2),
                "list_goal_s": LIST_GOAL_S,
                "met": plan <= PLAN_GOAL_S and listed <= LIST_GOAL_S,
            }
        )
    )


if __name__ == "__main__":
    main()
