"""The platforms on which the contract is tested. Another one joins by a name in PLATFORMS and its maker."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.platforms.protocol import Platform
from ecom_platform.spec import Probes, Service, Shop

SERVICE = str(Path(__file__).with_name("service.py"))


@dataclass(frozen=True)
class Place:
    """A platform that is up, and its shop."""

    platform: Platform
    shop: Shop

    def service(self, name: str = "web", *, start_seconds: float = 20, **changes: object) -> Service:
        """The shop's service of that name; changes: of its fields, SETTING and MODE of its environment."""
        service = self.shop.service(name)
        own = {key: str(changes.pop(key)) for key in ("SETTING", "MODE") if key in changes}
        probes = Probes(start_timeout=timedelta(seconds=start_seconds))
        return service.model_copy(
            update={"environment": {**service.environment, **own}, "probes": probes, **changes},
        )


def contract_shop(name: str = "contract") -> Shop:
    """Two services of which one calls the other, a database, two stores."""
    command = [sys.executable, SERVICE]
    return Shop.model_validate(
        {
            "shop": name,
            "services": [
                {"name": "web", "command": command, "front_door": True, "environment": {"CALLS": {"service": "inner"}}},
                {
                    "name": "inner",
                    "command": command,
                    "environment": {
                        "SERVICE": "inner",
                        "DATABASE_URL_FILE": {"database": "shop-data", "role": "app"},
                        "FOLDER": {"folder": "media"},
                    },
                },
            ],
            "databases": [
                {
                    "name": "shop-data",
                    "managed": True,
                    "environment": {"DATABASE_URL_FILE": {"database": "shop-data", "role": "owner"}},
                }
            ],
            "folders": [{"name": "media"}],
            "stores": {"near": {"url": "file:backups"}, "far": {"managed": True}},
            "encryption": {"managed": True},
        }
    )


@contextmanager
def state_folder() -> Iterator[Path]:
    """A folder that is gone afterwards; short, because sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="ecom-") as folder:
        yield Path(folder)


@contextmanager
def local() -> Iterator[Place]:
    with state_folder() as folder:
        shop = contract_shop()
        platform = LocalPlatform(shop, folder / "state")
        try:
            platform.up()
            yield Place(platform, shop)
        finally:
            platform.down()


PLATFORMS: dict[str, Callable[[], AbstractContextManager[Place]]] = {"local": local}


@pytest.fixture(scope="package", params=sorted(PLATFORMS))
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    with PLATFORMS[request.param]() as found:
        yield found


def small_shop() -> Shop:
    """The contract's shop without its object server, which takes half of the time to come up."""
    return contract_shop("life").model_copy(update={"stores": {"near": contract_shop().stores["near"]}})


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
