"""The local platform's life: up, down, reset, and what a crash or an obstacle does to them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from ecom_platform.clients.processes import port_is_free
from ecom_platform.clients.sql import connect
from ecom_platform.clients.web import session
from ecom_platform.errors import BusyError, ConfigurationError, PreflightError, RefusedError
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.platforms.local.locks import held
from ecom_platform.spec import Shop
from tests.platforms.conftest import contract_shop, state_folder
from tests.waiting import wait_until


def small_shop() -> Shop:
    """The contract's shop without its object server, which takes half of the time to come up."""
    return contract_shop("life").model_copy(update={"stores": {"near": contract_shop().stores["near"]}})


@pytest.fixture
def down() -> Iterator[LocalPlatform]:
    """A platform that was never up."""
    with state_folder() as folder:
        platform = LocalPlatform(small_shop(), folder / "state")
        try:
            yield platform
        finally:
            platform.down()
        assert remains(platform) == []


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


def remains(platform: LocalPlatform) -> list[str]:
    """Processes that name the state folder in their arguments, environment or working folder."""
    mark, found = str(platform.layout.state), []
    for process in psutil.process_iter():
        try:
            text = f"{process.cmdline()} {process.cwd()} {process.environ()}"
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
        if mark in text and process.pid != os.getpid():
            found.append(f"{process.pid} {process.cmdline()}")
    return found


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
    assert {each.state for each in shared.status()} == {"RUNNING"}


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


def test_what_is_down_says_so(down: LocalPlatform) -> None:
    with pytest.raises(PreflightError, match="ecom up"):
        down.deploy(down.shop.service("web"), "blue")
    with pytest.raises(PreflightError, match="ecom up"):
        down.database(down.shop.databases[0], "app")


@pytest.mark.parametrize("moment", ["postgres starting", "switch starting", "postgres ready"])
def test_up_that_was_killed_half_way_is_finished_by_the_next(down: LocalPlatform, moment: str) -> None:
    code = f"""
import os, signal, sys
from pathlib import Path
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.spec import Shop
def progress(name, what):
    if f"{{name}} {{what}}".startswith({moment!r}):
        os.kill(os.getpid(), signal.SIGKILL)
LocalPlatform(Shop.model_validate_json(sys.argv[1]), Path(sys.argv[2])).up(progress)
"""
    content = {
        "shop": "life",
        "encryption": {"managed": True},
        "services": [
            {"name": "web", "command": down.shop.service("web").command, "front_door": True},
        ],
        "databases": [{"name": "shop-data", "managed": True}],
        "stores": {"near": {"url": "file:backups"}},
    }
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(content), str(down.layout.state)], check=False, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
    down.up()
    assert {each.state for each in down.status()} <= {"STARTING", "RUNNING"}
    with connect(down.database(down.shop.databases[0], "app")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_cluster_that_was_half_made_is_made_anew(down: LocalPlatform) -> None:
    down.layout.make()
    fresh = down.layout.postgres / "data.new"
    fresh.mkdir(parents=True)
    (fresh / "PG_VERSION").write_text("18\n")
    down.up()
    with connect(down.database(down.shop.databases[0], "app")) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_the_second_of_two_waits_for_the_first_and_is_told_for_whom(down: LocalPlatform) -> None:
    told: list[str] = []
    first = threading.Thread(target=down.up)
    first.start()
    lock = down.layout.locks / "platform"
    wait_until(lambda: lock.exists() and lock.read_text(), seconds=10, what="the first has the lock")
    LocalPlatform(down.shop, down.layout.state).up(lambda name, what: told.append(f"{name} {what}"))
    first.join()
    assert any(each.startswith("wait `ecom up` (process ") for each in told)
    assert not any("starting" in each for each in told)


def test_who_waits_too_long_for_another_is_told_who_that_is(
    down: LocalPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecom_platform.platforms.local.lifecycle.WAIT_SECONDS", 0.2)
    down.layout.make()
    with held(down.layout.locks / "platform", "`ecom reset`", seconds=1), pytest.raises(BusyError, match="ecom reset"):
        down.up()


def test_a_taken_port_is_named_with_who_has_it_and_nothing_runs(down: LocalPlatform) -> None:
    down.up()
    down.down()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", down.ports.of("postgres")))
        other.listen()
        with pytest.raises(PreflightError, match=rf"port {down.ports.of('postgres')}.*process {os.getpid()}"):
            down.up()
    assert remains(down) == []


def test_a_part_that_does_not_start_is_named_with_its_last_words_and_nothing_runs(down: LocalPlatform) -> None:
    down.up()
    down.down()
    (down.postgres.data / "PG_VERSION").write_text("12\n")
    with pytest.raises(PreflightError, match=r"(?s)start postgres.*incompatible"):
        down.up()
    assert remains(down) == []


def test_a_service_that_does_not_start_any_more_does_not_keep_the_platform_down(down: LocalPlatform) -> None:
    down.up()
    service = down.shop.service("web")
    (instance,) = down.deploy(service, "blue")
    down.down()
    definition = down.layout.parts / f"{instance.name}.json"
    definition.write_text(definition.read_text().replace("service.py", "gone.py"))
    with pytest.raises(PreflightError, match=f"(?s)start {instance.name}.*gone.py"):
        down.up()
    states = {each.name: each.state for each in down.status()}
    assert states["postgres"] == "RUNNING"
    assert states[instance.name] == "STOPPED"


def test_a_state_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PreflightError, match=r"(?s)Not a directory.*ECOM_STATE"):
        LocalPlatform(small_shop(), tmp_path / "file" / "state").up()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_state_folder_that_may_not_be_written_is_one_clear_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PreflightError, match="Permission denied"):
        LocalPlatform(small_shop(), tmp_path / "state").up()


def test_reset_removes_everything_and_no_folder_that_is_not_its_own(down: LocalPlatform) -> None:
    down.up()
    assert any("databases" in each for each in down.losses())
    down.reset()
    assert not down.layout.state.exists()
    assert remains(down) == []
    down.layout.state.mkdir()
    (down.layout.state / "diary").write_text("mine")
    with pytest.raises(RefusedError, match="not the state"):
        down.reset()
    assert (down.layout.state / "diary").exists()


def test_a_deep_state_folder_keeps_its_sockets_elsewhere(down: LocalPlatform) -> None:
    deep = LocalPlatform(down.shop, down.layout.state / ("d" * 90) / "state")
    assert not deep.layout.sockets.is_relative_to(deep.layout.state)
    try:
        deep.up()
    finally:
        deep.reset()
    assert not deep.layout.sockets.exists()


def test_errors_of_the_platform_end_the_command_with_2(down: LocalPlatform, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = subprocess.run(
        [Path(sys.executable).with_name("ecom"), "up"],
        check=False,
        env={**os.environ, "ECOM_STATE": str(tmp_path / "file")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert issubclass(PreflightError, ConfigurationError)
