"""The backend's door to PostgreSQL: a pool that heals, and database trouble told as 503 with a reason.

No SQL of the shop is here, only how it is run.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import perf_counter
from typing import TypeAlias

import asyncpg
from asyncpg import DataError
from asyncpg.pool import PoolConnectionProxy

from shop.backend.config import Config
from shop.backend.wire import ApiError

ACQUIRE_SECONDS = 3.0
"""How long a request waits for a free connection: longer than a burst, shorter than people's patience."""

QUERY_SECONDS = 6.0
"""How long one statement may take; a database that hangs must not hold every connection for ever.
A little above the server's own limits below, so that a server that lives ends the statement itself.
"""

Connection: TypeAlias = PoolConnectionProxy
Row: TypeAlias = asyncpg.Record

_log = logging.getLogger(__name__)

# The server says it is not there or not itself; a later attempt may find it well.
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ObjectNotInPrerequisiteStateError,  # it lets nobody in: somebody is mending it
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
_SCHEMA = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.InsufficientPrivilegeError)
_CONTENTION = (asyncpg.LockNotAvailableError, asyncpg.TransactionRollbackError)
_TROUBLE = (*_AWAY, *_SCHEMA, *_CONTENTION)


class Database:
    """A pool of connections. It opens without a server there, and finds it again after an outage."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._pool: asyncpg.Pool | None = None
        self.on_query: Callable[[float], None] | None = None
        """Told the seconds of each statement that ended well."""
        self.on_trouble: Callable[[str], None] | None = None
        """Told the code of each trouble that a request met."""

    @property
    def most_connections(self) -> int:
        return self._config.pool_size

    def connections(self) -> tuple[int, int]:
        """Busy and idle ones; none before open()."""
        if self._pool is None:
            return 0, 0
        idle = self._pool.get_idle_size()
        return self._pool.get_size() - idle, idle

    async def open(self) -> None:
        self._pool = await asyncpg.create_pool(
            self._config.database_url,
            min_size=0,
            max_size=self._config.pool_size,
            timeout=ACQUIRE_SECONDS,
            command_timeout=QUERY_SECONDS,
            # An idle colour gives its connections back.
            max_inactive_connection_lifetime=60.0,
            # The default reset costs a round trip per request; nothing here changes a session's settings.
            reset=_no_reset,
            server_settings={
                "application_name": f"shop-{self._config.instance}"[:63],
                "statement_timeout": "5s",
                "lock_timeout": "3s",
                "idle_in_transaction_session_timeout": "15s",
                "jit": "off",
                "TimeZone": "UTC",
            },
        )

    def _note(self, query: asyncpg.connection.LoggedQuery) -> None:
        if self.on_query is not None and query.exception is None:
            self.on_query(query.elapsed)

    async def close(self) -> None:
        if self._pool is None:
            return
        try:
            async with asyncio.timeout(5):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for some statements; raises ApiError 503 when the database does not serve."""
        try:
            connection = await self._acquire()
            connection.add_query_logger(self._note)
            try:
                yield connection
            finally:
                connection.remove_query_logger(self._note)
                await self._release(connection)
        except DataError:  # ours: an argument that does not fit its statement
            raise
        except _TROUBLE as error:
            raise self._told(error) from error

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction that commits when the block ends well."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def rows(self, sql: str, *arguments: object) -> list[Row]:
        """One statement's rows. The catalogue lives on this: no context manager, which costs as much as the rest."""
        try:
            connection = await self._acquire()
            began = perf_counter()
            try:
                found: list[Row] = await connection.fetch(sql, *arguments)
                if self.on_query is not None:
                    self.on_query(perf_counter() - began)  # the driver's own logger costs five times as much
            finally:
                await self._release(connection)
        except DataError:  # ours: an argument that does not fit its statement
            raise
        except _TROUBLE as error:
            raise self._told(error) from error
        return found

    async def row(self, sql: str, *arguments: object) -> Row | None:
        """One statement's first row, or None."""
        found = await self.rows(sql, *arguments)
        return found[0] if found else None

    async def _acquire(self) -> Connection:
        assert self._pool is not None, "open() comes first"
        # The pool's own timeout would make a task for each request.
        async with asyncio.timeout(ACQUIRE_SECONDS):
            return await self._pool.acquire()

    async def _release(self, connection: Connection) -> None:
        assert self._pool is not None
        await self._pool.release(connection, timeout=ACQUIRE_SECONDS)

    def _told(self, error: Exception) -> ApiError:
        told = _told(error)
        if self.on_trouble is not None:
            self.on_trouble(told.code)
        return told


async def _no_reset(_connection: Connection) -> None:
    return


def _told(error: Exception) -> ApiError:
    """The database's trouble as the answer that people get."""
    if isinstance(error, _SCHEMA):
        found = ("schema_not_ready", "the database's schema is not the one this version needs")
    elif isinstance(error, _CONTENTION):
        found = ("busy", "too many people want the same thing at once; try again")
    else:
        found = ("database_unavailable", "the database does not answer; try again in a moment")
    _log.warning("%s: %s", found[0], type(error).__name__)
    return ApiError(503, *found, {"Retry-After": "1"})
