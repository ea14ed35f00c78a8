"""Definitions of a database's objects as short hashes by name: the schema's part of a fingerprint.

Goes here: reading schema_fingerprint.sql, running it, naming and hashing what it finds.
Hashes and not texts, because a manifest lies in a store where the texts would be readable.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from ecom_platform.backup.fingerprint_sql import label
from ecom_platform.clients.sql import fetch, translated

if TYPE_CHECKING:
    from ecom_platform.clients.sql import Connection

_HEADING = re.compile(r"^-- objects: (?P<title>.+?)(?: from (?P<first>\d+))?(?: until (?P<last>\d+))?$", re.MULTILINE)
_QUALIFIER = re.compile(r'(?:[\w$]+|\\"(?:[^"\\]|\\.)*?\\")\.(?=[\w\\])')
_DIGITS = 24  # 96 bits: no two definitions of one name meet by chance

_AS_TEXT = "SELECT kind, names::text[], suffix, definition::text FROM ({}) AS found(kind, names, suffix, definition)"
_USER = (
    "({oid} >= 16384 AND NOT EXISTS (SELECT FROM pg_depend ext WHERE ext.classid = '{catalog}'::regclass"
    " AND ext.objid = {oid} AND ext.deptype = 'e'))"
)
_MINE = "({persistence} <> 't' AND {schema} <> 'information_schema' AND {schema} !~ '^pg_')"
# 17.12 marks each column with the log position of its last change, which no dump keeps: pg_attver=29307808.
_OPTIONS = "(SELECT jsonb_agg(option_ ORDER BY option_) FROM unnest({array}) option_ WHERE option_ !~ '^pg_attver=')"
_ACL = """(SELECT jsonb_agg(line ORDER BY line) FROM (
    SELECT jsonb_build_array(CASE g_.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g_.grantee) END,
        CASE WHEN array_agg(g_.privilege_type ORDER BY g_.privilege_type) = (
            SELECT array_agg(w_.privilege_type ORDER BY w_.privilege_type)
            FROM aclexplode(acldefault({kind}, {owner})) w_ WHERE w_.grantee = {owner})
        THEN '["ALL"]'::jsonb ELSE jsonb_agg(g_.privilege_type ORDER BY g_.privilege_type) END,
        jsonb_agg(g_.privilege_type ORDER BY g_.privilege_type) FILTER (WHERE g_.grantable)) AS line
    FROM (SELECT x_.grantee, x_.privilege_type, bool_or(x_.is_grantable) AS grantable
        FROM aclexplode(coalesce({acl}, acldefault({kind}, {owner}))) x_ GROUP BY 1, 2) g_
    GROUP BY g_.grantee) lines)"""


class Part(NamedTuple):
    """One query and the server versions (server_version_num) in which it runs."""

    title: str
    first: int
    last: int
    query: str


@cache
def parts() -> tuple[Part, ...]:
    text = files("ecom_platform.backup").joinpath("schema_fingerprint.sql").read_text(encoding="utf-8")
    found = list(_HEADING.finditer(text))
    ends = [each.start() for each in found[1:]] + [len(text)]
    return tuple(
        Part(each["title"], int(each["first"] or 0), int(each["last"] or 10**7), _expanded(text[each.end() : end]))
        for each, end in zip(found, ends, strict=True)
    )


def objects(connection: Connection) -> dict[str, str]:
    """Hash of the definition by "kind schema.name"; two hashes if that of another version may differ."""
    return {name: _digest(definition) for name, definition in sorted(definitions(connection))}


def definitions(connection: Connection) -> Iterator[tuple[str, str]]:
    """Name and normalised definition of every object that a dump holds."""
    with translated("read the definitions of the database's objects"):
        version = int(fetch(connection, "SELECT current_setting('server_version_num')")[0][0])
        for part in parts():
            if not part.first <= version <= part.last:
                continue
            for kind, names, suffix, definition in fetch(connection, _AS_TEXT.format(part.query)):
                yield f"{kind} {label(*names)}{suffix}", definition


_ROLES = """
SELECT DISTINCT r.rolname FROM pg_roles r
WHERE r.rolname !~ '^pg_' AND (r.oid = 10 OR EXISTS (SELECT FROM pg_shdepend d JOIN pg_database b ON b.oid = d.dbid
    WHERE b.datname = current_database() AND d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid))
ORDER BY 1
"""


def roles(connection: Connection) -> tuple[str, ...]:
    """Every role that owns something in this database or is named in a grant, a policy or a mapping."""
    return tuple(name for (name,) in fetch(connection, _ROLES))


def _digest(definition: str) -> str:
    exact, portable = _hash(definition), _hash(_without_qualifiers(definition))
    return f"{exact}:{portable}" if definition != _without_qualifiers(definition) else exact


def _without_qualifiers(definition: str) -> str:
    """Versions differ in where they write `table.column` for `column`, and in what they quote."""
    return _QUALIFIER.sub("", definition).replace('\\"', "")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _expanded(query: str) -> str:
    """The query with its @macros written out."""
    templates = {
        "user": (_USER, ("catalog", "oid")),
        "mine": (_MINE, ("persistence", "schema")),
        "options": (_OPTIONS, ("array",)),
        "acl": (_ACL, ("kind", "acl", "owner")),
    }
    while match := re.search(r"@(user|mine|options|acl)\(", query):
        template, names = templates[match[1]]
        end, arguments = _arguments(query, match.end())
        query = query[: match.start()] + template.format(**dict(zip(names, arguments, strict=True))) + query[end:]
    return query.strip()


def _arguments(query: str, at: int) -> tuple[int, list[str]]:
    """The end of a macro's call and its arguments; commas inside brackets do not part them."""
    depth, found, begin = 0, [], at
    while depth >= 0:
        letter = query[at]
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if depth < 0 or (depth == 0 and letter == ","):
            found.append(query[begin:at].strip())
            begin = at + 1
        at += 1
    return at, found
