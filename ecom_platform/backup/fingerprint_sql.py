"""The SQL text that fingerprints a table's content; pure text, nothing here talks to a server.

A row's value is 64 bits. Columns that hold no NULL are hashed one into the other: the hash of one is the seed of
the next. All others are hashed with a seed made of their name, joined by XOR and mixed once more. A table's value
is the sum over its rows. docs/decisions/fingerprints.md tells why.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

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


# The same with {a} for what was hashed before, which may stand there only once, or the text would double with each
# column. Whatever is in neither table is hashed by its text.
_INTO = {name: _NATIVE[name].replace("{s}", "{a}") for name in ("bool", "int2", "int4", "oid", "text", "varchar")}
_INTO |= {name: _NATIVE[name].replace("{s}", "{a}") for name in ("uuid", "inet", "cidr", "macaddr", "macaddr8")}
# Their binary form is exact, the infinite ones too; servers before 18 have no hash of bytes, so as hexadecimal text.
_INTO |= {
    name: f"hashtextextended(encode({name}_send({{c}}), 'hex') COLLATE \"C\", {{a}})"
    for name in ("date", "time", "timestamp", "timestamptz")
}

_NEVER_INTO = ("float4", "float8")
"""Their hash needs its seed twice; their text costs more than hashing them alone."""

_WIDE = "int8"
"""Joined to what was hashed before by XOR, as a part of the next column's seed: costs next to nothing."""


_SIMPLE = re.compile(r"^[a-z_][a-z0-9_$]*$")


@dataclass(frozen=True, slots=True)
class Column:
    """base: the built-in type's name under all domains, '' for others. output: its output function,
    quoted and qualified, if the type has a cast to text of its own (which may say less); else ''.
    required: it surely holds no NULL.
    """

    name: str
    base: str
    output: str = ""
    required: bool = False


def quoted(*names: str) -> str:
    """An identifier as SQL, whatever the server's keywords are."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def label(*names: str) -> str:
    """A readable name, quoted by one rule: servers quote by their list of keywords, which grows."""
    return ".".join(name if _SIMPLE.match(name) else '"' + name.replace('"', '""') + '"' for name in names)


def literal(text: str) -> str:
    """A text as SQL, also if standard_conforming_strings is off."""
    return "E'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def chain(columns: Iterable[Column]) -> tuple[str, ...]:
    """The columns that can be hashed one into the other, in the best order: a wide one before each other one."""
    able = [each for each in columns if each.required and each.base not in _NEVER_INTO]
    wide = [each.name for each in able if each.base == _WIDE]
    others = [each.name for each in able if each.base != _WIDE]
    return tuple(name for pair in zip_longest(wide, others) for name in pair if name is not None)


def table_query(
    schema: str, table: str, columns: Sequence[Column], *, chained: Sequence[str] = (), clause: str = ""
) -> str:
    """One row: the number of rows and the sum of their values, of this table without its children.

    chained: the names of columns that are hashed one into the other, in this order; a row with a NULL in one of
    them has no value. clause: what follows FROM, as `WHERE ...`; the sums of parts of a table add up to its own.
    """
    row = _row(columns, chained)
    names = quoted(schema, table)
    return f"SELECT count(*), coalesce(sum({row}), 0) FROM ONLY {names} AS t {clause}"  # noqa: S608  # names are quoted


def _row(columns: Sequence[Column], chained: Sequence[str]) -> str:
    by_name = {each.name: each for each in columns}
    inside = [by_name[name] for name in chained if name in by_name]
    parts = [_alone(each) for each in columns if each.name not in chained]
    if inside:
        value, mixed = _chain(inside)
        if mixed and not parts:
            return value
        parts.insert(0, value)
    return f"hashint4extended(1, {' # '.join(parts) or '0::int8'})"


def _chain(columns: Sequence[Column]) -> tuple[str, bool]:
    """The expression, and whether its last step was a hash. Two wide columns never meet without a hash between
    them: exchanged they would be the same.
    """
    names = "\0".join(each.name for each in columns)
    value, mixed = _seed(hashlib.sha256(names.encode()).digest(), 0), True
    for each in columns:
        if each.base == _WIDE:
            value = f"({value if mixed else f'hashint4extended(1, {value})'} # {_name(each)})"
            mixed = False
        else:
            as_text = f'hashtextextended({_text(each)} COLLATE "C", {value})'
            value, mixed = _INTO.get(each.base, "{text}").format(c=_name(each), a=value, text=as_text), True
    return value, mixed


def pages_clause(first: int, end: int | None) -> str:
    """Only rows that lie from the first page to before the end; None for all that follow."""
    return f"WHERE t.ctid >= '({first},0)'::tid" + ("" if end is None else f" AND t.ctid < '({end},0)'::tid")


def _alone(column: Column) -> str:
    digest = hashlib.sha256(column.name.encode()).digest()
    seed, null, minus_zero = (_seed(digest, at) for at in (0, 8, 16))
    as_text = f'hashtextextended({_text(column)} COLLATE "C", {seed})'
    numbers = {"s": seed, "n": minus_zero, "k": f"'{_integer(digest[24:28])}'::int4"}
    value = _NATIVE.get(column.base, "{text}").format(c=_name(column), text=as_text, **numbers)
    return f"coalesce({value}, {null})"


def _name(column: Column) -> str:
    return f"t.{quoted(column.name)}"


def _text(column: Column) -> str:
    """What its type's output function says, as in a dump."""
    return f"textin({column.output}({_name(column)}))" if column.output else f"{_name(column)}::text"


def _seed(digest: bytes, at: int) -> str:
    return f"'{_integer(digest[at : at + 8])}'::int8"


def _integer(some: bytes) -> int:
    return int.from_bytes(some, "little", signed=True)
