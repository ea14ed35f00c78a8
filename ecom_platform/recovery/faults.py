"""How the database of a copy is damaged; only copies are.

Not here: noticing it, and mending it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecom_platform.backup.fingerprint_sql import quoted
from ecom_platform.clients import sql
from ecom_platform.clients.processes import end_now
from ecom_platform.errors import RefusedError
from ecom_platform.platforms.local.postgres import NAME as POSTGRES
from ecom_platform.spec import Database

if TYPE_CHECKING:
    from ecom_platform.platforms.local import LocalPlatform
    from ecom_platform.platforms.protocol import DatabaseAccess, Platform

PAGE = 8192
CONTROL_FILE = "global/pg_control"
"""Without it no server starts on those files."""

Inflict = Callable[["Platform", Database, str], None]


@dataclass(frozen=True)
class Fault:
    """inflict: gets the platform, the database and the table (schema.name) that it hits.

    backup_follows: a backup runs between the damage and its discovery, and holds the damage.
    keeps: whether there is something left to keep aside.
    """

    name: str
    what: str
    inflict: Inflict
    backup_follows: bool = False
    keeps: bool = True


def _dropped_table(platform: Platform, database: Database, table: str) -> None:
    _execute(platform.database(database, "owner"), f"DROP TABLE {_quoted(table)} CASCADE")


def _deleted_rows(platform: Platform, database: Database, table: str) -> None:
    _execute(platform.database(database, "owner"), f"DELETE FROM {_quoted(table)}")  # noqa: S608  # quoted


def _corrupted_page(anywhere: Platform, database: Database, table: str) -> None:
    """Bytes of a table's first page turn; the server, started again, no longer has the page in memory."""
    platform = _here(anywhere)
    with sql.connect(platform.postgres.superuser(database.name)) as connection:
        where = sql.fetch(connection, "SELECT pg_catalog.pg_relation_filepath(%s::regclass)", (_quoted(table),))[0][0]
    platform.parts.end([POSTGRES])
    with (platform.postgres.data / where).open("r+b") as file:
        file.seek(PAGE // 2)
        turned = bytes(each ^ 0xFF for each in file.read(64))
        file.seek(PAGE // 2)
        file.write(turned)
    platform.parts.bring_up([platform.postgres.part()], lambda _name, _what: None)


def _volume_gone(anywhere: Platform, database: Database, table: str) -> None:
    del database, table
    platform = _here(anywhere)
    end_now(platform.postgres.processes())
    shutil.rmtree(platform.postgres.data, ignore_errors=True)
    end_now(platform.postgres.processes())  # one that was started again meanwhile
    shutil.rmtree(platform.postgres.data, ignore_errors=True)


def _server_gone(anywhere: Platform, database: Database, table: str) -> None:
    """The server dies, and cannot start again on what it left."""
    del database, table
    platform = _here(anywhere)
    (platform.postgres.data / CONTROL_FILE).write_bytes(b"\0" * PAGE)
    end_now(platform.postgres.processes())


FAULTS = {
    each.name: each
    for each in (
        Fault("dropped-table", "a table is dropped", _dropped_table),
        Fault(
            "deleted-rows",
            "DELETE without WHERE; a backup runs before anybody notices",
            _deleted_rows,
            backup_follows=True,
        ),
        Fault("corrupted-page", "a page of a table is corrupted on the disk", _corrupted_page),
        Fault("volume-gone", "the server's files are gone", _volume_gone, keeps=False),
        Fault("server-gone", "the server dies and does not start again", _server_gone),
    )
}


def _here(platform: Platform) -> LocalPlatform:
    """Files and processes of a server are within reach on this machine only."""
    from ecom_platform.platforms.local import LocalPlatform

    if not isinstance(platform, LocalPlatform):
        raise RefusedError("damage a server's files", "the server is not on this machine", "Name another variant.")
    return platform


def _quoted(table: str) -> str:
    schema, _, name = table.partition(".")
    return f"{quoted(schema)}.{quoted(name)}"


def _execute(access: DatabaseAccess, statement: str) -> None:
    with sql.connect(access) as connection:
        connection.execute(statement.encode())
