"""Any change of any table: the fingerprint says what an exact comparison says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ecom_platform.backup.fingerprint_tables import tables
from ecom_platform.backup.fingerprints import contents, pinned
from ecom_platform.clients import sql
from ecom_platform.clients.sql import fetch
from tests.backup.servers import Postgres

Connection = psycopg.Connection[tuple[Any, ...]]

# Values that hashes, casts or settings make equal although they are written differently.
POOLS = {
    "int8": ["0", "-1", "1", "4294967296", "4294967297", "-9223372036854775808"],
    "int4": ["0", "1", "-1", "2147483647"],
    "int2": ["0", "1", "-1"],
    "bool": ["true", "false"],
    "numeric": ["0", "0.0", "1.5", "1.50", "-1.5", "15", "NaN", "Infinity", "-Infinity", "1e30"],
    "numeric(6,2)": ["0", "1.5", "-1.5"],
    "float8": ["0", "-0", "1.5", "NaN", "Infinity", "-Infinity", "0.1", "0.10000000000000002"],
    "float4": ["0", "-0", "1.5", "NaN", "16777216"],
    "text": ["", " ", "a", "A", "a ", "NULL", "\\N", "ä", "a\u0308", "0"],
    'text COLLATE "C"': ["", "a", "b"],
    "varchar(5)": ["", "a", "a "],
    "char(4)": ["", "a", "b"],
    "bytea": ["\\x", "\\x00", "\\x0000", "\\xff"],
    "citext": ["a", "A", "b"],
    "date": ["infinity", "-infinity", "2000-01-01", "0001-01-01 BC", "0001-01-01"],
    "timestamptz": [
        "infinity",
        "-infinity",
        "2000-01-01 00:00+00",
        "2000-01-01 01:11:34.967297+00",
        "1970-01-01 00:00+00",
    ],
    "timestamp": ["2000-01-01", "2000-01-01 00:00:00.000001", "4713-01-01 BC", "294276-01-01", "1840-01-01"],
    "time": ["00:00", "24:00", "01:11:34.967297"],
    "interval": ["30 days", "1 mon", "720:00", "0", "-1 day"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000001"],
    "json": ["{}", "{ }", "null", "[1]"],
    "jsonb": ["{}", "null", "1.5", "1.50", "[]"],
    "int4[]": ["{}", "{NULL}", "{1,2}", "{{1,2}}", "[2:3]={1,2}", "{2,1}"],
    "text[]": ["{}", '{""}', "{NULL}", '{"NULL"}'],
    "numrange": ["empty", "[1,2]", "[1.0,2]", "(,)"],
    "point": ["(0,0)", "(-0,0)", "(1,2)", "(2,1)"],
    "inet": ["10.0.0.1", "10.0.0.1/24", "::1"],
    "mood": ["sad", "glad", ""],
    "positive": ["1", "2"],
    "pair": ["(,)", '(,"")', "(1,a)"],
    "varbit": ["", "0", "00"],
    "tsvector": ["", "a", "a:1"],
    "money": ["0", "1.5", "-1.5"],
    "oid": ["0", "1"],
}
KINDS = sorted(POOLS)


@dataclass(frozen=True)
class Change:
    """what: of which kind; the numbers choose row, other row, column and value by their remainders."""

    what: str
    row: int
    other: int
    column: int
    value: int


numbers = st.integers(0, 999)
changes = st.builds(
    Change,
    st.sampled_from(["set", "null", "exchange", "copy", "double", "delete", "insert"]),
    numbers,
    numbers,
    numbers,
    numbers,
)


@pytest.fixture(scope="module")
def database(postgres_server: Postgres) -> Iterator[Connection]:
    access = postgres_server.create(
        "properties",
        "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'glad', ''); CREATE TYPE pair AS (a int, b text);"
        "CREATE DOMAIN positive AS int8 CHECK (VALUE > 0);",
    )
    with sql.connect(access) as connection:
        yield connection


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=4),
    required=st.lists(st.booleans(), min_size=4, max_size=4),
    cells=st.lists(st.integers(-200, 999), min_size=0, max_size=24),
    made=st.lists(changes, min_size=1, max_size=4),
)
def test_the_fingerprint_says_what_an_exact_comparison_says(
    database: Connection, kinds: list[str], required: list[bool], cells: list[int], made: list[Change]
) -> None:
    kinds = [f"{kind} NOT NULL" if needed else kind for kind, needed in zip(kinds, required, strict=False)]
    with database.transaction(force_rollback=True):
        columns = ", ".join(f"c{number} {kind}" for number, kind in enumerate(kinds))
        database.execute(f"CREATE TABLE t (row int, {columns})".encode())
        for at in range(0, len(cells) - len(kinds) + 1, len(kinds)):
            _insert(database, [_value(kind, cells[at + n]) for n, kind in enumerate(kinds)])
        before = _seen(database)
        for change in made:
            _apply(database, kinds, change)
            exact, fingerprint = _seen(database)
            assert (fingerprint == before[1]) == (exact == before[0]), (kinds, before[0], exact)


def _value(kind: str, number: int) -> str | None:
    """A fifth of all values are NULL where that is allowed."""
    pool = POOLS[kind.removesuffix(" NOT NULL")]
    return None if number < 0 and kind in POOLS else pool[number % len(pool)]


def _insert(database: Connection, values: list[str | None]) -> None:
    marks = ", ".join("%s" for _ in values)
    database.execute(f"INSERT INTO t VALUES ((SELECT coalesce(max(row), 0) + 1 FROM t), {marks})".encode(), values)


def _seen(database: Connection) -> tuple[list[str], object]:
    """All rows as texts, without their number and their order, and the fingerprint of the same."""
    with database.transaction(force_rollback=True), pinned(database):
        database.execute("ALTER TABLE public.t DROP COLUMN row")
        rows = [text for (text,) in fetch(database, 'SELECT t::text FROM public.t ORDER BY t::text COLLATE "C"')]
        return rows, contents(database, tables(database))["public.t"]


def _apply(database: Connection, kinds: list[str], change: Change) -> None:
    rows = [number for (number,) in fetch(database, "SELECT row FROM t ORDER BY row")]
    if change.what == "insert" or not rows:
        _insert(database, [_value(kind, change.value + n) for n, kind in enumerate(kinds)])
        return
    row, other = rows[change.row % len(rows)], rows[change.other % len(rows)]
    number = change.column % len(kinds)
    name = f"c{number}"
    names = ", ".join(f"c{n}" for n in range(len(kinds)))
    statements: dict[str, tuple[str, list[object]]] = {
        "set": (f"UPDATE t SET {name} = %s WHERE row = %s", [_value(kinds[number], change.value), row]),
        "null": (f"UPDATE t SET {name} = %s WHERE row = %s", [_value(kinds[number], -1), row]),
        "exchange": (
            f"UPDATE t SET {name} = u.{name} FROM t u WHERE t.row IN (%s, %s) AND u.row IN (%s, %s) AND u.row <> t.row",
            [row, other, row, other],
        ),
        "copy": (f"UPDATE t SET {name} = (SELECT {name} FROM t WHERE row = %s) WHERE row = %s", [row, other]),
        "double": (f"INSERT INTO t SELECT (SELECT max(row) + 1 FROM t), {names} FROM t WHERE row = %s", [row]),
        "delete": ("DELETE FROM t WHERE row = %s", [row]),
    }
    statement, parameters = statements[change.what]
    database.execute(statement.encode(), parameters)
