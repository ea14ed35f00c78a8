"""Another database in the place of one: as SQL on its server, the same on every platform.

    NAME                             what services connect to
    NAME_next                        the replacement, while it is filled
    NAME_kept_20261124T120000123456  what had the name before, closed to everybody, with all that is in it

A database is replaced by two renames in one transaction, so no service has to be told anything: it is sent away, and
finds the new one under the old name. Not here: what fills it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, LiteralString

from ecom_platform.clients import sql
from ecom_platform.errors import MissingError
from ecom_platform.platforms.protocol import DatabaseAccess

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

LOCK = "pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(%s, 0))"


def next_name(database: str) -> str:
    return f"{database}_next"


def kept_name(database: str, at: datetime) -> str:
    """With microseconds: a small database is replaced twice within a second."""
    return f"{database}_kept_{at.astimezone(UTC):%Y%m%dT%H%M%S%f}"


def fence(admin: DatabaseAccess, database: str, *, closed: bool) -> None:
    """admin: a superuser's access to another database of that server."""
    with sql.connect(admin) as connection:
        if _exists(connection, database):
            _close(connection, database, closed=closed)


def make(admin: DatabaseAccess, database: str, *, owner: str, users: tuple[str, ...]) -> DatabaseAccess:
    """The empty replacement. users: roles that may connect to it."""
    name = next_name(database)
    with sql.connect(admin) as connection:
        _run(connection, "DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        _run(connection, "CREATE DATABASE {} OWNER {} TEMPLATE template0", name, owner)
        _run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", name)
        for each in users:
            _run(connection, "GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}", name, each)
    target = sql.with_database(admin, name)
    with sql.connect(target) as connection:
        _run(connection, "ALTER SCHEMA public OWNER TO {}", owner)
        _run(connection, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    return target


def put_in_place(admin: DatabaseAccess, database: str, *, at: datetime | None = None) -> str:
    """The name under which the former one is kept. Raises MissingError if there is no replacement."""
    fresh, kept = next_name(database), kept_name(database, at or datetime.now(UTC))
    with sql.connect(admin) as connection:
        if not _exists(connection, fresh):
            raise MissingError(f"replace the database {database}", f"there is no {fresh}", "Restore into it first.")
        _close(connection, fresh, closed=True)  # a rename waits for nobody: it fails while somebody is in
        former = _exists(connection, database)
        if former:
            _close(connection, database, closed=True)
        with connection.transaction():
            connection.execute(f"SELECT {LOCK}".encode(), (f"replace {database}",))
            if former:
                _run(connection, "ALTER DATABASE {} RENAME TO {}", database, kept)
            _run(connection, "ALTER DATABASE {} RENAME TO {}", fresh, database)
            _run(connection, "ALTER DATABASE {} ALLOW_CONNECTIONS true", database)
    return kept if former else ""


def kept(admin: DatabaseAccess, database: str) -> tuple[str, ...]:
    """The databases that were kept aside and let nobody in, oldest first."""
    query = """SELECT datname FROM pg_catalog.pg_database
               WHERE pg_catalog.starts_with(datname, %s) AND NOT datallowconn ORDER BY 1"""
    with sql.connect(admin) as connection:
        return tuple(name for (name,) in sql.fetch(connection, query, (f"{database}_kept_",)))


def _close(connection: Connection, database: str, *, closed: bool) -> None:
    setting: LiteralString = "false" if closed else "true"
    _run(connection, "ALTER DATABASE {} ALLOW_CONNECTIONS " + setting, database)
    if closed:
        # Waited for: a session that still commits would write what nobody sees again.
        ending = "SELECT pg_catalog.pg_terminate_backend(pid, 5000) FROM pg_catalog.pg_stat_activity WHERE datname = %s"
        sql.fetch(connection, ending, (database,))


def _exists(connection: Connection, database: str) -> bool:
    return bool(sql.fetch(connection, "SELECT FROM pg_catalog.pg_database WHERE datname = %s", (database,)))


def _run(connection: Connection, statement: LiteralString, *names: str) -> None:
    from psycopg import sql as statements

    connection.execute(statements.SQL(statement).format(*map(statements.Identifier, names)))
