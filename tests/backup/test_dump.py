"""A dump is one moment of the database, whole, in every store that can take it, or it is nothing."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ecom_platform.backup import dump_plan
from ecom_platform.backup.dump import Options
from ecom_platform.backup.dump_plan import make_plan
from ecom_platform.backup.manifest import Status
from ecom_platform.backup.snapshot import take
from ecom_platform.clients.sql import connect
from ecom_platform.platforms.protocol import DatabaseAccess, StoreAccess
from ecom_platform.spec import Shop
from ecom_platform.verdicts import Outcome
from tests.backup.dumps import CONTENT, Dumper, dumper
from tests.backup.servers import PASSWORD, PG_BIN, ObjectServer, Postgres
from tests.backup.snapshots import KEYS


@pytest.fixture(scope="module")
def shop(postgres_server: Postgres) -> str:
    postgres_server.create("dump_shop", CONTENT)
    return "dump_shop"


@pytest.fixture
def dumping(postgres_server: Postgres, s3_server: ObjectServer, tmp_path: Path, shop: str) -> Dumper:
    return dumper(postgres_server, s3_server, tmp_path, postgres_server.access(shop))


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small table gets an archive of its own too."""
    monkeypatch.setattr(dump_plan, "LANE_BYTES", 1 << 20)


def restore(postgres: Postgres, dumping: Dumper, store: str, database: str) -> Iterator[psycopg.Connection[Any]]:
    """By hand: pg_restore of the plain archives, in the order schema, data, schema."""
    manifest = dumping.catalogue(store).entries[0].manifest
    access = postgres.create(database)
    for archive, section in (
        ("schema", "pre-data"),
        *((name, "data") for name in manifest.archives if name not in ("schema", "roles")),
        ("schema", "post-data"),
    ):
        subprocess.run(
            [PG_BIN / "pg_restore", f"--dbname={access.url}", f"--section={section}", "--exit-on-error"],
            input=dumping.archive(store, manifest, archive),
            env={**os.environ, "PGPASSWORD": access.password},
            check=True,
            timeout=60,
        )
    with postgres.connect(database) as connection:
        yield connection


def test_what_was_dumped_comes_back_from_each_store(
    dumping: Dumper, postgres_server: Postgres, shop: str, lanes: None
) -> None:
    manifest = dumping.dump()
    assert manifest.archives == ("schema", "roles", "largest", "data")
    assert manifest.stores == {"local": "stored", "cloud": "stored"}
    query = b"SELECT (SELECT sum(hashtext(l::text)) FROM lines l), (SELECT sum(hashtext(a::text)) FROM accounts a)"
    with postgres_server.connect(shop) as connection:
        expected = connection.execute(query).fetchone()
    for store in ("local", "cloud"):
        for restored in restore(postgres_server, dumping, store, f"restored_{store}"):
            assert restored.execute(query).fetchone() == expected
            assert restored.execute(b"SELECT nextval(pg_get_serial_sequence('lines', 'id'))").fetchone() == (60001,)
            assert restored.execute(b"SELECT count(*) FROM rich").fetchone() == (0,)
            large = restored.execute(b"SELECT lo_get(oid) FROM pg_largeobject_metadata").fetchall()
            assert large == [(b"a large object",)]
            with pytest.raises(psycopg.errors.ForeignKeyViolation):
                restored.execute(b"INSERT INTO lines(account) VALUES (-1)")


def test_the_manifest_says_what_was_dumped_how_and_when(dumping: Dumper) -> None:
    manifest = dumping.dump(Options(tags=("before the release",)))
    entry = dumping.catalogue("local").entries[0]
    assert entry.manifest == manifest
    assert entry.status is Status.STORED
    assert manifest.server_version.startswith("18")
    assert manifest.tools["pg_dump"].startswith("18")
    assert manifest.started_at <= manifest.snapshot_at <= manifest.finished_at
    assert manifest.tags == ("before the release",)
    assert manifest.plain_bytes > 8_000_000 > manifest.stored_bytes > 0
    assert "public.lines" in str(manifest.fingerprint)
    assert set(manifest.seconds) == {"fingerprint", "dump", "total"}


def test_roles_come_without_passwords(dumping: Dumper, postgres_server: Postgres) -> None:
    with postgres_server.connect() as connection:
        connection.execute(b"DROP ROLE IF EXISTS clerk")
        connection.execute(b"CREATE ROLE clerk LOGIN PASSWORD 'a-password-of-clerk'")
    roles = dumping.archive("local", dumping.dump(), "roles")
    assert b"CREATE ROLE clerk" in roles
    assert b"PASSWORD" not in roles


def test_no_password_is_in_any_command(postgres_server: Postgres, shop: str) -> None:
    access = postgres_server.access(shop)
    with connect(access, autocommit=False) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        plan = make_plan(connection, access)
    assert PASSWORD not in str([each.argv for each in plan.archives])
    assert PASSWORD not in repr(access)


