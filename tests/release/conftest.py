"""A real small shop on the local platform, with a proved backup, for releases that are good, broken or killed."""

from __future__ import annotations

import itertools
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ecom_platform.backup import proof, snapshot
from ecom_platform.clients.web import session
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.platforms.protocol import Instance
from ecom_platform.release import operations, versions
from ecom_platform.release.operations import Operator
from ecom_platform.release.state import State, read_state
from ecom_platform.release.versions import Wanted
from ecom_platform.spec import Service, Shop
from ecom_platform.verdicts import Outcome
from tests.platforms.conftest import state_folder

HERE = Path(__file__).parent
SERVICE = [sys.executable, str(HERE / "service.py")]
MIGRATE = [sys.executable, str(HERE / "migrate.py")]


def small_shop(name: str = "releases") -> Shop:
    """One service, one database; limits that a busy machine holds and a broken version does not."""
    return Shop.model_validate(
        {
            "shop": name,
            "services": [
                {
                    "name": "web",
                    "command": SERVICE,
                    "front_door": True,
                    "environment": {"MODE": "ok"},
                    "probes": {"start_timeout": "20s"},
                    "endpoints": [{"path": "/", "contains": "home"}, {"path": "/no-such", "status": 404}],
                }
            ],
            "databases": [
                {
                    "name": "main",
                    "managed": True,
                    "environment": {"DATABASE_URL_FILE": {"database": "main", "role": "owner"}},
                    "tasks": {"expand": [*MIGRATE, "expand"], "contract": [*MIGRATE, "contract"]},
                }
            ],
            "stores": {"near": {"url": "file:backups"}},
            "encryption": {"managed": True},
            "thresholds": {"p95_ms": 1500, "error_rate": 0.05, "utilisation": 1.0, "requests_per_second": 50},
            "load": {"rate": 75, "minimum_requests": 200},
            "release": {"load": "3s", "scenario": "get", "dwell": "3s", "probes": 80, "allowed_slow_down": None},
        }
    )


@dataclass
class Place:
    """The shop, up, with 1.0.0 live and a proved backup. Every version that a test releases is a new one."""

    platform: LocalPlatform
    shop: Shop
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    said: list[str] = field(default_factory=list)

    @property
    def state(self) -> State:
        return read_state(self.platform)

    @property
    def active(self) -> str:
        return self.platform.address(self.shop.services[0], "active")

    def operator(self, who: str = "a test") -> Operator:
        return Operator(self.platform, self.shop, who, self.said.append)

    def next_version(self, mode: str = "ok", *, task: str = "expand", start: float = 20.0, **more: str) -> Wanted:
        """A version newer than all before; mode: of service.py."""
        service = self.shop.services[0]
        environment = {"MODE": mode, "ACTIVE": self.active.removeprefix("http://"), **more}
        changed = service.model_dump(mode="json") | {
            "version": f"1.{next(self.numbers)}.0",
            "environment": environment,
            "probes": {"start_timeout": f"{start}s"},
        }
        tasks = {"expand": [*MIGRATE, task], "contract": [*MIGRATE, "contract"]}
        database = self.shop.databases[0].model_dump(mode="json") | {"tasks": tasks}
        spec = self.shop.model_dump(mode="json", exclude={"services", "databases"}, by_alias=True)
        shop = Shop.model_validate({**spec, "services": [changed], "databases": [database]})
        return versions.wanted(shop)

    def live(self) -> dict[str, str]:
        """Who answers people."""
        with session(self.active) as client:
            said: dict[str, str] = client.get("/version").json()
        return said

    def running(self) -> dict[str, tuple[Instance, ...]]:
        service = self.shop.services[0]
        both = {"blue": self.platform.instances(service, "blue"), "green": self.platform.instances(service, "green")}
        return {colour: found for colour, found in both.items() if found}

    def assert_only_live(self, version: str) -> None:
        """People are answered by that version, the document says so, and no other instance is left."""
        said = self.live()
        assert said["version"] == version
        assert set(self.running()) == {said["colour"]}
        state = self.state
        assert state.live is not None
        assert state.live.definition.versions() == {"web": version}
        assert state.lease is None


def deployed(platform: LocalPlatform, shop: Shop, service: Service) -> None:
    platform.deploy(service, "blue")
    platform.switch(service, "blue")
    operations.note_deployed(platform, shop, service)


def backed_up(platform: LocalPlatform, shop: Shop) -> None:
    database = shop.databases[0]
    snapshot.take(platform, shop, database, progress=lambda _: None)
    findings, _ = proof.prove(platform, shop, database, snapshot="latest", store="", progress=lambda _: None)
    assert findings.overall is Outcome.PASSED, findings


@pytest.fixture(scope="package")
def place() -> Iterator[Place]:
    with state_folder() as folder:
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)  # PostgreSQL's own account passes
        shop = small_shop()
        platform = LocalPlatform(shop, folder / "state")
        try:
            platform.up()
            deployed(platform, shop, shop.services[0])
            backed_up(platform, shop)
            (folder / "shop.json").write_text(json.dumps(shop.model_dump(mode="json", by_alias=True)))
            yield Place(platform, shop)
        finally:
            platform.down()
