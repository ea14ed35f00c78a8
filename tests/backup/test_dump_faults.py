"""What breaks in the middle of a dump, or comes in its way, leaves nothing that looks like a backup."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pytest

from ecom_platform.backup import dump_plan, postgres_tools
from ecom_platform.backup.dump import Options, dump_database
from ecom_platform.backup.lease import is_leased
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
from tests.backup.servers import ObjectServer, Postgres, wait_until


@pytest.fixture(scope="module")
def shop(postgres_server: Postgres) -> str:
    postgres_server.create("dump_faults", CONTENT)
    return "dump_faults"


@pytest.fixture
def dumping(postgres_server: Postgres, s3_server: ObjectServer, tmp_path: Path, shop: str) -> Dumper:
    return dumper(postgres_server, s3_server, tmp_path, postgres_server.access(shop))


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small table gets an archive of its own too."""
    monkeypatch.setattr(dump_plan, "LANE_BYTES", 1 << 20)


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
                    b"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'dump_faults'"
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


def test_programs_that_are_older_than_the_server_are_refused_before_anything_is_written(
    dumping: Dumper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("pg_dump", "pg_dumpall", "pg_restore"):
        (programs / name).write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) 15.18'\n")
        (programs / name).chmod(0o755)
    monkeypatch.setattr(postgres_tools, "_folders", lambda: (programs,))
    with pytest.raises(PreflightError, match=r"must not be older than the server; found 15\.18") as raised:
        dumping.dump()
    assert "Install postgresql-client-18" in raised.value.next_step
    assert_nothing_is_left(dumping)


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
