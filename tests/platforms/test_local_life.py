"""The local platform's life: up, down, and what a crash at any point does to them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest

from ecom_platform.clients.processes import find, port_is_free
from ecom_platform.clients.sql import connect
from ecom_platform.clients.web import session
from ecom_platform.errors import EcomError
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.platforms.local.postgres import role_name
from ecom_platform.settings import ROOT
from tests.platforms.conftest import contract_shop, remains, state_folder
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def shared() -> Iterator[LocalPlatform]:
    """A platform with one row in its database and a live service, for tests that mend what they break."""
    with state_folder() as folder:
        platform = LocalPlatform(contract_shop("life"), folder / "state")
        try:
            platform.up()
            with connect(platform.database(platform.shop.databases[0], "owner")) as connection:
                connection.execute("CREATE TABLE things AS SELECT 1 AS id")
            platform.deploy(platform.shop.service("web"), "blue")
            platform.switch(platform.shop.service("web"), "blue")
            yield platform
        finally:
            platform.down()
        assert remains(platform) == []


def processes(platform: LocalPlatform) -> dict[str, int | None]:
    return {each.name: each.pid for each in platform.status()}


def works(platform: LocalPlatform) -> bool:
    """The service answers at the active address, the database has its row."""
    with session(platform.address(platform.shop.service("web"), "active")) as shop:
        answers = shop.get("/version").status == 200
    with connect(platform.database(platform.shop.databases[0], "app")) as connection:
        row = connection.execute("SELECT count(*) FROM pg_tables WHERE tablename = 'things'").fetchone()
    return answers and row == (1,)


def test_up_again_begins_nothing_anew(shared: LocalPlatform) -> None:
    before = processes(shared)
    shared.up()
    assert processes(shared) == before
    assert all(each.alive for each in shared.status())


@pytest.mark.parametrize("name", ["postgres", "s3", "switch", "service"])
def test_a_killed_part_comes_back_and_up_waits_for_it(shared: LocalPlatform, name: str) -> None:
    part = next(each for each in shared.status() if each.name == name or (name == "service" and "web" in each.name))
    assert part.pid is not None
    os.kill(part.pid, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(part.pid or 0), seconds=10, what="it is dead")
    shared.up()
    assert processes(shared)[part.name] not in (None, part.pid)
    assert works(shared)


def test_a_stopped_part_that_does_not_answer_is_begun_anew(
    shared: LocalPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecom_platform.platforms.local.parts.PATIENCE_SECONDS", 0.5)
    name = next(each for each in processes(shared) if each.startswith("web"))
    number = processes(shared)[name]
    assert number is not None
    os.kill(number, signal.SIGSTOP)
    shared.up()
    assert processes(shared)[name] != number
    assert works(shared)


def test_after_the_supervisor_was_killed_up_leaves_one_copy_of_each_part(shared: LocalPlatform) -> None:
    number = shared.parts.supervisor.pid()
    assert number is not None
    orphans = [each.pid for each in psutil.Process(number).children(recursive=True)]
    os.kill(number, signal.SIGKILL)
    wait_until(lambda: not shared.parts.running(), seconds=10, what="the supervisor is dead")
    assert any(psutil.pid_exists(each) for each in orphans)
    shared.up()
    assert works(shared)
    assert not any(psutil.pid_exists(each) for each in orphans)


def test_a_supervisor_that_hangs_is_ended_and_begun_anew(
    shared: LocalPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecom_platform.clients.supervisor.ANSWER_SECONDS", 0.5)
    number = shared.parts.supervisor.pid()
    assert number is not None
    os.kill(number, signal.SIGSTOP)
    shared.up()
    assert not psutil.pid_exists(number) or psutil.Process(number).status() == psutil.STATUS_ZOMBIE
    assert works(shared)


def test_after_everything_was_killed_up_brings_everything_back(shared: LocalPlatform) -> None:
    number = shared.parts.supervisor.pid()
    assert number is not None
    for each in [psutil.Process(number), *psutil.Process(number).children(recursive=True)]:
        each.kill()
    wait_until(lambda: not shared.parts.running(), seconds=10, what="the supervisor is dead")
    shared.up()
    assert works(shared)


def test_down_leaves_nothing_and_up_brings_back_what_ran(shared: LocalPlatform) -> None:
    live = shared.instances(shared.shop.service("web"), "blue")
    shared.down()
    assert remains(shared) == []
    assert all(port_is_free(port) for port in shared.ports.known().values())
    assert not any(shared.layout.sockets.iterdir())
    assert shared.webserver() is None
    shared.up()
    assert shared.instances(shared.shop.service("web"), "blue") == live
    assert works(shared)


UP_UNTIL = """
import os, signal, sys
from pathlib import Path
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.platforms.local.postgres import role_name
from tests.platforms.conftest import small_shop

def progress(name, what):
    if f"{name} {what}".startswith(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

LocalPlatform(small_shop(), Path(sys.argv[1])).up(progress)
"""


@pytest.mark.parametrize("moment", ["postgres starting", "switch starting", "postgres ready"])
def test_up_that_was_killed_half_way_is_finished_by_the_next(down: LocalPlatform, moment: str) -> None:
    half_made = down.layout.postgres / "data.new"
    half_made.mkdir(parents=True)
    (half_made / "PG_VERSION").write_text("18\n")
    done = subprocess.run(
        [sys.executable, "-c", UP_UNTIL, str(down.layout.state), moment], cwd=ROOT, check=False, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
    down.up()
    assert {each.state for each in down.status()} <= {"STARTING", "RUNNING"}
    with connect(down.database(down.shop.databases[0], "app")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_what_makes_the_databases_files_outlives_a_killed_up_and_not_a_reset(down: LocalPlatform) -> None:
    def makers() -> bool:
        return bool(find(lambda each: each.name() == "initdb" and str(down.layout.state) in each.cwd()))

    argv = [sys.executable, "-c", UP_UNTIL, str(down.layout.state), "never"]
    with subprocess.Popen(argv, cwd=ROOT) as up:
        wait_until(makers, seconds=60, what="the database's files are being made", every=0.01)
        up.kill()
    down.reset()
    assert not down.layout.state.exists()
    assert remains(down) == []


def test_a_password_that_was_removed_is_made_anew_and_the_old_one_opens_nothing_after_the_next_start(
    shared: LocalPlatform,
) -> None:
    database = shared.shop.databases[0]
    old = shared.database(database, "app")
    (shared.layout.secrets / f"postgres-{role_name(database, 'app')}").unlink()
    shared.down()
    shared.up()
    assert works(shared)
    assert shared.database(database, "app").password != old.password
    with pytest.raises(EcomError), connect(replace(old, url=shared.database(database, "app").url), timeout=5):
        pass
