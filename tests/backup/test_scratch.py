"""Throw-away servers are gone afterwards, whatever happened, and never take what is not theirs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from ecom_platform.backup import scratch
from ecom_platform.backup.restore import INDEX_JOBS
from ecom_platform.backup.scratch import (
    create_database,
    loopback,
    machine_settings,
    scratch_database,
    scratch_server,
    space_for,
    sweep,
    sweep_databases,
)
from ecom_platform.clients import memory, sql
from ecom_platform.errors import PreflightError
from tests.backup.restoring import open_folder
from tests.backup.servers import Postgres, wait_until


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as place:
        yield place


def left_in(folder: Path) -> list[str]:
    """What is there besides the sweep's own lock."""
    return sorted(each.name for each in folder.iterdir() if each.name != ".sweep")


def servers_below(folder: Path) -> list[int]:
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(folder):
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def test_a_scratch_server_answers_on_its_socket_and_on_loopback_and_is_gone_afterwards(folder: Path) -> None:
    with scratch_server(folder) as server:
        for access in (server.admin, loopback(server.admin)):
            with sql.connect(access) as connection:
                assert sql.fetch(connection, "SHOW fsync") == [("off",)]
        (place,) = folder.glob("ecom_scratch_*")
        assert place.stat().st_mode & 0o077 == 0
        assert servers_below(folder) != []
    assert left_in(folder) == []
    assert servers_below(folder) == []


def test_a_scratch_server_takes_no_one_without_its_password(folder: Path) -> None:
    with scratch_server(folder) as server:
        for access in (server.admin, loopback(server.admin)):
            with pytest.raises(psycopg.OperationalError, match="password"):
                psycopg.connect(access.url, password="guessed", connect_timeout=5)
        assert server.admin.password not in repr(server)


def test_a_scratch_server_is_gone_when_its_block_raises(folder: Path) -> None:
    with pytest.raises(KeyboardInterrupt), scratch_server(folder):
        raise KeyboardInterrupt
    assert left_in(folder) == []
    assert servers_below(folder) == []


@pytest.mark.parametrize("length", [95, 140])
def test_a_folder_with_a_long_path_gets_a_server_without_a_socket(folder: Path, length: int) -> None:
    """95: the folder's own path would fit, and that of the socket in it does not."""
    deep = folder / ("d" * (length - len(f"{folder.resolve()}//ecom_scratch_01234567")))
    with scratch_server(deep) as server, sql.connect(server.admin) as connection:
        assert sql.fetch(connection, "SELECT host(inet_server_addr())") == [("127.0.0.1",)]


def test_a_server_takes_what_there_is_to_spare_and_no_more_than_helps() -> None:
    gigabyte = 2**30
    assert machine_settings(0, 2) == machine_settings(2 * gigabyte, 2)
    least, middle, most = (machine_settings(each * gigabyte, 2) for each in (2, 8, 900))
    assert [each["shared_buffers"] for each in (least, middle, most)] == ["128MB", "512MB", "2048MB"]


def test_an_index_gets_workers_only_of_cores_that_no_other_index_needs() -> None:
    workers = [machine_settings(0, each)["max_parallel_maintenance_workers"] for each in (1, 2, INDEX_JOBS)]
    assert workers == ["0", "0", "0"]
    assert machine_settings(0, 3 * INDEX_JOBS)["max_parallel_maintenance_workers"] == "2"


def test_a_server_is_started_with_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scratch, "usable_bytes", lambda: 6 * 2**30)
    with scratch_server(folder) as server, sql.connect(server.admin) as connection:
        assert sql.fetch(connection, "SELECT current_setting('shared_buffers')") == [("384MB",)]


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"memory.max": "2147483648"}, [2147483648]),  # a container
        ("0::/\n", {"memory.max": "max"}, []),
        (
            "0::/a.slice/b\n",
            {"a.slice/memory.max": "3000", "a.slice/b/memory.max": "4000", "memory.max": "max"},
            [4000, 3000],
        ),
        (
            "4:cpu,memory:/pods/x\n1:name=systemd:/\n",
            {"memory/memory.limit_in_bytes": "9000", "memory/pods/x/memory.limit_in_bytes": "5000"},
            [5000, 9000],
        ),
        ("4:memory:/pods/x\n", {"memory/memory.limit_in_bytes": "5000"}, [5000]),  # a container with version 1
        ("", {}, []),
    ],
)
def test_the_limits_of_all_control_groups_above_count(
    tmp_path: Path, own: str, files: dict[str, str], expected: list[int]
) -> None:
    for name, content in files.items():
        place = tmp_path / "groups" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{content}\n")
    (tmp_path / "own").write_text(own)
    assert memory.limits(tmp_path / "groups", tmp_path / "own") == expected
    assert memory.limits(tmp_path / "nowhere", tmp_path / "nothing") == []


