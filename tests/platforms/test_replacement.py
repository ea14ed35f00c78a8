"""What every platform does to put another database in the place of a damaged one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from ecom_platform.clients.sql import connect, fetch, user_of
from ecom_platform.errors import EcomError, MissingError, RefusedError
from ecom_platform.spec import Database, SecretReference
from tests.platforms.conftest import Place

if TYPE_CHECKING:
    from ecom_platform.clients.sql import Connection


@pytest.fixture
def database(place: Place) -> Iterator[Database]:
    """The shop's database with one row, open again afterwards."""
    database = place.shop.database("shop-data")
    place.platform.fence(database, closed=False)
    with connect(place.platform.database(database, "owner")) as connection:
        connection.execute("DROP TABLE IF EXISTS things")
        connection.execute("CREATE TABLE things (name text)")
        connection.execute("INSERT INTO things VALUES ('old')")
    yield database
    place.platform.fence(database, closed=False)
    with connect(place.platform.database(database, "owner")) as connection:
        connection.execute("DROP TABLE IF EXISTS things")


def close_and_write(place: Place, database: Database, inside: Connection) -> None:
    place.platform.fence(database, closed=True)
    inside.execute("INSERT INTO things VALUES ('too late')")


def test_behind_the_fence_nobody_is_and_nobody_gets(place: Place, database: Database) -> None:
    access = place.platform.database(database, "owner")
    with pytest.raises(EcomError), connect(access) as inside:
        close_and_write(place, database, inside)
    with pytest.raises(EcomError), connect(access):
        pass
    place.platform.fence(database, closed=False)
    with connect(access) as connection:
        assert fetch(connection, "SELECT name FROM things") == [("old",)]


def test_the_replacement_takes_the_name_with_its_rights_and_the_old_one_is_kept(
    place: Place, database: Database
) -> None:
    empty = place.platform.replacement(database)
    with connect(empty) as connection:
        assert fetch(connection, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace") == [(0,)]
    owner = place.platform.database(database, "owner")
    with connect(owner) as still:
        assert fetch(still, "SELECT name FROM things") == [("old",)]
    kept = place.platform.put_in_place(database)
    with connect(owner) as connection:
        connection.execute("CREATE TABLE things (name text)")
        connection.execute("INSERT INTO things VALUES ('new')")
        there = dict(fetch(connection, "SELECT datname, datallowconn FROM pg_database"))
        owned = fetch(connection, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()")
    assert kept in there
    assert not there[kept]
    assert owned == [(user_of(owner),)]
    for role in ("app", "backup"):
        with connect(place.platform.database(database, role)) as connection:
            assert fetch(connection, "SELECT current_database()") == [(database.name,)]


def test_a_replacement_that_was_left_half_is_begun_anew(place: Place, database: Database) -> None:
    with connect(place.platform.replacement(database)) as connection:
        connection.execute("CREATE TABLE half (name text)")
    with connect(place.platform.replacement(database)) as connection:
        assert fetch(connection, "SELECT to_regclass('half')") == [(None,)]
    place.platform.put_in_place(database)


def test_without_a_replacement_nothing_is_exchanged(place: Place, database: Database) -> None:
    with pytest.raises(MissingError):
        place.platform.put_in_place(database)
    with connect(place.platform.database(database, "owner")) as connection:
        assert fetch(connection, "SELECT name FROM things") == [("old",)]


def test_a_server_that_answers_is_left_as_it_is(place: Place, database: Database) -> None:
    assert not place.platform.ensure_server(database)
    with connect(place.platform.database(database, "owner")) as connection:
        assert fetch(connection, "SELECT name FROM things") == [("old",)]


def test_somebody_elses_database_is_never_replaced(place: Place) -> None:
    theirs = Database(name="theirs", url=SecretReference(env="THEIRS"))
    for act in (place.platform.replacement, place.platform.put_in_place, place.platform.ensure_server):
        with pytest.raises(RefusedError, match="not managed"):
            act(theirs)
