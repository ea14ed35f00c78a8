"""Columns that surely hold no NULL are hashed one into the other; all that a fingerprint must see is seen so too."""

from __future__ import annotations

import pytest

from ecom_platform.backup.fingerprint_tables import tables
from ecom_platform.backup.fingerprints import contents, pinned
from tests.backup.test_fingerprint_content import DIFFERENT, Connection, content


@pytest.mark.parametrize(("kind", "one", "other"), [each for each in DIFFERENT if "NULL" not in each[1:]])
def test_the_same_holds_for_columns_that_are_hashed_one_into_the_other(
    scratch: Connection, kind: str, one: str, other: str
) -> None:
    scratch.execute(f"CREATE TABLE t (a int8 NOT NULL, b int8 NOT NULL, v {kind} NOT NULL, w {kind} NOT NULL)".encode())
    scratch.execute(f"INSERT INTO t VALUES (1, 1, {one}, {other}), (2, 2, {one}, {other})".encode())
    before = content(scratch)
    for change in (f"v = {other} WHERE a = 2", "v = w, w = v WHERE a = 2", "v = w, w = v", "a = 3 - a", "b = a + 1"):
        with scratch.transaction(force_rollback=True):
            scratch.execute(f"UPDATE t SET {change}".encode())
            assert content(scratch) != before, change
    scratch.execute(b"UPDATE t SET a = 3 - a, b = 3 - b")
    assert content(scratch) == before


def chained(connection: Connection) -> dict[str, tuple[str, ...]]:
    with pinned(connection):
        return {each.name: each.chained for each in tables(connection)}


def test_columns_that_surely_hold_no_null_are_hashed_one_into_the_other_by_pairs(scratch: Connection) -> None:
    scratch.execute(b"CREATE TABLE t (a int8 NOT NULL, b int8 NOT NULL, f float8 NOT NULL, n text, z text NOT NULL)")
    assert chained(scratch) == {"t": ("a", "z", "b")}


def test_a_not_null_that_was_not_validated_promises_nothing(scratch: Connection) -> None:
    scratch.execute(b"CREATE TABLE t (a int, b int NOT NULL); INSERT INTO t VALUES (NULL, 1), (NULL, 2)")
    scratch.execute(b"ALTER TABLE t ADD CONSTRAINT c NOT NULL a NOT VALID")
    assert chained(scratch) == {"t": ("b",)}
    before = content(scratch)
    scratch.execute(b"ALTER TABLE t DROP CONSTRAINT c; UPDATE t SET b = 3 WHERE b = 2")
    scratch.execute(b"ALTER TABLE t ADD CONSTRAINT c NOT NULL a NOT VALID")
    assert content(scratch) != before


def test_partitions_of_a_hash_that_differ_in_their_not_nulls_are_read_alike(scratch: Connection) -> None:
    scratch.execute(b"CREATE TABLE h (id int8 NOT NULL, v int) PARTITION BY HASH (id)")
    scratch.execute(b"CREATE TABLE h0 PARTITION OF h (v NOT NULL) FOR VALUES WITH (MODULUS 2, REMAINDER 0)")
    scratch.execute(b"CREATE TABLE h1 PARTITION OF h FOR VALUES WITH (MODULUS 2, REMAINDER 1)")
    assert chained(scratch) == {"h0": (), "h1": ()}


def test_a_table_with_as_many_columns_as_there_can_be_is_read(scratch: Connection) -> None:
    columns = ", ".join(f"column_{number} {kind} NOT NULL DEFAULT {number}" for number, kind in enumerate(WIDE))
    scratch.execute(f"CREATE TABLE t ({columns}); INSERT INTO t DEFAULT VALUES".encode())
    before = content(scratch)
    assert len(chained(scratch)["t"]) == len(WIDE)
    scratch.execute(b"UPDATE t SET column_800 = -1")
    assert content(scratch) != before


WIDE = ["int8"] * 100 + ["int4"] * 1500


def test_values_stay_what_they_are_in_the_manifests_that_were_written(scratch: Connection) -> None:
    """Another value for the same rows needs another number of the algorithm."""
    scratch.execute(
        b"CREATE TABLE t (a int8 NOT NULL, b text NOT NULL, c timestamptz NOT NULL, d int8, e float8 NOT NULL);"
        b"INSERT INTO t VALUES (1, 'x', '2026-01-02 03:04:05.678901+00', NULL, 0.5), (2, '', 'infinity', 7, '-0')"
    )
    with pinned(scratch):
        now, before = (contents(scratch, each)["public.t"] for each in (tables(scratch), tables(scratch, {})))
    assert (now.content, now.chained) == ("3338454f721feb35", ("a", "b", "c"))
    assert (before.content, before.chained) == ("060714b6d17b9d6e", ())