def test_a_server_that_cannot_start_says_why_and_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(scratch._SETTINGS, "shared_buffers", "a lot")
    with pytest.raises(PreflightError, match="shared_buffers"), scratch_server(folder):
        pass
    assert left_in(folder) == []


def test_too_little_room_is_an_error_before_anything_starts(folder: Path) -> None:
    with pytest.raises(PreflightError, match="are needed"), scratch_server(folder, needed=1 << 60):
        pass
    assert left_in(folder) == []


def test_the_room_that_is_needed_grows_with_the_database() -> None:
    assert space_for(0, 0) < space_for(10**9, 0) < space_for(2 * 10**9, 0)
    assert space_for(0, 10**9) > 10**9


HOLDER = """
import sys
from pathlib import Path
from ecom_platform.backup.scratch import scratch_server
with scratch_server(Path(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_left_is_swept_and_what_is_in_use_stays(folder: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path.cwd()
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    with holder, holder.stdin, holder.stdout:
        assert holder.stdout.readline() == b"ready\n"
        assert sweep(folder) == ()
        assert servers_below(folder) != []
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait(10)
    wait_until(lambda: servers_below(folder) == [], seconds=20, what="the kernel ended the orphaned server")
    (name,) = left_in(folder)
    assert sweep(folder) == (name,)
    assert left_in(folder) == []
    assert sweep(folder) == ()


def test_a_leftover_server_that_still_runs_is_ended(folder: Path) -> None:
    """As on systems whose kernel does not end a server with its parent."""
    with scratch_server(folder) as server:
        copied = folder / "ecom_scratch_copied"
        copied.mkdir()
        (copied / "data").symlink_to(server.folder / "data")
        assert sweep(folder) == ("ecom_scratch_copied",)
        assert left_in(folder) == [server.folder.name]
        wait_until(
            lambda: psutil.pid_exists(os.getpid()) and not _accepts(server),
            seconds=20,
            what="the sweep ended the server",
        )


def _accepts(server: scratch.ScratchServer) -> bool:
    try:
        psycopg.connect(server.admin.url, password=server.admin.password, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def test_a_number_in_a_leftover_that_belongs_to_another_program_is_left_alone(folder: Path) -> None:
    data = folder / "ecom_scratch_old" / "data"
    data.mkdir(parents=True)
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n/somewhere\n")
    assert sweep(folder) == ("ecom_scratch_old",)


def test_other_things_in_the_folder_are_left_alone(folder: Path) -> None:
    (folder / "mine").mkdir()
    (folder / "ecom_scratch_note").write_text("a file")
    assert sweep(folder) == ()
    assert left_in(folder) == ["ecom_scratch_note", "mine"]


def test_databases_have_the_encoding_that_is_asked_for(postgres_server: Postgres) -> None:
    access = create_database(postgres_server.access(), "latin", encoding="LATIN1", collation="nowhere.LATIN1")
    with sql.connect(access) as connection:
        assert sql.fetch(connection, "SHOW server_encoding") == [("LATIN1",)]


def test_a_scratch_database_on_a_lent_server_is_dropped_and_leftovers_are_swept(postgres_server: Postgres) -> None:
    admin = postgres_server.access()
    create_database(admin, "ecom_scratch_left")
    with scratch_database(admin) as access:
        assert sweep_databases(admin) == ()
        with sql.connect(access) as connection:
            connection.execute("CREATE TABLE t ()")
        held = access.url.rpartition("/")[2]
    with sql.connect(admin) as connection:
        names = {name for (name,) in sql.fetch(connection, "SELECT datname FROM pg_database")}
    assert not names & {held, "ecom_scratch_left"}
