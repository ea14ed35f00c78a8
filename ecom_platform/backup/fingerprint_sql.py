"""The SQL text that fingerprints a table's content; pure text, nothing here talks to a server.

A row's value is 64 bits: each column hashed with a seed made of its name, the hashes joined by XOR and
mixed once more; a table's value is the sum over its rows. docs/decisions/fingerprints.md tells why.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

# Every setting on which the text of a value depends, and those that would slow or hide a scan.
PINNED = {
    "search_path": "pg_catalog, pg_temp",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "lc_monetary": "C",
    "xmlbinary": "base64",
    "quote_all_identifiers": "off",
    "standard_conforming_strings": "on",
    "row_security": "off",  # a hidden row is an error, not a smaller count
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "jit": "off",
    "enable_memoize": "off",  # would answer a volatile function from its cache
    "max_parallel_workers_per_gather": "0",
    "default_transaction_read_only": "on",
}

# Types whose own hash tells every two different texts apart; {c} column, {s} 64-bit and {k} 32-bit seed.
# Not here, because their hashes call different texts equal: numeric (ignores sign and scale), interval,
# jsonb, arrays (ignore dimensions), ranges, bpchar, time (folded to 32 bits), enum (hashes its OID).
_NATIVE = {
    "bool": "hashint4extended({c}::int4, {s})",
    "int2": "hashint2extended({c}, {s})",
    "int4": "hashint4extended({c}, {s})",
    # hashint8extended folds its value to 32 bits (0 and 4294967297 are equal); as a seed all 64 count.
    "int8": "hashint4extended({k}, {c})",
    "oid": "hashoidextended({c}, {s})",
    "text": 'hashtextextended({c} COLLATE "C", {s})',
    "varchar": 'hashtextextended({c}::text COLLATE "C", {s})',
    "uuid": "uuid_hash_extended({c}, {s})",
    "inet": "hashinetextended({c}, {s})",
    "cidr": "hashinetextended({c}, {s})",
    "macaddr": "hashmacaddrextended({c}, {s})",
    "macaddr8": "hashmacaddr8extended({c}, {s})",
    "float4": "hashfloat4extended({c}, CASE WHEN {c} = 0 AND {c}::text = '-0' THEN {n} ELSE {s} END)",
    "float8": "hashfloat8extended({c}, CASE WHEN {c} = 0 AND {c}::text = '-0' THEN {n} ELSE {s} END)",
    "date": "CASE WHEN isfinite({c}) THEN hashint4extended({c} - '2000-01-01'::date, {s}) ELSE {text} END",
    # Their own hash folds to 32 bits too. In these years the seconds as float8 are exact to the microsecond.
    "timestamp": (
        "CASE WHEN {c} BETWEEN '1850-01-01'::timestamp AND '2100-01-01'::timestamp"
        " THEN hashfloat8extended(date_part('epoch', {c}), {s}) ELSE {text} END"
    ),
    "timestamptz": (
        "CASE WHEN {c} BETWEEN '1850-01-01 00:00:00+00'::timestamptz AND '2100-01-01 00:00:00+00'::timestamptz"
        " THEN hashfloat8extended(date_part('epoch', {c}), {s}) ELSE {text} END"
    ),
}


_SIMPLE = re.compile(r"^[a-z_][a-z0-9_$]*$")


@dataclass(frozen=True, slots=True)
class Column:
    """base: the built-in type's name under all domains, '' for others. output: its output function,
    quoted and qualified, if the type has a cast to text of its own (which may say less); else ''.
    """

    name: str
    base: str
    output: str = ""


def quoted(*names: str) -> str:
    """An identifier as SQL, whatever the server's keywords are."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def label(*names: str) -> str:
    """A readable name, quoted by one rule: servers quote by their list of keywords, which grows."""
    return ".".join(name if _SIMPLE.match(name) else '"' + name.replace('"', '""') + '"' for name in names)


def literal(text: str) -> str:
    """A text as SQL, also if standard_conforming_strings is off."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def table_query(schema: str, table: str, columns: Sequence[Column], clause: str = "") -> str:
    """One row: the number of rows and the sum of their values, of this table without its children.

    clause: what follows FROM, as `WHERE ...`; the sums of parts of a table add up to its own.
    """
    row = " # ".join(_column(each) for each in columns) or "0::int8"
    value = f"coalesce(sum(hashint4extended(1, {row})), 0)"
    return f"SELECT count(*), {value} FROM ONLY {quoted(schema, table)} AS t {clause}"  # noqa: S608  # names are quoted


def pages_clause(first: int, end: int | None) -> str:
    """Only rows that lie from the first page to before the end; None for all that follow."""
    return f"WHERE t.ctid >= '({first},0)'::tid" + ("" if end is None else f" AND t.ctid < '({end},0)'::tid")


def _column(column: Column) -> str:
    digest = hashlib.sha256(column.name.encode()).digest()
    seed, null, minus_zero = (f"'{_integer(digest[at : at + 8])}'::int8" for at in (0, 8, 16))
    name = f"t.{quoted(column.name)}"
    text = f"textin({column.output}({name}))" if column.output else f"{name}::text"
    numbers = {"s": seed, "n": minus_zero, "k": f"'{_integer(digest[24:28])}'::int4"}
    as_text = f'hashtextextended({text} COLLATE "C", {seed})'
    value = _NATIVE.get(column.base, "{text}").format(c=name, text=as_text, **numbers)
    return f"coalesce({value}, {null})"


def _integer(some: bytes) -> int:
    return int.from_bytes(some, "little", signed=True)
