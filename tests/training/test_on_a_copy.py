"""Disaster recovery and security, each on a copy of a small shop, acted on as a learner does: by the verbs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import yaml
from click.testing import CliRunner, Result

from ecom_platform.cli.main import ecom
from ecom_platform.clients import limited_server, processes
from ecom_platform.clients.sql import connect
from ecom_platform.platforms.local.postgres import role_name
from ecom_platform.recovery.copies import Site
from ecom_platform.settings import EXAMPLE_SPEC, ROOT
from ecom_platform.spec import Shop
from ecom_platform.spec_file import read_spec, write_spec
from ecom_platform.training import security
from ecom_platform.training.copy import copy_site, database_of
from ecom_platform.verdicts import Outcome, worst
from tests.waiting import wait_until


@dataclass(frozen=True)
class Room:
    """A shop that never ran, with its trainings."""

    state: Path
    spec: Path

    @property
    def shop(self) -> Shop:
        return read_spec(self.spec)

    @property
    def scene(self) -> Path:
        return self.state / "ecommerce" / "training" / "disaster-recovery"

    def train(self, *arguments: str) -> Result:
        return CliRunner(env={"ECOM_STATE": str(self.state), "ECOM_SPEC": str(self.spec)}).invoke(
            ecom, ["train", *arguments]
        )

    def on_the_copy(self, *arguments: str) -> Result:
        """A verb of the platform, in the environment that the task tells."""
        told = self.train("disaster-recovery").output.split("export ", 1)[1].splitlines()[0]
        return CliRunner(env=dict(each.split("=", 1) for each in told.split())).invoke(ecom, list(arguments))


@pytest.fixture(scope="module")
def room() -> Iterator[Room]:
    shop = read_spec(EXAMPLE_SPEC)
    database = shop.databases[0]
    tasks = database.tasks.model_copy(update={"seed": ("python", "-m", "shop.seed", "--orders", "300")})
    small = shop.model_copy(update={"databases": (database.model_copy(update={"tasks": tasks}),)})
    with tempfile.TemporaryDirectory(prefix="ecom-training-") as name:
        Path(name).chmod(0o711)
        spec = Path(name) / "spec.yaml"
        spec.write_text(write_spec(small))
        room = Room(Path(name) / "state", spec)
        try:
            started = room.train("disaster-recovery", "start")
            assert started.exit_code == 0, (started.output, started.exception)
            yield room
        finally:
            assert room.train("disaster-recovery", "end").exit_code == 0


def test_a_lost_table_fails_until_the_right_snapshot_is_back(room: Room) -> None:
    assert room.train("disaster-recovery", "check").exit_code == 1

    told = room.on_the_copy("snapshots")
    assert told.exit_code == 0, told.output
    ids = sorted(_snapshots(room))
    assert len(ids) == 2

    wrong = room.on_the_copy("recover", "--database", "shop", "--snapshot", ids[-1])
    assert wrong.exit_code == 0, wrong.output
    assert room.train("disaster-recovery", "check").exit_code == 1, "the newest snapshot holds the damage"

    assert room.on_the_copy("recover", "--database", "shop").exit_code == 0
    checked = room.train("disaster-recovery", "check")
    assert checked.exit_code == 0, checked.output

    site = copy_site(room.shop, room.scene)
    site.platform.fence(database_of(site), closed=True)
    assert room.train("disaster-recovery", "check").exit_code == 1, "right, and closed to the shop"
    site.platform.fence(database_of(site), closed=False)


@pytest.fixture
def secure(room: Room) -> Iterator[Path]:
    """The scene of `security`, set by its verb."""
    started = room.train("security", "start")
    assert started.exit_code == 0, (started.output, started.exception)
    yield room.state / "ecommerce" / "training" / "security"
    ended = room.train("security", "end")
    assert ended.exit_code == 0, ended.exception


def test_every_planted_weakness_has_to_go_and_what_must_work_goes_on_working(room: Room, secure: Path) -> None:
    """By the verbs, from `start` to `end`; the learner's side is SQL, modes of files, and a file of settings."""
    site = copy_site(room.shop, secure)
    told = room.train("security").output
    assert str(secure / security.ADMIN) in told
    assert site.platform.postgres.superuser("shop").password not in told
    assert (secure / security.ADMIN).stat().st_mode & 0o777 == 0o600

    def failed() -> set[str]:
        checked = room.train("security", "check", "--json")
        found = json.loads(checked.output)
        assert checked.exit_code == {"passed": 0, "failed": 1, "inconclusive": 3}[found["outcome"]]
        return {each["claim"] for each in found["verdicts"] if each["outcome"] != "passed"}

    weak = failed()
    growing = len(database_of(site).growing)
    assert len(weak) == 4 + growing
    app, backup = (role_name(database_of(site), role) for role in ("app", "backup"))
    mendings = [
        (f"ALTER ROLE {app} NOCREATEDB", 1),
        (f"REVOKE CREATE ON SCHEMA public FROM {app}", 1),
        (f"REVOKE pg_write_all_data FROM {backup}", growing),
    ]
    for statement, fewer in mendings:
        _as_superuser(site, statement)
        assert len(failed()) == len(weak) - fewer, statement
        weak = failed()
    security._app_secret(site).chmod(0o600)
    assert failed() == {"no port of the copy is open beyond this machine"}
    settings = secure / security.PAGE
    wide = settings.read_text()
    settings.write_text(wide.replace("0.0.0.0", "127.0.0.1"))  # what was too wide
    wait_until(lambda: not failed(), seconds=30, what="the page listens on loopback alone", every=0.2)
    assert room.train("security", "check").exit_code == 0

    # Too much taken away is wrong too.
    _as_superuser(site, f"ALTER ROLE {app} NOLOGIN")
    assert "the app role reaches the database" in failed()
    _as_superuser(site, f"ALTER ROLE {app} LOGIN")
    limited_server.end(secure)
    assert "the status page answers on this machine" in failed()
    security._app_secret(site).unlink()
    assert failed() == {"every secret is there"}
    assert room.train("security", "end").exit_code == 0
    assert [each.name for each in secure.iterdir()] == ["lock"]
    assert security._listening(secure) == []


