"""Computes the fingerprint of an exported snapshot in a thread of its own, while the dump is pulled."""

from __future__ import annotations

import time
from contextlib import suppress
from threading import Event, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Self

from ecom_platform.backup.fingerprints import Fingerprint, fingerprint
from ecom_platform.clients.sql import connect
from ecom_platform.platforms.protocol import DatabaseAccess

if TYPE_CHECKING:
    from ecom_platform.clients.sql import Connection


class Fingerprinting(Thread):
    """A context: leaving it early cancels the query and waits for the thread.

    bytes_per_second: the most that it reads of the tables; None for no limit.
    """

    def __init__(self, database: DatabaseAccess, snapshot: str, bytes_per_second: float | None = None) -> None:
        super().__init__(name="fingerprint", daemon=True)
        self._database, self._snapshot, self._bytes_per_second = database, snapshot, bytes_per_second
        self._connection: Connection | None = None
        self._left = Event()
        self._found: Fingerprint | None = None
        self._error: Exception | None = None
        self.seconds = 0.0

    def run(self) -> None:
        started = time.monotonic()
        try:
            with connect(self._database, settings={"statement_timeout": "0"}) as connection:
                self._connection = connection
                if self._left.is_set():
                    return
                with connection.transaction():
                    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    # The name comes from the server, and SET takes no parameters.
                    connection.execute(f"SET TRANSACTION SNAPSHOT '{self._snapshot}'".encode())
                    self._found = fingerprint(connection, self._bytes_per_second)
        except Exception as error:  # noqa: BLE001  # raised again by the thread that waits
            self._error = error
        self.seconds = time.monotonic() - started

    def check(self) -> None:
        """Raises what stopped the thread, if something did."""
        if self._error is not None:
            raise self._error

    def result(self) -> Fingerprint:
        """Waits for the fingerprint; raises what stopped it."""
        self.join()
        self.check()
        assert self._found is not None
        return self._found

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        import psycopg

        self._left.set()
        if self.is_alive() and self._connection is not None and not self._connection.closed:
            # A server that cannot be reached has ended the query already.
            with suppress(psycopg.Error):
                self._connection.cancel_safe(timeout=10)
        self.join()
