"""Reads what was restored while the restore goes on: each table as soon as nobody writes or alters it.

Reading takes a lock that holds up whoever makes a primary key, and that is the longest chain of a restore.
So a table is read while other data still comes in, or when its own keys are made.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from threading import Event, Thread
from typing import TYPE_CHECKING

from ecom_platform.backup.fingerprint_tables import Table, tables
from ecom_platform.backup.fingerprints import ContentSums, Fingerprint, TableContent, pinned, table_content
from ecom_platform.backup.restore import DATA, LARGEST
from ecom_platform.clients import sql

if TYPE_CHECKING:
    from ecom_platform.clients.sql import Connection
    from ecom_platform.platforms.protocol import DatabaseAccess

POLL_SECONDS = 0.03
"""How long a table that has become ready may wait; a poll costs a tenth of a millisecond."""

_COPYING = """
SELECT p.relid FROM pg_stat_progress_copy AS p JOIN pg_stat_activity AS a USING (pid)
WHERE a.datname = current_database() AND a.application_name LIKE 'ecom-restore-%%-' || %s
"""
_KEYS = "SELECT conrelid, count(*) FROM pg_constraint WHERE contype IN ('p', 'u', 'x') GROUP BY conrelid"


class ContentReader(Thread):
    """seconds: spent reading. Start it when the tables are there; leave it by result() or stop()."""

    def __init__(self, target: DatabaseAccess, expected: Fingerprint) -> None:
        super().__init__(name="contents", daemon=True)
        self._target, self._expected = target, expected
        self._connection: Connection | None = None
        self._lanes: frozenset[str] = frozenset()
        self._making: Sequence[str] | None = None
        self._finished, self._stopped = Event(), Event()
        self._largest: int | None = None
        self._sums = ContentSums()
        self._error: Exception | None = None
        self.seconds = 0.0

    def lane_ended(self, name: str) -> None:
        self._lanes |= {name}

    def keys_begin(self, contents: Sequence[str]) -> None:
        """All data is there, and these things will be made."""
        self._making = [line for line in contents if " CONSTRAINT " in line and " FK CONSTRAINT " not in line]

    def result(self) -> Mapping[str, TableContent]:
        """Nobody alters anything any more: reads what is left, and raises what went wrong."""
        self._finished.set()
        self.join()
        if self._error is not None:
            raise self._error
        return self._sums.contents()

    def stop(self) -> None:
        """Ends the thread, in the middle of a query if need be; does nothing after result()."""
        self._stopped.set()
        if self.is_alive() and self._connection is not None and not self._connection.closed:
            self._connection.cancel_safe(timeout=10)
        if self.ident is not None:
            self.join()

    def run(self) -> None:
        try:
            with sql.connect(self._target) as connection, pinned(connection):
                self._connection = connection
                self._read_all(connection)
        except Exception as error:  # noqa: BLE001  # raised again by the thread that waits
            self._error = error

    def _read_all(self, connection: Connection) -> None:
        pending = sorted(tables(connection, self._expected.chains), key=self._rows, reverse=True)
        while pending and not self._stopped.is_set():
            table = self._next(connection, pending)
            if table is None:
                self._finished.wait(POLL_SECONDS)
                continue
            began = time.monotonic()
            self._sums.add(table, *table_content(connection, table))
            self.seconds += time.monotonic() - began
            pending.remove(table)

    def _rows(self, table: Table) -> int:
        """How many there should be: the server has not counted its new tables yet."""
        known = self._expected.tables.get(table.group)
        return known.rows if known else 0

    def _next(self, connection: Connection, pending: Sequence[Table]) -> Table | None:
        if self._finished.is_set():
            return pending[0]
        making = self._making
        if making is None:
            return self._beside_the_data(connection, pending)
        made = dict(sql.fetch(connection, _KEYS))
        return next((each for each in pending if made.get(each.oid, 0) >= _keys_of(each, making)), None)

    def _beside_the_data(self, connection: Connection, pending: Sequence[Table]) -> Table | None:
        """Only what is surely complete: the largest table when its lane ended, all others when theirs did."""
        if self._largest is None:
            copying = sql.fetch(connection, _COPYING, (LARGEST,))
            self._largest = copying[0][0] if copying else None
        if self._largest is None:
            return None
        ended = self._lanes
        return next((each for each in pending if (LARGEST if each.oid == self._largest else DATA) in ended), None)


def _keys_of(table: Table, making: Sequence[str]) -> int:
    """Keys that will be made on the table. If a strange name hides one, it is only waited for in vain."""
    wanted = f" CONSTRAINT {table.schema} {table.name} "
    return sum(wanted in line for line in making)
