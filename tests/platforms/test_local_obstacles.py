"""What keeps the local platform from coming up is one clear error, and leaves nothing half begun."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecom_platform.errors import BusyError, PreflightError, RefusedError
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.platforms.local.locks import held
from tests.platforms.conftest import remains, small_shop, state_folder
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def once_up() -> Iterator[LocalPlatform]:
    """A small platform whose cluster is made; each test finds it down, and leaves it as it may be."""
    with state_folder() as folder:
        platform = LocalPlatform(small_shop(), folder / "state")
        try:
            platform.up()
            yield platform
        finally:
            platform.down()


@pytest.fixture
def ready(once_up: LocalPlatform) -> LocalPlatform:
    """A platform that was up before, and is down."""
    once_up.down()
    assert remains(once_up) == []
    return once_up


def test_what_is_down_says_so(down: LocalPlatform) -> None:
    with pytest.raises(PreflightError, match="ecom up"):
        down.deploy(down.shop.service("web"), "blue")
    with pytest.raises(PreflightError, match="ecom up"):
        down.database(down.shop.databases[0], "app")


def test_the_second_of_two_waits_for_the_first_and_is_told_for_whom(ready: LocalPlatform) -> None:
    told: list[str] = []
    first = threading.Thread(target=ready.up)
    first.start()
    lock = ready.layout.locks / "platform"
    wait_until(lambda: lock.exists() and lock.read_text(), seconds=10, what="the first has the lock")
    LocalPlatform(ready.shop, ready.layout.state).up(lambda name, what: told.append(f"{name} {what}"))
    first.join()
    assert any(each.startswith("wait `ecom up` (process ") for each in told)
    assert not any("starting" in each for each in told)


def test_who_waits_too_long_for_another_is_told_who_that_is(
    ready: LocalPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecom_platform.platforms.local.lifecycle.WAIT_SECONDS", 0.2)
    ready.layout.make()
    with held(ready.layout.locks / "platform", "`ecom reset`", seconds=1), pytest.raises(BusyError, match="ecom reset"):
        ready.up()


def test_a_taken_port_is_named_with_who_has_it_and_nothing_runs(ready: LocalPlatform) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", ready.ports.of("postgres")))
        other.listen()
        with pytest.raises(PreflightError, match=rf"port {ready.ports.of('postgres')}.*process {os.getpid()}"):
            ready.up()
    assert remains(ready) == []


def test_a_part_that_does_not_start_is_named_with_its_last_words_and_nothing_runs(ready: LocalPlatform) -> None:
    version = ready.postgres.data / "PG_VERSION"
    version.write_text("12\n")
    with pytest.raises(PreflightError, match=r"(?s)start postgres.*incompatible"):
        ready.up()
    version.write_text("18\n")
    assert remains(ready) == []


def test_a_service_that_does_not_start_any_more_does_not_keep_the_platform_down(ready: LocalPlatform) -> None:
    ready.up()
    service = ready.shop.service("web")
    (instance,) = ready.deploy(service, "blue")
    ready.down()
    definition = ready.layout.parts / f"{instance.name}.json"
    definition.write_text(definition.read_text().replace("service.py", "gone.py"))
    with pytest.raises(PreflightError, match=f"(?s)start {instance.name}.*gone.py"):
        ready.up()
    states = {each.name: each.state for each in ready.status()}
    assert states["postgres"] in ("STARTING", "RUNNING")
    assert states[instance.name] == "STOPPED"
    (mended,) = ready.deploy(service, "blue")
    assert mended == instance


def test_a_state_folder_that_cannot_be_made_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PreflightError, match=r"(?s)Not a directory.*ECOM_STATE"):
        LocalPlatform(small_shop(), tmp_path / "file" / "state").up()


def test_a_disk_without_room_is_one_clear_error_before_anything_begins(
    down: LocalPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecom_platform.platforms.local.layout.LEAST_FREE_BYTES", 1 << 60)
    with pytest.raises(PreflightError, match=r"(?s)MB are free on its disk.*ECOM_STATE"):
        down.up()
    assert not down.postgres.data.exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_state_folder_that_may_not_be_written_is_one_clear_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PreflightError, match="Permission denied"):
        LocalPlatform(small_shop(), tmp_path / "state").up()


def test_errors_of_the_platform_end_the_command_with_2(tmp_path: Path) -> None:
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


def test_reset_removes_everything_and_sockets_that_lie_elsewhere(down: LocalPlatform) -> None:
    deep = LocalPlatform(down.shop, down.layout.state / ("d" * 90) / "state")
    assert not deep.layout.sockets.is_relative_to(deep.layout.state)
    deep.up()
    assert any("databases" in each for each in deep.losses())
    deep.reset()
    assert not deep.layout.state.exists()
    assert not deep.layout.sockets.exists()
    assert deep.losses() == []


def test_reset_does_not_remove_a_folder_that_is_not_its_own(down: LocalPlatform) -> None:
    down.layout.state.mkdir()
    (down.layout.state / "diary").write_text("mine")
    with pytest.raises(RefusedError, match="not the state"):
        down.reset()
    assert (down.layout.state / "diary").exists()
