"""One target for all tests that do not stop it, and one real shop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.load.target import Target, running_target
from tests.shop.programs import Program, backend_environment, make_shop, running
from tests.shop.server import create_database, running_postgres


@pytest.fixture(scope="session")
def target() -> Iterator[Target]:
    with running_target() as found:
        yield found


@pytest.fixture(scope="module")
def front_door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    """The shop as people meet it: database, backend and front door."""
    folder: Path = tmp_path_factory.mktemp("load-shop")
    with running_postgres() as postgres:
        database = create_database(postgres, "shop", folder)
        make_shop(database, folder / "media", orders=200)
        with running("shop.backend", backend_environment(database, folder / "media"), folder, "/readyz") as backend:
            environment = {"BACKEND": backend.url.removeprefix("http://"), "VERSION": "1.2.3", "COLOUR": "blue"}
            with running("shop.frontend", environment, folder, "/readyz") as frontend:
                yield frontend
