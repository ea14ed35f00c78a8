"""A dump is one moment of the database, whole, in every store that can take it, or it is nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from ecom_platform.backup import dump_plan
from ecom_platform.backup.dump import Options, dump_database
from ecom_platform.backup.dump_plan import make_plan
from ecom_platform.backup.lease import is_leased
from ecom_platform.backup.manifest import Status
from ecom_platform.backup.postgres_tools import tools_for
from ecom_platform.clients.sql import connect, url_with_password
from ecom_platform.errors import (
    BusyError,
    CommandFailed,
    ConfigurationError,
    EcomError,
    PreflightError,
    UnreachableError,
)
from ecom_platform.platforms.protocol import StoreAccess
from tests.backup.dumps import CONTENT, Dumper, Pause, dumper
from tests.backup.proxy import proxy
from tests.backup.servers import PASSWORD, PG_BIN, ObjectServer, Postgres, wait_until


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


# Two at once.


def test_a_second_dump_of_the_same_database_is_refused_and_told_who_is_at_it(dumping: Dumper) -> None:
    pause = Pause()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(dumping.dump, progress=pause)
        try:
            assert pause.reached.wait(60)
            with pytest.raises(BusyError) as raised:
                dumping.dump()
        finally:
            pause.go_on.set()
        assert first.result().complete
    assert f"process {os.getpid()}" in raised.value.seen
    assert "UTC" in raised.value.seen
    assert len(dumping.catalogue("local").entries) == 1
    assert dumping.dump().complete, "the lease went with its holder"


HOLD = """
import sys
from ecom_platform.backup.lease import holder_name, take_lease
from ecom_platform.clients.sql import connect, split_url
with connect(split_url(sys.stdin.readline().strip())) as connection:
    take_lease(connection, "shop")
    print("taken", flush=True)
    sys.stdin.read()
