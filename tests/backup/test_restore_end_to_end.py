"""From a database in use to a store and back: the dump of dump.py is proved by verification.py."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from ecom_platform.backup import dump_plan
from ecom_platform.backup.archives import copy_archive
from ecom_platform.backup.dump import dump_database
from ecom_platform.backup.manifest import Manifest
from ecom_platform.backup.scratch import space_for
from ecom_platform.backup.verification import Verification, verify_snapshot
from ecom_platform.clients import sql
from ecom_platform.clients.objects import ObjectStore, open_store
from ecom_platform.platforms.protocol import DatabaseAccess, StoreAccess
from ecom_platform.verdicts import Outcome
from tests.backup.restoring import EVERYTHING, SHOP, execute, load, open_folder
from tests.backup.servers import Postgres
from tests.backup.snapshots import KEYS, signing_key


def dumped(access: DatabaseAccess, folder: Path) -> tuple[ObjectStore, Manifest]:
    store = StoreAccess("local", f"file://{folder}")
    manifest = dump_database(
        access,
        shop="test",
        name="whole",
        stores=[store],
        recipients=KEYS.recipients,
        signing_key=signing_key(),
        progress=lambda _: None,
    )
    return open_store(store), manifest


def verified(store: ObjectStore, manifest: Manifest) -> Verification:
    archives = {name: partial(copy_archive, store, manifest, name, KEYS) for name in manifest.archives}
    with open_folder() as scratch:
        return verify_snapshot(
            manifest.fingerprint,
            archives,
            scratch_folder=scratch,
            space_needed=space_for(manifest.fingerprint["bytes"], manifest.plain_bytes),
        )


def wrong(verification: Verification) -> list[str]:
    return [each.seen for each in verification.verdicts if not each.passed]


def test_a_database_in_use_is_dumped_and_proved(
    postgres_server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows are written and sequences drawn all the time; the snapshot is one moment of them."""
    monkeypatch.setattr(dump_plan, "LANE_BYTES", 1)
    access = postgres_server.create("whole_in_use", SHOP)
    stop = threading.Event()

    def use() -> int:
        orders = 0
        with sql.connect(access) as connection:
            while not stop.is_set():
                connection.execute("INSERT INTO orders (product, quantity) VALUES (1, 1)")
                connection.execute("UPDATE products SET price = price + 0.01 WHERE id = 1")
                orders += 1
        return orders

    with ThreadPoolExecutor(1) as pool:
        using = pool.submit(use)
        try:
            store, manifest = dumped(access, tmp_path)
        finally:
            stop.set()
    assert using.result() > 0
    state = manifest.fingerprint["sequences"]["public.orders_id_seq"]
    assert state["value"] < state["until"]
    assert set(manifest.archives) == {"schema", "roles", "largest", "data"}
    assert wrong(verified(store, manifest)) == []


def test_a_database_with_everything_is_dumped_and_proved(postgres_server: Postgres, tmp_path: Path) -> None:
    access = postgres_server.create("whole_everything")
    load(access, EVERYTHING)
    store, manifest = dumped(access, tmp_path)
    verification = verified(store, manifest)
    assert wrong(verification) == []
    assert verification.outcome is Outcome.PASSED


def test_a_flipped_bit_in_the_store_is_red_with_its_cause(postgres_server: Postgres, tmp_path: Path) -> None:
    store, manifest = dumped(postgres_server.create("whole_flipped", SHOP), tmp_path)
    path = tmp_path / manifest.part("data").key
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
    verification = verified(store, manifest)
    assert verification.outcome is Outcome.FAILED
    assert any("altered" in each for each in wrong(verification)), wrong(verification)


def test_a_mark_of_the_server_on_its_columns_keeps_no_snapshot_from_being_proved(
    postgres_server: Postgres, tmp_path: Path
) -> None:
    """PostgreSQL 17.12 writes the log position of a column's last change where its options are."""
    access = postgres_server.create("whole_marked", SHOP)
    change = "UPDATE pg_attribute SET attoptions = '{}' WHERE attrelid = 'products'::regclass AND attname = '{}'"
    execute(
        access,
        "SET allow_system_table_mods = on",
        change.format("{pg_attver=29307808}", "id"),
        change.format("{n_distinct=7,pg_attver=29307809}", "name"),
    )
    store, manifest = dumped(access, tmp_path)
    assert b"pg_attver=29307809" in archive(store, manifest, "schema")
    assert wrong(verified(store, manifest)) == []


def archive(store: ObjectStore, manifest: Manifest, name: str) -> bytes:
    found = bytearray()
    copy_archive(store, manifest, name, KEYS, found.extend)
    return bytes(found)
