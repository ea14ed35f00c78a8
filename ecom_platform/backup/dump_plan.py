"""What a dump will do: which archives there are, and the command of each. Asks the server, starts nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ecom_platform.backup.postgres_tools import Tools, tools_for
from ecom_platform.clients.sql import fetch, libpq_environment
from ecom_platform.errors import PermanentError
from ecom_platform.platforms.protocol import DatabaseAccess

if TYPE_CHECKING:
    from ecom_platform.clients.sql import Connection

LANE_BYTES = 32 << 20
"""A table from this size on has an archive of its own. Below it a second lane of the restore saves
less than another pg_dump costs (about 0.1 s)."""

LOCK_WAIT_MILLISECONDS = 60_000
"""A dump that waits longer for a table's lock holds its snapshot, and others, for too long."""

_SERVER = """
SELECT current_setting('server_version_num')::int, current_setting('server_version'), clock_timestamp(),
       pg_catalog.pg_export_snapshot(), pg_catalog.pg_database_size(current_database())
"""
_LARGEST = """
SELECT n.nspname, c.relname, pg_catalog.pg_table_size(c.oid) AS bytes
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                  WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY bytes DESC, n.nspname, c.relname LIMIT 1
"""


@dataclass(frozen=True)
class Archive:
    """One stream of the dump. file: the object's name in the snapshot's folder."""

    name: str
    file: str
    argv: tuple[str | Path, ...]


@dataclass(frozen=True)
class Plan:
    """snapshot: the exported snapshot's name, valid while the exporting transaction is open.

    archives: in the order in which they are pulled. environment: of their programs.
    """

    snapshot: str
    snapshot_at: datetime
    server_version: str
    database_bytes: int
    tools: Tools
    archives: tuple[Archive, ...]
    environment: Mapping[str, str]


def make_plan(connection: Connection, access: DatabaseAccess) -> Plan:
    """Exports the snapshot of the connection's transaction (REPEATABLE READ) and plans a dump of it.

    Raises PreflightError if no program fits the server.
    """
    number, version, at, snapshot, size = fetch(connection, _SERVER)[0]
    tools = tools_for(number)
    largest = fetch(connection, _LARGEST)
    lane = _pattern(*largest[0][:2]) if largest and largest[0][2] >= LANE_BYTES else None
    return Plan(
        snapshot=snapshot,
        snapshot_at=at.astimezone(UTC),
        server_version=version,
        database_bytes=size,
        tools=tools,
        archives=_archives(tools, access, snapshot, lane),
        environment=libpq_environment(access),
    )


def _archives(tools: Tools, access: DatabaseAccess, snapshot: str, lane: str | None) -> tuple[Archive, ...]:
    common: tuple[str | Path, ...] = (
        tools.program("pg_dump"),
        f"--dbname={access.url}",
        "--no-password",
        "--format=custom",
        "--compress=0",
        f"--snapshot={snapshot}",
        f"--lock-wait-timeout={LOCK_WAIT_MILLISECONDS}",
    )
    data = (*common, "--section=data")
    schema = (*common, "--section=pre-data", "--section=post-data")
    roles = (tools.program("pg_dumpall"), f"--dbname={access.url}", "--no-password", "--roles-only")
    archives = [
        Archive("schema", "schema.dump.zst.age", schema),
        Archive("roles", "roles.sql.zst.age", (*roles, "--no-role-passwords")),
    ]
    if lane:
        archives.append(Archive("largest", "largest.dump.zst.age", (*data, f"--table={lane}")))
    rest = (*data, f"--exclude-table-data={lane}") if lane else data
    return (*archives, Archive("data", "data.dump.zst.age", rest))


def _pattern(schema: str, table: str) -> str:
    """pg_dump's pattern that matches exactly this table."""
    if "\0" in schema + table:
        raise PermanentError("name the largest table", "its name holds a zero byte")
    return ".".join('"{}"'.format(each.replace('"', '""')) for each in (schema, table))
