"""Servers that all backup tests of a session share: each test makes a database or a prefix of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from ecom_platform.clients import sql
from ecom_platform.clients.objects import open_store
from ecom_platform.platforms.protocol import StoreAccess
from tests.backup.disks import mounted
from tests.backup.servers import ObjectServer, Postgres, object_server, postgres
from tests.backup.snapshots import Taker, signing_key

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[ObjectServer]:
    with object_server() as server:
        yield server


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB; only root may mount one."""
    with mounted(tmp_path, megabytes=8) as folder:
        yield folder


@pytest.fixture(params=["folder", "bucket"])
def taker(request: pytest.FixtureRequest, tmp_path: Path) -> Taker:
    """Takes snapshots into a store of each kind."""
    if request.param == "folder":
        return Taker((open_store(StoreAccess("local", f"file://{tmp_path}/store")),), signing_key())
    server: ObjectServer = request.getfixturevalue("s3_server")
    return Taker((open_store(server.access(f"catalogue/{tmp_path.name}")),), signing_key())


@pytest.fixture
def local(tmp_path: Path) -> Taker:
    """Takes snapshots into a folder."""
    return Taker((open_store(StoreAccess("local", f"file://{tmp_path}/store")),), signing_key())


@pytest.fixture
def folder(local: Taker) -> Path:
    """Where those lie, for who damages them."""
    return Path(local.stores[0].where.removeprefix("file://"))


@pytest.fixture(scope="session")
def types_database(postgres_server: Postgres) -> Iterator[Connection]:
    access = postgres_server.create(
        "types",
        "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TYPE pair AS (a int, b text);",
    )
    with sql.connect(access) as connection:
        yield connection


@pytest.fixture
def scratch(types_database: Connection) -> Iterator[Connection]:
    """A transaction that is rolled back, in a database with types of its own."""
    with types_database.transaction(force_rollback=True):
        yield types_database
