"""One shop's database, folder, configuration and set in two stores, taken once for the module that asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.backup.servers import ObjectServer, Postgres
from tests.backup.sources.trees import Keeper, fill
from tests.backup.sources.world import World, make_world


@pytest.fixture(scope="module")
def world(
    postgres_server: Postgres, s3_server: ObjectServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    place: Path = tmp_path_factory.mktemp("world")
    return (yield make_world(postgres_server, s3_server, place))


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    """Takes and proves folders, in a store of its own."""
    return Keeper(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one entry of every kind."""
    return fill(tmp_path / "media")
