"""Which tables a dump holds, with what a fingerprint needs to know of their columns.

Only reads the catalogue; the SQL that reads the rows is in fingerprint_sql.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ecom_platform.backup.fingerprint_sql import Column, chain, label, quoted
from ecom_platform.clients.sql import fetch

if TYPE_CHECKING:
    from ecom_platform.clients.sql import Connection


@dataclass(frozen=True, slots=True)
class Table:
    """A table with rows of its own. group: the name under which its content is counted.

    chained: names of columns that are hashed one into the other. clause: for a table of an extension, which of its
    rows a dump holds (`WHERE ...`, as the extension wrote it).
    """

    oid: int
    schema: str
    name: str
    group: str
    pages: int
    columns: tuple[Column, ...]
    chained: tuple[str, ...]
    clause: str


_TABLES = """
WITH RECURSIVE hashed(relid, root) AS (
    -- Below a hash-partitioned table pg_dump may move rows to another partition (keys of an enum
    -- hash by OID), so all its partitions count as one.
    SELECT c.oid, c.oid FROM pg_class c JOIN pg_partitioned_table p ON p.partrelid = c.oid
    WHERE p.partstrat = 'h'
  UNION
    SELECT i.inhrelid, h.root FROM hashed h JOIN pg_inherits i ON i.inhparent = h.relid
), topmost(relid, root) AS (
    SELECT DISTINCT ON (h.relid) h.relid, h.root FROM hashed h
    WHERE NOT EXISTS (SELECT FROM hashed up WHERE up.relid = h.root AND up.root <> h.root)
), config(relid, condition) AS (
    SELECT u.relid, u.condition FROM pg_extension e, unnest(e.extconfig, e.extcondition) AS u(relid, condition)
)
SELECT c.oid, n.nspname, c.relname, rn.nspname, rc.relname, c.relpages, coalesce(config.condition, '')
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN topmost ON topmost.relid = c.oid
LEFT JOIN pg_class rc ON rc.oid = topmost.root
LEFT JOIN pg_namespace rn ON rn.oid = rc.relnamespace
LEFT JOIN config ON config.relid = c.oid
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND (config.relid IS NOT NULL OR NOT EXISTS (
      SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))
"""

_COLUMNS = """
WITH RECURSIVE based(typ, base) AS (
    SELECT oid, oid FROM pg_type WHERE typtype <> 'd'
  UNION ALL
    SELECT d.oid, b.base FROM pg_type d JOIN based b ON d.typbasetype = b.typ WHERE d.typtype = 'd'
)
SELECT a.attrelid, a.attname,
       CASE WHEN t.typnamespace = 'pg_catalog'::regnamespace THEN t.typname::text ELSE '' END,
       CASE WHEN EXISTS (SELECT FROM pg_cast k WHERE k.castsource = t.oid AND k.casttarget = 'text'::regtype)
            THEN pn.nspname::text ELSE '' END,
       p.proname,
       -- From 18 on a column can be marked before all its rows were looked at.
       a.attnotnull AND NOT EXISTS (
           SELECT FROM pg_constraint v WHERE v.conrelid = a.attrelid AND v.contype = 'n' AND NOT v.convalidated
               AND v.conkey = ARRAY[a.attnum])
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'
JOIN based b ON b.typ = a.atttypid
JOIN pg_type t ON t.oid = b.base
JOIN pg_proc p ON p.oid = t.typoutput
JOIN pg_namespace pn ON pn.oid = p.pronamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v' AND a.attrelid >= 16384
ORDER BY a.attrelid, a.attname
"""


def tables(connection: Connection, chains: Mapping[str, Sequence[str]] | None = None) -> tuple[Table, ...]:
    """Every table whose rows a dump holds, the largest first. Foreign tables are not read.

    chains: by group, the columns that were hashed one into the other where this is compared with. A restored
    table that lost a NOT NULL must not look as if its content had changed.
    """
    columns: dict[int, list[Column]] = {}
    for relation, name, base, schema, function, required in fetch(connection, _COLUMNS):
        column = Column(name, base, quoted(schema, function) if schema else "", required)
        columns.setdefault(relation, []).append(column)
    found = []
    for oid, schema, name, root_schema, root, pages, condition in fetch(connection, _TABLES):
        group, own = label(root_schema or schema, root or name), tuple(columns.get(oid, ()))
        # Tables that are counted as one may differ in their NOT NULLs, and rows move between them.
        possible = () if root else chain(own)
        chained = possible if chains is None else tuple(chains.get(group, ()))
        found.append(Table(oid, schema, name, group, pages, own, chained, condition))
    return tuple(sorted(found, key=lambda each: (-each.pages, each.schema, each.name)))
