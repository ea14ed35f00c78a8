"""One PostgreSQL, one seeded shop, one backend and one front door for all tests that do not break them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import httpx
import pytest

from tests.shop.programs import Program, backend_environment, make_shop, running
from tests.shop.server import Postgres, ShopDatabase, create_database, running_postgres

_numbers = count(1)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shop")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def media(folder: Path) -> Path:
    return folder / "media"


@pytest.fixture(scope="session")
def database(postgres: Postgres, folder: Path, media: Path) -> ShopDatabase:
    made = create_database(postgres, "shop", folder)
    make_shop(made, media)
    return made


@pytest.fixture
def empty_database(postgres: Postgres, folder: Path) -> ShopDatabase:
    return create_database(postgres, f"empty{next(_numbers)}", folder)


@pytest.fixture(scope="session")
def backend(database: ShopDatabase, folder: Path, media: Path) -> Iterator[Program]:
    with running("shop.backend", backend_environment(database, media), folder, "/readyz") as program:
        yield program


@pytest.fixture(scope="session")
def frontend(backend: Program, folder: Path) -> Iterator[Program]:
    address = backend.url.removeprefix("http://")
    environment = {"BACKEND": address, "VERSION": "1.2.3", "COLOUR": "blue", "INSTANCE": "frontend-1"}
    with running("shop.frontend", environment, folder, "/readyz") as program:
        yield program


@pytest.fixture
def visitor(backend: Program) -> Iterator[httpx.Client]:
    """Somebody without a session."""
    with httpx.Client(base_url=backend.url, timeout=20) as client:
        yield client


@pytest.fixture(scope="session")
def sign_up() -> Callable[[str], httpx.Client]:
    """Makes a new customer at a base URL; the client holds the session. Its user closes it."""

    def make(url: str) -> httpx.Client:
        person = {"email": f"person{next(_numbers)}@example.org", "password": "correct horse", "name": "Person"}
        answer = httpx.post(url + "/api/signup", json=person, timeout=20)
        assert answer.status_code == 201, answer.text
        return httpx.Client(base_url=url, timeout=20, cookies={"session": answer.json()["token"]})

    return make


@pytest.fixture
def customer(backend: Program, sign_up: Callable[[str], httpx.Client]) -> Iterator[httpx.Client]:
    """A signed-in customer with an empty cart."""
    with sign_up(backend.url) as client:
        yield client
