"""What a database holds, as a small value that can be compared: content, sequences, objects.

Computed inside the server by SQL, in the snapshot that is dumped, and again in what was restored.
Goes here: the value and the reading of it. Not here: judging two of them (compare.py).
docs/decisions/fingerprints.md tells what it sees and what not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from ecom_platform.backup import fingerprint_sql, schema_fingerprint
from ecom_platform.backup.fingerprint_sql import label, quoted
from ecom_platform.backup.fingerprint_tables import Table, tables
from ecom_platform.backup.throttle import throttle
from ecom_platform.clients.sql import fetch, translated
from ecom_platform.errors import PermanentError

if TYPE_CHECKING:
    from ecom_platform.clients.sql import Connection

ALGORITHM = 2
"""Changes with anything that gives the same database another value. 1 is 2 with no columns chained."""

_BATCH = 200  # sequences read by one query


class TableContent(BaseModel):
    """rows, and the 64-bit value of their content as 16 hex digits. chained: the columns that were hashed one into
    the other; who compares must do the same.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows: int
    content: str
    chained: tuple[str, ...] = ()


class SequenceState(BaseModel):
    """Sequences do not belong to a snapshot: the dump read a value between `value` and `until`.

    called: false for a sequence that has not given `value` out yet.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: int
    called: bool
    until: int
    until_called: bool


class Fingerprint(BaseModel):
    """tables, sequences: by schema.name. objects: definition hashes by "kind schema.name".

    server: server_version_num. superuser: the one that came with the server. roles: every role that an owner, a
    grant or a policy names.
    bytes: the size of the database with its indexes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    algorithm: int = ALGORITHM
    server: int
    encoding: str
    collation: str
    bytes: int
    superuser: str
    roles: tuple[str, ...]
    tables: Mapping[str, TableContent]
    sequences: Mapping[str, SequenceState]
    large_objects: TableContent
    objects: Mapping[str, str]

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.tables.values())

    @property
    def chains(self) -> dict[str, tuple[str, ...]]:
        return {name: each.chained for name, each in self.tables.items()}


def fingerprint(
    connection: Connection, bytes_per_second: float | None = None, like: Fingerprint | None = None
) -> Fingerprint:
    """The fingerprint of the connection's database. like: the one that it will be compared with.

    In a transaction (REPEATABLE READ, by a dump's exported snapshot) all of it is of that snapshot,
    except for sequences, which belong to none: see `settle_sequences`. With autocommit each table is
    read by itself, which is right only if nobody writes. bytes_per_second: the most that is read of tables.
    Raises ConfigurationError if the role may not see every row, PermanentError for anything else.
    """
    with pinned(connection):
        chosen = tables(connection, like.chains if like else None)
        return with_contents(connection, contents(connection, chosen, bytes_per_second))


def with_contents(connection: Connection, known: Mapping[str, TableContent]) -> Fingerprint:
    """The fingerprint of a database whose tables' contents are known already."""
    with pinned(connection):
        return Fingerprint(
            tables=known,
            sequences=sequences(connection),
            large_objects=large_objects(connection),
            objects=schema_fingerprint.objects(connection),
            roles=schema_fingerprint.roles(connection),
            **facts(connection)._asdict(),
        )


@contextmanager
def pinned(connection: Connection) -> Iterator[None]:
    """The settings on which values depend, put back afterwards; in a transaction they end with it."""
    from psycopg.pq import TransactionStatus

    open_states = (TransactionStatus.INTRANS, TransactionStatus.INERROR)
    local = not connection.autocommit or connection.info.transaction_status in open_states
    with translated("fingerprint a database"):
        names = list(fingerprint_sql.PINNED)
        before = fetch(connection, _GET_SETTINGS, (names,))
        connection.execute(_SET_SETTINGS, (local, names, list(fingerprint_sql.PINNED.values())))
        yield
        values = [value for (value,) in before]
        connection.execute(_SET_SETTINGS, (local, names, values))


_GET_SETTINGS = (
    "SELECT pg_catalog.current_setting(name) FROM pg_catalog.unnest(%s::text[]) WITH ORDINALITY u(name, n) ORDER BY n"
)
_SET_SETTINGS = """
SELECT pg_catalog.set_config(name, value, %s) FROM ROWS FROM (
    pg_catalog.unnest(%s::text[]), pg_catalog.unnest(%s::text[])) AS u(name, value)
"""


class Facts(NamedTuple):
    server: int
    encoding: str
    collation: str
    bytes: int
    superuser: str


def facts(connection: Connection) -> Facts:
    query = """SELECT current_setting('server_version_num')::int, pg_encoding_to_char(encoding), datcollate,
                      pg_database_size(oid), pg_get_userbyid(10) FROM pg_database WHERE datname = current_database()"""
    return Facts(*fetch(connection, query)[0])


def contents(
    connection: Connection, chosen: Sequence[Table], bytes_per_second: float | None = None
) -> dict[str, TableContent]:
    """Rows and value of each table, added up by group."""
    sums, passed = ContentSums(), throttle(bytes_per_second)
    for table in chosen:
        clauses = [(table.clause, 0)] if bytes_per_second is None else list(_pieces(connection, table))
        for clause, size in clauses:
            sums.add(table, *table_content(connection, table, clause))
            passed(size)
    return sums.contents()


