"""The door to PostgreSQL by SQL: connections with deadlines, errors of the platform's own tree.

Goes here: opening connections, turning driver errors into ours, keeping passwords out of sight.
Not here: any query that means something.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from ecom_platform.errors import (
    BusyError,
    ConfigurationError,
    DeadlineExceeded,
    EcomError,
    PermanentError,
    PreflightError,
    UnreachableError,
)
from ecom_platform.platforms.protocol import DatabaseAccess

if TYPE_CHECKING:
    import psycopg

    Connection = psycopg.Connection[tuple[Any, ...]]

CONNECT_SECONDS = 10
"""Time for one address to accept a connection; a server that is alive answers in milliseconds."""

_SEEN_CHARACTERS = 600
_NOT_LET_IN = ("password authentication failed", "no pg_hba.conf entry", "does not exist", "no password supplied")
_RIGHTS = "Grant the role what it needs: pg_read_all_data reads every table, BYPASSRLS every row."


def split_url(url: str) -> DatabaseAccess:
    """Access from a libpq URL or keyword string that may hold a password; the result's URL holds none.

    Raises ConfigurationError, which does not show the text, for anything that libpq cannot read.
    """
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = {key: str(value) for key, value in conninfo_to_dict(url).items() if value is not None}
    except psycopg.ProgrammingError:
        # Not chained: the driver's message repeats the text, password included.
        raise ConfigurationError(
            "read a database URL", "it is not a libpq URL", "Write postgresql://USER:PASSWORD@HOST:PORT/DATABASE."
        ) from None
    password = parts.pop("password", "")
    return DatabaseAccess(_url(parts), password)


def with_database(access: DatabaseAccess, database: str) -> DatabaseAccess:
    """The same server and role, another database."""
    from psycopg.conninfo import conninfo_to_dict

    parts = {key: str(value) for key, value in conninfo_to_dict(access.url).items() if value is not None}
    return DatabaseAccess(_url({**parts, "dbname": database}), access.password)


def with_host(access: DatabaseAccess, host: str) -> DatabaseAccess:
    """The same port, role and database by another address of the same server."""
    from psycopg.conninfo import conninfo_to_dict

    parts = {key: str(value) for key, value in conninfo_to_dict(access.url).items() if value is not None}
    return DatabaseAccess(_url({**parts, "host": host}), access.password)


def user_of(access: DatabaseAccess) -> str:
    """The role that the URL names; empty if it names none."""
    from psycopg.conninfo import conninfo_to_dict

    return str(conninfo_to_dict(access.url).get("user") or "")


def url_with_password(access: DatabaseAccess) -> str:
    """The whole URL, for a file of mode 600 that a service reads; never for argv, logs or metadata."""
    from psycopg.conninfo import conninfo_to_dict

    parts = {key: str(value) for key, value in conninfo_to_dict(access.url).items() if value is not None}
    return _url(parts, access.password)


def url(**parts: str) -> str:
    """A URL without a password from libpq's keywords (user, host, port, dbname, ...)."""
    return _url(parts)


def _url(parts: Mapping[str, str], password: str = "") -> str:
    rest = dict(parts)
    user, host, port = rest.pop("user", ""), rest.pop("host", ""), rest.pop("port", "")
    database = quote(rest.pop("dbname", ""), safe="")
    if "," in host or "," in port or host.startswith("/"):
        rest |= {"host": host} | ({"port": port} if port else {})
        host = port = ""
    who = quote(user, safe="") + (f":{quote(password, safe='')}" if password else "")
    where = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    query = f"?{urlencode(rest, quote_via=quote)}" if rest else ""
    return f"postgresql://{who + '@' if who else ''}{where}/{database}{query}"


def libpq_environment(access: DatabaseAccess) -> dict[str, str]:
    """What a libpq program needs beside `--dbname=access.url`; the password goes by environment alone."""
    return {"PGPASSWORD": access.password, "PGCONNECT_TIMEOUT": str(CONNECT_SECONDS), "PGAPPNAME": "ecom"}


@contextmanager
def connect(
    access: DatabaseAccess,
    *,
    autocommit: bool = True,
    timeout: float = CONNECT_SECONDS,
    statement_timeout: float | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Connection]:
    """A connection, closed afterwards; driver errors inside the block come out as the platform's.

    timeout: seconds for connecting. statement_timeout: seconds per statement, None for no limit.
    settings: server settings of the session.
    Raises UnreachableError, ConfigurationError (role, password, database), DeadlineExceeded, PermanentError.
    """
    import psycopg

    tried = f"use the database {access.url}"
    limits = {} if statement_timeout is None else {"statement_timeout": str(int(statement_timeout * 1000))}
    with translated(tried, access.password):
        connection = psycopg.connect(
            access.url,
            password=access.password or None,
            connect_timeout=max(2, int(timeout)),
            autocommit=True,
            application_name="ecom",
            prepare_threshold=None,
        )
        try:
            for name, value in {**(settings or {}), **limits}.items():
                connection.execute("SELECT pg_catalog.set_config(%s, %s, false)", (name, value))
            connection.autocommit = autocommit
            yield connection
        finally:
            connection.close()


@contextmanager
def translated(tried: str, password: str = "") -> Iterator[None]:
    """Turns the driver's errors into the platform's, without the password and bounded in length."""
    import psycopg

    try:
        yield
    except psycopg.Error as error:
        raise _translation(tried, error, password) from error


def _translation(tried: str, error: psycopg.Error, password: str) -> EcomError:
    seen = " ".join(str(error).split()) or type(error).__name__
    seen = (seen.replace(password, "***") if password else seen)[:_SEEN_CHARACTERS]
    kind, advice = _kind(error, seen)
    return kind(tried, seen, advice)


def _kind(error: psycopg.Error, seen: str) -> tuple[type[EcomError], str]:
    import psycopg
    from psycopg import errors

    kinds: list[tuple[tuple[type[psycopg.Error], ...], type[EcomError], str]] = [
        ((errors.QueryCanceled,), DeadlineExceeded, ""),
        ((errors.LockNotAvailable, errors.ObjectInUse, errors.TooManyConnections), BusyError, ""),
        ((errors.SerializationFailure, errors.DeadlockDetected), BusyError, ""),
        # Somebody changed or dropped it between our finding it and our reading it.
        ((errors.UndefinedTable, errors.InternalError_), BusyError, ""),
        ((errors.DiskFull, errors.OutOfMemory), PreflightError, "Make room for the server."),
        ((errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow), UnreachableError, ""),
        ((errors.InsufficientPrivilege,), ConfigurationError, _RIGHTS),
    ]
    for types, kind, advice in kinds:
        if isinstance(error, types):
            return kind, advice
    # Without a code of the server it is the connection itself: refused, cut off, or not let in.
    if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
        if any(each in seen for each in _NOT_LET_IN):
            return ConfigurationError, "Check the role, its password and the database's name."
        return UnreachableError, ""
    return PermanentError, ""


def fetch(connection: Connection, query: str, parameters: Sequence[object] | None = None) -> list[tuple[Any, ...]]:
    """All rows of a query whose text is made by this program (never by its users)."""
    return connection.execute(query.encode(), parameters).fetchall()