def test_all_archives_and_the_fingerprint_are_of_one_moment(
    dumping: Dumper, postgres_server: Postgres, shop: str, lanes: None
) -> None:
    """Money moves between two tables all the time; the sum is the same at every moment."""
    with postgres_server.connect(shop) as connection:
        connection.execute(b"DROP TABLE IF EXISTS money; CREATE TABLE money(amount bigint)")
        connection.execute(b"INSERT INTO money VALUES (0)")
    stop = threading.Event()

    def move() -> None:
        with postgres_server.connect(shop) as connection:
            while not stop.is_set():
                with connection.transaction():
                    connection.execute(b"UPDATE money SET amount = amount + 1")
                    connection.execute(b"INSERT INTO lines(account, note) VALUES (1, 'moved')")

    with ThreadPoolExecutor(1) as pool:
        moving = pool.submit(move)
        try:
            manifest = dumping.dump()
        finally:
            stop.set()
        moving.result()
    for restored in restore(postgres_server, dumping, "local", "restored_moment"):
        counts = b"SELECT (SELECT amount FROM money), count(*) FILTER (WHERE note = 'moved'), count(*) FROM lines"
        ((amount, moved, lines),) = restored.execute(counts).fetchall()
        assert amount == moved
        assert str(lines) in str(manifest.fingerprint)
    with postgres_server.connect(shop) as connection:
        connection.execute(b"DROP TABLE money; DELETE FROM lines WHERE note = 'moved'")


@pytest.mark.parametrize("name", ['we"ird. ta*ble', "Größe?", "a'b\\c", "x" * 63, "CAPITAL", "line\nbreak", "$dollar"])
def test_the_largest_table_may_have_any_name(
    postgres_server: Postgres, s3_server: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(dump_plan, "LANE_BYTES", 1)
    quoted = '"{}"'.format(name.replace('"', '""'))
    access = postgres_server.create(
        "dump_names",
        f"CREATE SCHEMA {quoted}; CREATE TABLE {quoted}.{quoted} AS SELECT generate_series(1, 5000) AS n;"
        f"CREATE TABLE small AS SELECT 1 AS n",
    )
    dumping = dumper(postgres_server, s3_server, tmp_path, access)
    manifest = dumping.dump()
    assert b"5000\n" in dumping.archive("local", manifest, "largest")
    assert b"5000\n" not in dumping.archive("local", manifest, "data")


def test_an_empty_database_is_a_snapshot_too(
    postgres_server: Postgres, s3_server: ObjectServer, tmp_path: Path
) -> None:
    dumping = dumper(postgres_server, s3_server, tmp_path, postgres_server.create("dump_empty"))
    assert dumping.dump().archives == ("schema", "roles", "data")
    for restored in restore(postgres_server, dumping, "cloud", "restored_empty"):
        assert restored.execute(
            b"SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        ).fetchone() == (0,)


def test_each_snapshot_names_the_one_before(dumping: Dumper) -> None:
    first, second = dumping.dump(), dumping.dump()
    assert second.previous is not None
    assert second.previous.id == first.id
    assert dumping.catalogue("cloud").problems == ()


def test_a_throttled_dump_takes_its_time(dumping: Dumper) -> None:
    manifest = dumping.dump(Options(bytes_per_second=6e6))
    assert manifest.seconds["dump"] > 1


@dataclass
class Place:
    """As much of a platform as a snapshot needs, around real parts."""

    dumping: Dumper
    key: Path

    def database(self, *_: object) -> DatabaseAccess:
        return self.dumping.database

    def store(self, name: str) -> StoreAccess:
        return next(each for each in self.dumping.stores if each.name == name)

    def recipients(self) -> tuple[str, ...]:
        return KEYS.recipients

    def signing_key(self) -> Path:
        return self.key


def test_the_throttle_of_the_spec_holds_for_the_dump_and_for_the_fingerprint(dumping: Dumper, tmp_path: Path) -> None:
    spec = {
        "shop": "ecommerce",
        "databases": [{"name": "shop", "url": {"env": "URL"}, "dump_bytes_per_second": 6_000_000}],
        "stores": {"local": {"url": "file:x"}},
        "encryption": {"recipients": list(KEYS.recipients)},
    }
    shop = Shop.model_validate(spec)
    place = Place(dumping, tmp_path / "key")
    findings, record = take(place, shop, shop.database("shop"), progress=print)  # type: ignore[arg-type]  # a part of a platform
    assert findings.overall is Outcome.PASSED
    # 8 MB of text, 12 MB of pages.
    assert record.seconds["dump"] > 1
    assert record.seconds["fingerprint"] > 1