def _pieces(connection: Connection, table: Table) -> Iterator[tuple[str, int]]:
    """Clauses that together are the whole table, and the bytes that each reads. In one snapshot no row moves;
    the last piece has no end, so that none is missed at the edge.
    """
    known = fetch(connection, _HEAP, (table.oid,))
    if table.clause or not known:  # other storage than PostgreSQL's own may have no pages
        yield table.clause, 0
        return
    pages, page_bytes = known[0]
    for first in range(0, max(pages, 1), _PIECE_PAGES):
        end = first + _PIECE_PAGES if first + _PIECE_PAGES < pages else None
        yield fingerprint_sql.pages_clause(first, end), (min(pages, first + _PIECE_PAGES) - first) * page_bytes


_PIECE_PAGES = 512
"""4 MiB: read in some tens of milliseconds, so that a throttled fingerprint never keeps a core for long."""

_HEAP = """
SELECT pg_relation_size(c.oid) / current_setting('block_size')::int8, current_setting('block_size')::int8
FROM pg_class AS c JOIN pg_am AS a ON a.oid = c.relam WHERE c.oid = %s AND a.amname = 'heap'
"""


class ContentSums:
    """Adds up tables that are counted under one name."""

    def __init__(self) -> None:
        self._sums: dict[str, tuple[int, int, tuple[str, ...]]] = {}

    def add(self, table: Table, rows: int, value: int) -> None:
        rows_before, value_before, _ = self._sums.get(table.group, (0, 0, ()))
        self._sums[table.group] = (rows_before + rows, value_before + value, table.chained)

    def contents(self) -> dict[str, TableContent]:
        return {
            name: TableContent(rows=rows, content=_hex(value), chained=chained)
            for name, (rows, value, chained) in sorted(self._sums.items())
        }


def table_content(connection: Connection, table: Table, clause: str | None = None) -> tuple[int, int]:
    """Rows and value. clause: which rows, instead of the table's own."""
    clause = table.clause if clause is None else clause
    query = fingerprint_sql.table_query(table.schema, table.name, table.columns, chained=table.chained, clause=clause)
    with translated(f"fingerprint {label(table.schema, table.name)}"):
        rows, value = fetch(connection, query)[0]
    return int(rows), int(value)


def _hex(value: int) -> str:
    return f"{value % 2**64:016x}"


_SEQUENCES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND NOT EXISTS (SELECT FROM pg_depend d
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2
"""


def sequences(connection: Connection) -> dict[str, SequenceState]:
    """The state of every sequence at this moment."""
    names = fetch(connection, _SEQUENCES)
    states: dict[str, SequenceState] = {}
    for at in range(0, len(names), _BATCH):
        part = names[at : at + _BATCH]
        one = "SELECT {}, last_value, is_called FROM {}"
        query = " UNION ALL ".join(one.format(number, quoted(*each)) for number, each in enumerate(part))
        for number, value, called in fetch(connection, query):
            states[label(*part[number])] = SequenceState(value=value, called=called, until=value, until_called=called)
    return states


def settle_sequences(
    found: Fingerprint, before: Mapping[str, SequenceState], after: Mapping[str, SequenceState]
) -> Fingerprint:
    """The fingerprint with the states that were read before the dump began and after it ended; what was
    dumped lies between. Without this a dump of a database in use would be judged by a number drawn later.

    A sequence that came or went in the meantime keeps the one state that is known.
    """
    settled = dict(found.sequences)
    for name, first in before.items():
        last = after.get(name, first)
        settled[name] = first.model_copy(update={"until": last.value, "until_called": last.called})
    return found.model_copy(update={"sequences": settled})


# An object is read in pieces; reading by offsets makes holes equal to zeros, as they are in a dump. Its size
# comes through a descriptor that is closed at once, because open ones are found by a linear search.
_LARGE_OBJECTS = """
SELECT count(DISTINCT o.loid),
       coalesce(sum(hashint4extended(2, hashint8extended(o.size, o.loid::int8) # coalesce(hashtextextended(
           lo_get(o.loid, piece, 65536)::text COLLATE "C", hashint4extended(3, piece)), 0))), 0)
FROM (
    SELECT m.oid AS loid, (
        SELECT CASE WHEN lo_close(sized.fd) = 0 THEN sized.size END FROM (
            SELECT opened.fd, lo_lseek64(opened.fd, 0, 2) AS size FROM (
                SELECT lo_open(m.oid, 262144) AS fd OFFSET 0) AS opened OFFSET 0) AS sized) AS size
    FROM pg_largeobject_metadata AS m OFFSET 0) AS o
CROSS JOIN LATERAL generate_series(0::int8, greatest(o.size - 1, 0), 65536) AS piece
"""


def large_objects(connection: Connection) -> TableContent:
    """The number of large objects and the value of their numbers and bytes."""
    with translated("fingerprint the large objects"):
        rows, value = fetch(connection, _LARGE_OBJECTS)[0]
    return TableContent(rows=int(rows), content=_hex(int(value)))


def read(value: Mapping[str, Any]) -> Fingerprint:
    """A fingerprint from a manifest. Raises PermanentError if this version cannot compare it."""
    if value.get("algorithm") not in (1, ALGORITHM):
        raise PermanentError(
            "read a fingerprint",
            f"it was made by algorithm {value.get('algorithm')}, this program knows those up to {ALGORITHM}",
        )
    return Fingerprint.model_validate({**value, "algorithm": ALGORITHM})
