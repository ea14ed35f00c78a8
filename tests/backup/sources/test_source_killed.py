"""`kill -9` while a folder is taken or proved: nothing looks like a backup, and nothing stays for good."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from ecom_platform.backup.manifest import MANIFEST, Status
from ecom_platform.backup.retention_apply import sweep
from ecom_platform.backup.scratch import sweep as sweep_scratch
from ecom_platform.verdicts import Outcome
from tests.backup.servers import wait_until
from tests.backup.snapshots import KEY_FILE, SHOP
from tests.backup.sources.trees import Keeper

WORK = """
import json, sys
from pathlib import Path
from ecom_platform.backup.encryption import Identities
from ecom_platform.backup.signing import ensure_signing_key
from ecom_platform.backup.sources.folder import folder_source
from ecom_platform.backup.sources.taking import Writing, take_snapshot
from ecom_platform.backup.sources.tree_proof import verify_tree
from ecom_platform.clients.objects import open_store
from ecom_platform.platforms.protocol import StoreAccess

task = json.load(sys.stdin)
access, keys = StoreAccess("local", task["store"]), Identities(task["identity"])
key = ensure_signing_key(Path(task["key"]))
for _ in range(100):
    print("take", flush=True)
    manifest = take_snapshot(
        folder_source("media", Path(task["folder"]), between=lambda _: print("reading", flush=True)),
        Writing("ecommerce", [access], keys.recipients, key),
    )
    print("verify", flush=True)
    verify_tree(open_store(access), manifest, keys, scratch=Path(task["scratch"]))
"""


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    from ecom_platform.backup.signing import ensure_signing_key

    (tmp_path / "media").mkdir()
    for number in range(40):
        (tmp_path / "media" / f"{number}.bin").write_bytes(os.urandom(300_000))
    (tmp_path / "store").mkdir()
    return Keeper(tmp_path, key=ensure_signing_key(tmp_path / "signing-key"))


def kill_after(keeper: Keeper, words: int) -> None:
    task = {
        "store": (keeper.place / "store").as_uri(),
        "identity": KEY_FILE,
        "key": str(keeper.place / "signing-key"),
        "folder": str(keeper.place / "media"),
        "scratch": str(keeper.place / "scratch"),
    }
    with subprocess.Popen([sys.executable, "-c", WORK], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(task).encode())
        process.stdin.close()
        for _ in range(words):
            assert process.stdout.readline(), "it ended by itself"
        process.send_signal(signal.SIGKILL)
        process.stdout.read()


@pytest.mark.parametrize("seed", range(4))
def test_a_kill_leaves_nothing_that_looks_like_a_backup(keeper: Keeper, seed: int) -> None:
    kill_after(keeper, random.Random(seed).randint(2, 120))
    catalogue = keeper.catalogue()
    assert catalogue.problems == ()
    for entry in catalogue.entries:
        assert entry.status is Status.STORED
        assert keeper.verify(entry.manifest).outcome is Outcome.PASSED
    sweep(keeper.store, shop=SHOP, leased=lambda _: False, progress=lambda _: None, age=timedelta())
    folders = {key.rsplit("/", 1)[0] for key in keeper.objects()}
    assert folders == {each.manifest.folder for each in catalogue.entries}
    assert all(f"{each}/{MANIFEST}" in keeper.objects() for each in folders)
    sweep_scratch(keeper.place / "scratch")
    wait_until(lambda: not list((keeper.place / "scratch").glob("ecom_scratch_*")), seconds=5, what="no scratch folder")
