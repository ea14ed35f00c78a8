"""What a content fingerprint sees, and what it does not depend on."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from ecom_platform.backup.fingerprint_tables import tables
from ecom_platform.backup.fingerprints import Fingerprint, contents, fingerprint, pinned, sequences, settle_sequences
from ecom_platform.clients import sql
from ecom_platform.errors import ConfigurationError
from tests.backup.restoring import open_folder, read_fingerprint
from tests.backup.servers import Postgres

Connection = psycopg.Connection[tuple[Any, ...]]


def content(connection: Connection) -> dict[str, tuple[int, str]]:
    with pinned(connection):
        found = contents(connection, tables(connection))
    return {name: (each.rows, each.content) for name, each in found.items()}


DIFFERENT = [
    ("text", "''", "NULL"),
    ("text", "'a'", "'A'"),
    ("text", "'a'", "'a '"),
    ("text", "E'e\\u0301'", "'é'"),
    ("citext", "'Mixed'", "'mixed'"),
    ("char(3)", "'a'", "'b'"),
    ("bpchar", "'a'", "'a '"),
    ("bytea", "''", "NULL"),
    ("bytea", "'\\x00'", "'\\x0000'"),
    ("int8", "0", "4294967297"),
    ("int8", "0", "-1"),
    ("int8", "1", "NULL"),
    ("int4", "0", "NULL"),
    ("numeric", "1.5", "1.50"),
    ("numeric", "1.5", "-1.5"),
    ("numeric", "'NaN'", "'Infinity'"),
    ("numeric", "'Infinity'", "'-Infinity'"),
    ("numeric", "0", "0.0"),
    ("float8", "0", "'-0'"),
    ("float8", "0.1", "0.10000000000000002"),
    ("float8", "'NaN'", "'Infinity'"),
    ("float4", "0", "'-0'"),
    ("float4", "16777216", "16777218"),
    ("bool", "true", "false"),
    ("interval", "'30 days'", "'1 mon'"),
    ("interval", "'24:00:00'", "'1 day'"),
    ("time", "'00:00:00'", "'01:11:34.967297'"),
    ("timetz", "'12:00+00'", "'13:00+01'"),
    ("timestamptz", "'2000-01-01 00:00+00'", "'2000-01-01 01:11:34.967297+00'"),
    ("timestamptz", "'infinity'", "'-infinity'"),
    ("timestamp", "'2000-01-01'", "'2000-01-01 01:11:34.967297'"),
    ("timestamp", "'4713-01-01 BC'", "'4712-01-01 BC'"),
    ("timestamp", "'294276-12-31 00:00:00.000001'", "'294276-12-31 00:00:00.000002'"),
    ("timestamp", "'2099-12-31 23:59:59.999998'", "'2099-12-31 23:59:59.999999'"),
    ("date", "'infinity'", "'-infinity'"),
    ("date", "'0044-03-15 BC'", "'0044-03-15'"),
    ("money", "1.5", "-1.5"),
    ("json", "'{\"a\":1}'", "'{\"a\": 1}'"),
    ("jsonb", "'1.5'", "'1.50'"),
    ("jsonb", "'null'", "NULL"),
    ("jsonpath", "'$.a'", "'$.b'"),
    ("int4[]", "'{1,2,3,4}'", "'{{1,2},{3,4}}'"),
    ("int4[]", "'{1,2}'", "'[2:3]={1,2}'"),
    ("int4[]", "'{}'", "'{NULL}'"),
    ("text[]", "'{NULL}'", "'{\"NULL\"}'"),
    ("numeric[]", "'{1.5}'", "'{1.50}'"),
    ("float8[]", "'{0}'", "'{-0}'"),
    ("numrange", "'[1,2]'", "'[1.0,2]'"),
    ("int4range", "'empty'", "NULL"),
    ("nummultirange", "'{[1,2]}'", "'{[1,2.0]}'"),
    ("point", "'(0,0)'", "'(-0,0)'"),
    ("polygon", "'((0,0),(1,1),(1,0))'", "'((0,0),(1,0),(1,1))'"),
    ("circle", "'<(0,0),1>'", "'<(0,0),2>'"),
    ("bit(3)", "B'101'", "B'100'"),
    ("varbit", "B'0'", "B'00'"),
    ("tsvector", "'a:1'", "'a:1A'"),
    ("tsquery", "'a & b'", "'b & a'"),
    ("inet", "'10.0.0.1'", "'10.0.0.1/24'"),
    ("cidr", "'10.0.0.0/8'", "'10.0.0.0/9'"),
    ("macaddr8", "'08:00:2b:01:02:03:04:05'", "'08:00:2b:01:02:03:04:06'"),
    ("uuid", "'00000000-0000-0000-0000-000000000000'", "NULL"),
    ("pg_lsn", "'0/0'", "'1/1'"),
    ("xid8", "'0'", "'4294967297'"),
    ("pg_snapshot", "'10:20:10'", "'10:20:11'"),
    ('"char"', "'a'", "'b'"),
    ("name", "'a'", "'b'"),
    ("mood", "'sad'", "'glad'"),
    ("mood", "'sad'", "NULL"),
    ("pair", "'(1,)'", "'(1,\"\")'"),
    ("pair[]", "ARRAY['(1,)'::pair]", "ARRAY['(,)'::pair]"),
    ("regclass", "'pg_class'", "'pg_type'"),
    ("tid", "'(0,1)'", "'(0,2)'"),
    ("oid", "0", "4294967295"),
    ("int2vector", "'1 2'", "'2 1'"),
]


@pytest.mark.parametrize(("kind", "one", "other"), DIFFERENT)
def test_two_values_that_are_written_differently_have_different_fingerprints(
    scratch: Connection, kind: str, one: str, other: str
) -> None:
    scratch.execute(f"CREATE TABLE t (id int, v {kind}); INSERT INTO t VALUES (1, {one}), (2, {one})".encode())
    before = content(scratch)
    scratch.execute(f"UPDATE t SET v = {other} WHERE id = 2".encode())
    changed = content(scratch)
    scratch.execute(f"UPDATE t SET v = {one} WHERE id = 2".encode())
    assert changed != before
    assert content(scratch) == before


EXCHANGES = [
    "UPDATE t SET a = 3 - a",
    "UPDATE t SET a = b, b = a WHERE id = 1",
    "UPDATE t SET id = 3 - id",
    "INSERT INTO t SELECT * FROM t",
    "DELETE FROM t WHERE id = 2; INSERT INTO t SELECT * FROM t",
    "DELETE FROM t",
]


@pytest.mark.parametrize("change", EXCHANGES)
def test_exchanged_doubled_and_missing_rows_are_seen(scratch: Connection, change: str) -> None:
    scratch.execute(b"CREATE TABLE t (id int, a int, b int); INSERT INTO t VALUES (1, 1, 7), (2, 2, 7)")
    before = content(scratch)
    scratch.execute(change.encode())
    assert content(scratch) != before


def test_the_order_of_rows_and_of_columns_and_dropped_columns_do_not_matter(scratch: Connection) -> None:
    scratch.execute(b"CREATE TABLE t (a int, b text); INSERT INTO t SELECT i, 'x' || i FROM generate_series(1, 99) i")
    before = content(scratch)
    scratch.execute(b"CREATE TABLE u (gone int, b text, a int); ALTER TABLE u DROP COLUMN gone")
    scratch.execute(b"INSERT INTO u (a, b) SELECT a, b FROM t ORDER BY a DESC; DROP TABLE t; ALTER TABLE u RENAME TO t")
    assert content(scratch) == before


def test_tables_without_columns_are_told_apart_by_their_rows(scratch: Connection) -> None:
    scratch.execute(b"CREATE TABLE t (); INSERT INTO t DEFAULT VALUES")
    one = content(scratch)
    scratch.execute(b"INSERT INTO t DEFAULT VALUES")
    assert one["public.t"][0] == 1
    assert content(scratch)["public.t"][0] == 2


def test_parents_and_children_are_counted_once_and_apart(scratch: Connection) -> None:
    scratch.execute(
        b"CREATE TABLE p (a int); CREATE TABLE c () INHERITS (p); INSERT INTO p VALUES (1); INSERT INTO c VALUES (2)"
    )
    scratch.execute(b"CREATE TABLE r (a int) PARTITION BY RANGE (a); CREATE TABLE r1 PARTITION OF r DEFAULT")
    scratch.execute(b"INSERT INTO r VALUES (1), (2), (3)")
    assert {name: rows for name, (rows, _) in content(scratch).items()} == {
        "public.p": 1,
        "public.c": 1,
        "public.r1": 3,
    }


def test_rows_may_lie_in_any_partition_of_a_hash(scratch: Connection) -> None:
    scratch.execute(b"CREATE TABLE h (m mood, v int) PARTITION BY HASH (m)")
    for number in range(2):
        scratch.execute(
            f"CREATE TABLE h{number} PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER {number})".encode()
        )
    scratch.execute(b"INSERT INTO h VALUES ('sad', 1), ('glad', 2), ('glad', 3)")
    assert content(scratch)["public.h"][0] == 3


SETTINGS = {
    "TimeZone": "Asia/Kathmandu",
    "DateStyle": "SQL, DMY",
    "IntervalStyle": "sql_standard",
    "extra_float_digits": "-15",
    "bytea_output": "escape",
    "quote_all_identifiers": "on",
    "search_path": "nothing",
    "default_transaction_isolation": "serializable",
    "standard_conforming_strings": "off",
}


def test_the_settings_of_server_database_and_role_do_not_matter(postgres_server: Postgres) -> None:
    access = postgres_server.create(
        "settings",
        "CREATE TABLE t (a timestamptz, b date, c interval, d float8, e bytea, f money, g regclass, h tstzrange);"
        "INSERT INTO t SELECT '2024-03-31 02:30+02', '2024-02-01', '-1 year 2 days', i / 7.0, sha256('x'), 1.5, 't',"
        " '[2024-01-01 00:00+00,)' FROM generate_series(1, 50) i;"
        "CREATE VIEW v AS SELECT a FROM t WHERE a > '2024-01-01 00:00+05'; CREATE INDEX ON t (e) WHERE e > '\\x00';"
        "CREATE TABLE p (d date) PARTITION BY RANGE (d);"
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-02-01') TO (MAXVALUE);",
    )
    before = read_fingerprint(access)
    with sql.connect(access) as connection:
        for name, value in SETTINGS.items():
            connection.execute(f"ALTER DATABASE settings SET {name} = '{value}'".encode())
    after = read_fingerprint(access)
    assert after.objects == before.objects
    assert after.model_copy(update={"bytes": before.bytes}) == before


def test_a_reader_from_whom_rows_are_hidden_is_refused(postgres_server: Postgres) -> None:
    access = postgres_server.create(
        "hidden",
        "CREATE TABLE t (a int); INSERT INTO t VALUES (1), (2); ALTER TABLE t ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY p ON t USING (a = 1); DROP ROLE IF EXISTS hidden_reader;"
        f"CREATE ROLE hidden_reader LOGIN PASSWORD '{postgres_server.access().password}';"
        "GRANT pg_read_all_data TO hidden_reader;",
    )
    reader = postgres_server.access("hidden", "hidden_reader")
    with pytest.raises(ConfigurationError, match="row-level security"):
        read_fingerprint(reader)
    with sql.connect(access) as connection:
        connection.execute("ALTER ROLE hidden_reader BYPASSRLS")
    assert read_fingerprint(reader).tables == read_fingerprint(access).tables


def test_a_fingerprint_belongs_to_the_snapshot_of_its_transaction(postgres_server: Postgres) -> None:
    access = postgres_server.create("snapshots", "CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    with sql.connect(access) as reader, sql.connect(access) as writer, reader.transaction():
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        reader.execute("SELECT 1")
        writer.execute("INSERT INTO t VALUES (2)")
        assert fingerprint(reader).rows == 1
    assert read_fingerprint(access).rows == 2


def test_a_table_that_is_read_in_pieces_has_the_same_fingerprint(scratch: Connection) -> None:
    scratch.execute(b"CREATE TABLE wide AS SELECT i, repeat(md5(i::text), 20) AS text FROM generate_series(1, 20000) i")
    scratch.execute(b"DELETE FROM wide WHERE i % 7 = 0 OR i BETWEEN 5000 AND 9000")
    scratch.execute(b"UPDATE wide SET i = -i WHERE i % 5 = 0")
    scratch.execute(b"CREATE TABLE nothing (); CREATE TABLE few AS SELECT 1 AS n")
    scratch.execute(b"CREATE TABLE p (n int) PARTITION BY HASH (n)")
    scratch.execute(b"CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 1, REMAINDER 0)")
    scratch.execute(b"INSERT INTO p SELECT generate_series(1, 100)")
    pages = scratch.execute(b"SELECT pg_relation_size('wide') / 8192").fetchone()
    assert pages is not None
    assert pages[0] > 1200, "three pieces at least"
    with pinned(scratch):
        chosen = tables(scratch)
        assert contents(scratch, chosen, bytes_per_second=1e12) == contents(scratch, chosen)


EXTENSION = """
CREATE TABLE setting (name text, own boolean);
SELECT pg_extension_config_dump('setting', 'WHERE own');
INSERT INTO setting VALUES ('comes with it', false);
"""


def test_of_a_table_of_an_extension_the_rows_count_that_a_dump_holds(postgres_server: Postgres) -> None:
    access = postgres_server.create("extended")
    with open_folder() as folder, sql.connect(access) as connection:
        place = folder / "extension"
        place.mkdir(mode=0o755)
        (place / "own.control").write_text("default_version = '1'\nrelocatable = true\n")
        (place / "own--1.sql").write_text(EXTENSION)
        connection.execute(f"SET extension_control_path = '{folder}:$system'".encode())
        connection.execute(b"CREATE EXTENSION own; INSERT INTO setting VALUES ('mine', true)")
        one = content(connection)
        assert one["public.setting"][0] == 1
        connection.execute(b"UPDATE setting SET name = 'yours' WHERE own")
        assert content(connection) != one


def test_sequences_are_settled_after_the_dump(postgres_server: Postgres) -> None:
    access = postgres_server.create("settled", "CREATE SEQUENCE s; SELECT nextval('s')")
    with sql.connect(access) as connection:
        before = sequences(connection)
        connection.execute("SELECT nextval('s')")
        found = fingerprint(connection)
        connection.execute("SELECT nextval('s')")
        settled = settle_sequences(found, before, sequences(connection))
    state = settled.sequences["public.s"]
    assert (state.value, state.until) == (1, 3)
    assert Fingerprint.model_validate_json(settled.model_dump_json()) == settled
