"""Who may dump a database now: one at a time, by a lock that PostgreSQL itself keeps.

The lock belongs to the session that exports the dump's snapshot. If its holder dies, the server
sees the connection end and the lock is free at once: no expiry, no clocks, nothing to clean up.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from ecom_platform.clients.sql import fetch
from ecom_platform.errors import BusyError

if TYPE_CHECKING:
    from ecom_platform.clients.sql import Connection

LOCK = int.from_bytes(b"ecomdump", "big")
"""The key of the advisory lock; PostgreSQL keeps such locks per database."""

SESSION = {
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    # A holder whose machine vanished without a word is noticed after a minute and a half.
    "tcp_keepalives_idle": "30",
    "tcp_keepalives_interval": "10",
    "tcp_keepalives_count": "6",
}
"""Settings of a session that holds the lease: it is idle for as long as the dump takes."""

_TAKE = "SELECT pg_catalog.pg_try_advisory_lock(%s)"
_HOLDER = """
SELECT a.application_name, a.pid, to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS "UTC"')
FROM pg_catalog.pg_locks AS l LEFT JOIN pg_catalog.pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND (l.classid::bigint << 32 | l.objid::bigint) = %s
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
"""


def holder_name() -> str:
    """What a session that takes the lease calls itself; PostgreSQL keeps 63 bytes of it."""
    return f"ecom dump, {socket.gethostname()[:32]}, process {os.getpid()}"


def take_lease(connection: Connection, database: str) -> None:
    """The lease of the database, held until the connection ends.

    Raises BusyError that names the holder and since when.
    """
    if fetch(connection, _TAKE, (LOCK,))[0][0]:
        return
    held = fetch(connection, _HOLDER, (LOCK,))
    who = f"{held[0][0] or 'another session'} (server process {held[0][1]}) since {held[0][2]}" if held else "another"
    raise BusyError(
        f"dump the database {database}", f"it is being dumped by {who}", "Wait for that dump, or end its process."
    )


def is_leased(connection: Connection) -> bool:
    """Whether somebody dumps the connection's database now."""
    return bool(fetch(connection, _HOLDER, (LOCK,)))
