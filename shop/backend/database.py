"""The backend's door to PostgreSQL: a pool that heals, and database trouble told as 503 with a reason.

No SQL of the shop is here, only how it is run.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TypeAlias

import asyncpg
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
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
_SCHEMA = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.InsufficientPrivilegeError)
_CONTENTION = (asyncpg.LockNotAvailableError, asyncpg.TransactionRollbackError)


class Database:
    """A pool of connections. It opens without a server there, and finds it again after an outage."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._pool: asyncpg.Pool | None = None

    async def open(self) -> None:
        self._pool = await asyncpg.create_pool(
            self._config.database_url,
            min_size=0,
            max_size=self._config.pool_size,
            timeout=ACQUIRE_SECONDS,
            command_timeout=QUERY_SECONDS,
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
        assert self._pool is not None, "open() comes first"
        with _told_as_503():
            async with self._pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction that commits when the block ends well."""
        async with self.connection() as connection:
            with _told_as_503():
                async with connection.transaction():
                    yield connection

    async def rows(self, sql: str, *arguments: object) -> list[Row]:
        async with self.connection() as connection:
            found: list[Row] = await connection.fetch(sql, *arguments)
            return found

    async def row(self, sql: str, *arguments: object) -> Row | None:
        async with self.connection() as connection:
            return await connection.fetchrow(sql, *arguments)


async def _no_reset(_connection: Connection) -> None:
    return


@contextmanager
def _told_as_503() -> Iterator[None]:
    try:
        yield
    except ApiError:
        raise
    except asyncpg.DataError:  # our own mistake, not the server's absence
        raise
    except _SCHEMA as error:
        raise _unavailable(
            error, "schema_not_ready", "the database's schema is not the one this version needs"
        ) from error
    except _CONTENTION as error:
        raise _unavailable(error, "busy", "too many people want the same thing at once; try again") from error
    except _AWAY as error:
        raise _unavailable(
            error, "database_unavailable", "the database does not answer; try again in a moment"
        ) from error


def _unavailable(error: Exception, code: str, message: str) -> ApiError:
    _log.warning("%s: %s", code, type(error).__name__)
    return ApiError(503, code, message, {"Retry-After": "1"})