def test_nothing_to_look_at_is_inconclusive() -> None:
    assert security.judge_modes({}).outcome is Outcome.INCONCLUSIVE
    assert security.judge_modes({"one": 0o600, "other": 0o640}).seen == "other has mode 640"
    assert security.judge_ports([]).outcome is Outcome.INCONCLUSIVE
    assert security.judge_ports([("127.0.0.1", 1), ("::1", 1)]).outcome is Outcome.PASSED
    assert security.judge_ports([("127.0.0.1", 1), ("::", 2)]).seen == ":: port 2"
    assert security.judge_attributes("app", {}).outcome is Outcome.INCONCLUSIVE
    assert security.judge_attributes("app", dict.fromkeys(security.ATTRIBUTES, False)).outcome is Outcome.PASSED


def test_a_server_that_is_down_is_inconclusive_and_a_second_start_is_refused(room: Room) -> None:
    assert "set already" in str(room.train("disaster-recovery", "start").exception)
    site = copy_site(room.shop, room.scene)
    site.platform.down()
    try:
        assert room.train("disaster-recovery", "check").exit_code == 3
        assert worst(security.look(room.shop, room.scene, {"secrets": [], "page": 1})) is Outcome.INCONCLUSIVE
    finally:
        site.platform.up()


def test_a_start_that_was_killed_leaves_no_scene_and_end_removes_what_it_made(room: Room) -> None:
    folder = room.state / "ecommerce" / "training" / "security"
    environment = {**os.environ, "ECOM_STATE": str(room.state), "ECOM_SPEC": str(room.spec)}
    with subprocess.Popen([sys.executable, "-m", "ecom_platform.cli", "train", "security", "start"],
                          cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as start:  # fmt: skip
        wait_until(lambda: _servers(folder) or start.poll() is not None, seconds=120, what="the copy's server runs")
        start.kill()
    assert start.returncode == -signal.SIGKILL
    assert "its scene is not set" in str(room.train("security", "check").exception)
    ended = room.train("security", "end")
    assert ended.exit_code == 0, ended.exception
    assert _servers(folder) == []
    assert [each.name for each in folder.iterdir()] == ["lock"]


def _servers(folder: Path) -> list[psutil.Process]:
    """PostgreSQL's, the maker of its files among them: killed then, it tidies up while others remove."""
    names = ("initdb", "postgres")
    return processes.find(lambda each: each.name() in names and folder in Path(each.cwd()).parents)


def test_nothing_of_a_training_is_in_the_shops_own_history(room: Room) -> None:
    assert not (room.state / "ecommerce" / "dagster").exists()


def _snapshots(room: Room) -> list[str]:
    told = yaml.safe_load(room.on_the_copy("snapshots", "--json").output)
    return list({each["id"] for each in (told["snapshots"] if isinstance(told, dict) else told)})


def _as_superuser(site: Site, statement: str) -> None:
    with connect(site.platform.postgres.superuser(database_of(site).name)) as connection:
        connection.execute(statement.encode())


def test_the_list_and_the_end_need_no_scene(tmp_path: Path) -> None:
    room = Room(tmp_path, EXAMPLE_SPEC)
    listed = room.train()
    assert [line.split()[0] for line in listed.output.splitlines()] == [
        "security", "performance-testing", "disaster-recovery", "pipelines",
    ]  # fmt: skip
    for module in ("security", "performance-testing", "disaster-recovery", "pipelines"):
        assert room.train(module, "end").exit_code == 0
        assert "its scene is not set" in str(room.train(module, "check").exception)
    assert list((tmp_path / "ecommerce" / "training").iterdir()) == []
