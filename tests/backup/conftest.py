"""Servers that all backup tests of a session share: each test makes a database or a prefix of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.backup.servers import ObjectServer, Postgres, object_server, postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[ObjectServer]:
    with object_server() as server:
        yield server
