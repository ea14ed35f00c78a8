"""What each role of a managed database may do: as SQL, done again on every start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

    from ecom_platform.platforms.local.postgres import Role

    Connection = psycopg.Connection[tuple[Any, ...]]

ATTRIBUTES = {
    # Makes the copy beside the original that a restore into this server needs.
    "owner": "LOGIN CREATEDB NOCREATEROLE NOSUPERUSER NOREPLICATION NOBYPASSRLS",
    "app": "LOGIN NOCREATEDB NOCREATEROLE NOSUPERUSER NOREPLICATION NOBYPASSRLS",
    # A dump must see every row, or it is no dump; BYPASSRLS reads past policies and writes nothing.
    "backup": "LOGIN NOCREATEDB NOCREATEROLE NOSUPERUSER NOREPLICATION BYPASSRLS",
}


def make(connection: Connection, database: str, roles: Mapping[Role, tuple[str, str]]) -> None:
    """The database, owned by its owner role. roles: name and password by use (owner, app, backup).

    Needs a superuser's connection to another database, in autocommit.
    """
    from psycopg import sql

    for use, (name, password) in roles.items():
        role = sql.Identifier(name)
        if not _exists(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", name):
            connection.execute(sql.SQL("CREATE ROLE {}").format(role))
        # Hashed here, so that the password itself is in no statement and no server log.
        verifier = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
        connection.execute(
            sql.SQL("ALTER ROLE {} {} PASSWORD {}").format(role, sql.SQL(ATTRIBUTES[use]), sql.Literal(verifier))
        )
    owner, app, backup = (sql.Identifier(name) for name, _ in (roles["owner"], roles["app"], roles["backup"]))
    name_ = sql.Identifier(database)
    connection.execute(sql.SQL("GRANT pg_read_all_data TO {}").format(backup))
    if not _exists(connection, "SELECT 1 FROM pg_database WHERE datname = %s", database):
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(name_, owner))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name_))
    connection.execute(sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}, {}").format(name_, app, backup))


def own_schema(connection: Connection, owner: str) -> None:
    """The schema public belongs to the owner role, and others may use what they are granted there."""
    from psycopg import sql

    connection.execute(sql.SQL("ALTER SCHEMA public OWNER TO {}").format(sql.Identifier(owner)))
    connection.execute(sql.SQL("REVOKE CREATE ON SCHEMA public FROM PUBLIC"))


def closed(connection: Connection) -> set[str]:
    """The databases that let nobody in."""
    return {name for (name,) in connection.execute("SELECT datname FROM pg_database WHERE NOT datallowconn")}


def _exists(connection: Connection, query: str, name: str) -> bool:
    return connection.execute(query.encode(), (name,)).fetchone() is not None