"""


def test_the_lease_of_a_dead_holder_is_free_at_once(dumping: Dumper) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin
        assert holder.stdout
        holder.stdin.write(url_with_password(dumping.database) + "\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "taken\n"
        with connect(dumping.database) as connection:
            assert is_leased(connection)
            with pytest.raises(BusyError):
                dumping.dump()
            holder.kill()
            wait_until(lambda: not is_leased(connection), seconds=10, what="the lease is free")
    assert dumping.dump().complete


# What breaks in the middle leaves nothing that looks like a backup.


def assert_nothing_is_left(dumping: Dumper) -> None:
    assert dumping.objects("local") == []
    assert dumping.objects("cloud") == []
    unfinished = list(Path(dumping.stores[0].url.removeprefix("file://")).rglob("*.unfinished"))
    assert unfinished == []


def pg_dumps() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if each.name() == "pg_dump"]


def test_a_pg_dump_that_is_killed_in_the_middle_fails_the_dump(dumping: Dumper, lanes: None) -> None:
    killed: list[int] = []

    def kill(_: str) -> None:
        for each in pg_dumps():
            os.kill(each.pid, signal.SIGKILL)
            killed.append(each.pid)

    # Slow enough that a second passes, and with it the first word, while the programs run.
    with pytest.raises(CommandFailed, match="pg_dump: killed by signal 9"):
        dumping.dump(Options(bytes_per_second=4e6), progress=lambda text: kill(text) if "read" in text else None)
    assert killed
    assert_nothing_is_left(dumping)


def test_a_pg_dump_that_fails_after_its_stream_looked_whole_fails_the_dump(
    postgres_server: Postgres, s3_server: ObjectServer, tmp_path: Path
) -> None:
    """Its exit code is the only sign."""
    access = postgres_server.create(
        "dump_denied",
        "DROP ROLE IF EXISTS dumper; CREATE ROLE dumper LOGIN PASSWORD 'a-password-of-dumper';"
        "CREATE TABLE open AS SELECT 1 AS n; GRANT SELECT ON open TO dumper; CREATE TABLE closed AS SELECT 2 AS n",
    )
    del access
    dumping = dumper(
        postgres_server, s3_server, tmp_path, postgres_server.access("dump_denied", "dumper", "a-password-of-dumper")
    )
    with pytest.raises(EcomError, match="permission denied for table closed") as raised:
        dumping.dump()
    assert "a-password-of-dumper" not in str(raised.value)
    assert_nothing_is_left(dumping)


def test_a_database_that_ends_our_sessions_fails_the_dump(
    dumping: Dumper, postgres_server: Postgres, shop: str
) -> None:
    def restart(text: str) -> None:
        if "read" in text:
            with postgres_server.connect() as connection:
                connection.execute(
                    b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'dump_shop'"
                )

    with pytest.raises(EcomError, match=r"terminat|closed"):
        dumping.dump(Options(bytes_per_second=4e6), progress=restart)
    assert_nothing_is_left(dumping)
    assert dumping.dump().complete


def test_an_interrupted_dump_leaves_nothing(dumping: Dumper) -> None:
    def interrupt(text: str) -> None:
        if "read" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        dumping.dump(Options(bytes_per_second=4e6), progress=interrupt)
    assert_nothing_is_left(dumping)
    assert pg_dumps() == []


def test_one_store_that_is_down_does_not_take_the_other_with_it(
    dumping: Dumper, s3_server: ObjectServer, tmp_path: Path
) -> None:
    with proxy(s3_server.port) as gone:
        port = gone.port
    dumping.stores[1] = s3_server.access(f"dump/{tmp_path.name}", port=port)
    manifest = dumping.dump()
    assert not manifest.complete
    assert manifest.stores["local"] == "stored"
    assert manifest.stores["cloud"].startswith("failed: ")
    assert dumping.catalogue("local").entries[0].manifest == manifest


def test_a_store_that_goes_away_in_the_middle_does_not_take_the_other_with_it(
    dumping: Dumper, s3_server: ObjectServer, tmp_path: Path, lanes: None
) -> None:
    with proxy(s3_server.port) as server:
        good = dumping.stores[1]
        dumping.stores[1] = s3_server.access(f"dump/{tmp_path.name}", port=server.port)

        def away(text: str) -> None:
            if "read" in text:
                server.mode = "unavailable"

        manifest = dumping.dump(Options(bytes_per_second=6e6, patience=dump_patience()), progress=away)
    assert {name: said[:6] for name, said in manifest.stores.items()} == {"local": "stored", "cloud": "failed"}
    dumping.stores[1] = good
    assert dumping.catalogue("cloud").entries == ()
    assert dumping.dump().complete
    assert dumping.catalogue("cloud").problems == ()


def dump_patience() -> Any:
    from datetime import timedelta

    return timedelta(seconds=1)


def test_a_full_disk_here_does_not_take_the_other_store_with_it(dumping: Dumper, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(b"x" * (7 << 20))
    dumping.stores[0] = StoreAccess("local", f"file://{small_disk}/store")
    manifest = dumping.dump()
    assert manifest.stores["cloud"] == "stored"
    assert "the disk is full" in manifest.stores["local"]
    assert dumping.catalogue("cloud").entries[0].manifest.id == manifest.id


def test_when_every_store_is_away_the_dump_fails_and_the_lease_is_free(
    dumping: Dumper, s3_server: ObjectServer, postgres_server: Postgres
) -> None:
    with proxy(s3_server.port) as gone:
        port = gone.port
    dumping.stores = [s3_server.access("x", port=port)]
    with pytest.raises(UnreachableError):
        dumping.dump()
    with connect(dumping.database) as connection:
        assert not is_leased(connection)


# Before anything starts.


def test_a_server_that_no_program_fits_is_refused_before_the_dump() -> None:
    with pytest.raises(PreflightError, match=r"must not be older than the server; found .*18"):
        tools_for(990000)
    with pytest.raises(PreflightError, match="older than 14"):
        tools_for(130010)
    with pytest.raises(PreflightError, match="no pg_dump at all"):
        tools_for(180000, (Path("/nonexistent"),))


def test_the_nearest_programs_that_are_not_older_are_taken() -> None:
    assert tools_for(180000).major == 18
    assert 14 <= tools_for(140005).major <= 18


@pytest.mark.parametrize("recipients", [[], ["age1nonsense"]])
def test_without_a_sound_recipient_nothing_begins(dumping: Dumper, recipients: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="recipients"):
        dump_database(
            dumping.database, shop="s", name="d", stores=dumping.stores, recipients=recipients,
            signing_key=dumping.key, progress=print,
        )  # fmt: skip
    assert_nothing_is_left(dumping)


def test_a_wrong_password_is_said_without_showing_it(dumping: Dumper, postgres_server: Postgres, shop: str) -> None:
    dumping.database = postgres_server.access(shop, password="not-the-password")
    with pytest.raises(ConfigurationError, match="password authentication failed") as raised:
        dumping.dump()
    assert "not-the-password" not in str(raised.value)
    assert_nothing_is_left(dumping)
