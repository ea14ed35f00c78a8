"""A restore that stays: into an empty database only, compared there, and said so where it is not what was taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from ecom_platform.backup.verification import restore_to_database
from ecom_platform.clients import sql
from ecom_platform.errors import CommandFailed, ProofFailed, RefusedError
from ecom_platform.verdicts import Outcome
from tests.backup.restoring import Snapshot, copies, read_fingerprint, taken
from tests.backup.servers import Postgres


@pytest.fixture(scope="module")
def shop(postgres_server: Postgres) -> Snapshot:
    return taken(postgres_server, "for_good_shop")


def test_a_restore_for_good_fills_an_empty_database_and_compares_it(
    postgres_server: Postgres, shop: Snapshot, tmp_path: Path
) -> None:
    target = postgres_server.create("proof_target")
    verification = restore_to_database(shop.fingerprint, copies(shop.archives), target, folder=tmp_path)
    assert verification.outcome is Outcome.PASSED
    assert read_fingerprint(target).tables == read_fingerprint(shop.access).tables
    assert list(tmp_path.iterdir()) == []
    with sql.connect(target) as connection:
        persistence = sql.fetch(connection, "SELECT DISTINCT relpersistence::text FROM pg_class WHERE oid >= 16384")
    assert persistence == [("p",)]


@pytest.mark.parametrize(
    "script", ["CREATE TABLE t ()", "CREATE SCHEMA s", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'"]
)
def test_a_database_that_holds_anything_is_not_restored_into(
    postgres_server: Postgres, shop: Snapshot, tmp_path: Path, script: str
) -> None:
    target = postgres_server.create("proof_target_full", script)
    before = read_fingerprint(target)
    with pytest.raises(RefusedError, match="not empty"):
        restore_to_database(shop.fingerprint, copies(shop.archives), target, folder=tmp_path)
    assert read_fingerprint(target).objects == before.objects


def test_a_database_of_another_encoding_is_not_restored_into(
    postgres_server: Postgres, shop: Snapshot, tmp_path: Path
) -> None:
    with postgres_server.connect() as connection:
        connection.execute(b"DROP DATABASE IF EXISTS proof_latin")
        connection.execute(b"CREATE DATABASE proof_latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    with pytest.raises(RefusedError, match="LATIN1"):
        restore_to_database(
            shop.fingerprint, copies(shop.archives), postgres_server.access("proof_latin"), folder=tmp_path
        )


def test_a_restore_for_good_of_something_else_or_of_half_says_so(
    postgres_server: Postgres, shop: Snapshot, tmp_path: Path
) -> None:
    changed = {**shop.fingerprint, "sequences": {}}
    with pytest.raises(ProofFailed, match="sequence"):
        restore_to_database(changed, copies(shop.archives), postgres_server.create("proof_other"), folder=tmp_path)
    half = {**shop.archives, "largest": shop.archives["largest"][:9000]}
    with pytest.raises(CommandFailed, match="holds part of the snapshot"):
        restore_to_database(shop.fingerprint, copies(half), postgres_server.create("proof_half"), folder=tmp_path)
