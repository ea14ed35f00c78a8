"""Fills the tables inside PostgreSQL with generate_series: no row travels over the wire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from shop.seed import catalogue

LOCK = 0x73686F70
"""The same advisory lock as shop.migrate's: neither may change the tables under the other."""

STATEMENT_TABLES = ("products", "customers", "sessions", "carts", "cart_items", "orders", "order_lines")


class NotEmpty(Exception):
    """The database holds a shop that this seed did not make; the text says what was found."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much to make. Everything follows from the number of orders: a shop with ten times the
    orders has ten times the products and customers, and three lines an order.
    """

    orders: int
    seed: int

    @property
    def products(self) -> int:
        return max(240, self.orders // 10)

    @property
    def customers(self) -> int:
        return max(100, self.orders // 4)

    @property
    def label(self) -> str:
        """What is written on the filled table, so that the next run knows."""
        return f"seeded with orders={self.orders} seed={self.seed}"


# `pick` is a hash and no random(): row n is the same whatever was made before it, and in any order.
_PICK = """CREATE FUNCTION pg_temp.pick(n bigint, salt integer, size integer) RETURNS integer
LANGUAGE sql IMMUTABLE AS
$$ SELECT ((hashint8extended(n, salt::bigint + {seed}) & 9223372036854775807) % size)::integer $$"""

# Kind and colour together are the picture; style and edition make every name unique. Stock is far
# beyond what a load test can buy.
_PRODUCTS = """INSERT INTO products (id, name, description, price_cents, stock, image, created_at)
SELECT n,
    (%(styles)s::text[])[1 + style] || ' ' || (%(colours)s::text[])[1 + colour] || ' ' || (%(kinds)s::text[])[1 + kind]
        || CASE WHEN edition > 0 THEN ' No. ' || edition + 1 ELSE '' END,
    (%(abouts)s::text[])[1 + kind] || ' ' || (%(materials)s::text[])[1 + pg_temp.pick(n, 1, %(material_count)s)],
    (%(least)s::int[])[1 + kind] + 50 * pg_temp.pick(n, 2, (%(span)s::int[])[1 + kind] / 50),
    500000 + pg_temp.pick(n, 3, 500000),
    (%(pictures)s::text[])[1 + kind] || '-' || 1 + colour || '.png',
    timestamptz '2024-01-01 00:00:00+00' - n * interval '1 minute'
FROM (
    SELECT n, (n - 1) %% %(kind_count)s AS kind,
        ((n - 1) / %(kind_count)s + n) %% %(colour_count)s AS colour,
        ((n - 1) / (%(kind_count)s * %(colour_count)s) + 7 * n + %(seed)s) %% %(style_count)s AS style,
        (n - 1) / (%(kind_count)s * %(colour_count)s * %(style_count)s) AS edition
    FROM generate_series(1, %(products)s) AS n
) AS numbered"""

# No password: these people exist for the orders' sake. Load tests sign up people of their own.
_CUSTOMERS = """INSERT INTO customers (id, email, name, created_at)
SELECT n, 'customer' || n || '@example.com',
    (%(first)s::text[])[1 + pg_temp.pick(n, 4, %(first_count)s)] || ' '
        || (%(last)s::text[])[1 + pg_temp.pick(n, 5, %(last_count)s)],
    timestamptz '2024-01-01 00:00:00+00' + n * interval '1 minute'
FROM generate_series(1, %(customers)s) AS n"""

# Long expired: whoever knows the seed must not be able to sign in with one of these.
_SESSIONS = """INSERT INTO sessions (token_hash, customer_id, created_at, expires_at)
SELECT sha256(convert_to('seed ' || n, 'UTF8')), n, timestamptz '2024-06-01 00:00:00+00',
    timestamptz '2024-06-08 00:00:00+00'
FROM generate_series(1, %(customers)s, 10) AS n"""

_CARTS = """INSERT INTO carts (customer_id, updated_at)
SELECT n, timestamptz '2024-06-01 00:00:00+00' + n * interval '1 second'
FROM generate_series(1, %(customers)s, 20) AS n"""

_CART_ITEMS = """INSERT INTO cart_items (customer_id, product_id, quantity)
SELECT n, 1 + pg_temp.pick(n, 6, %(products)s / 2) + half * (%(products)s / 2), 1 + pg_temp.pick(n + half, 7, 3)
FROM generate_series(1, %(customers)s, 20) AS n, generate_series(0, 1) AS half"""

_ORDER_LINES = """INSERT INTO order_lines (order_id, line, product_id, name, quantity, price_cents)
SELECT drawn.order_id, drawn.line, p.id, p.name, drawn.quantity, p.price_cents
FROM (
    SELECT n AS order_id, line, 1 + pg_temp.pick(n * 8 + line, 8, %(products)s) AS product_id,
        1 + pg_temp.pick(n * 8 + line, 9, 3) AS quantity
    FROM generate_series(1, %(orders)s) AS n, generate_series(1, 1 + pg_temp.pick(n, 10, 5)) AS line
) AS drawn JOIN products p ON p.id = drawn.product_id"""

_ORDERS = """INSERT INTO orders (id, customer_id, idempotency_key, total_cents, currency, status, created_at)
SELECT order_id, 1 + pg_temp.pick(order_id, 11, %(customers)s), 'seed-' || order_id,
    sum(quantity * price_cents), 'EUR', CASE pg_temp.pick(order_id, 12, 50) WHEN 0 THEN 'cancelled' ELSE 'shipped' END,
    timestamptz '2024-02-01 00:00:00+00' + order_id * (interval '700 days' / %(orders)s)
FROM order_lines GROUP BY order_id ORDER BY order_id"""

_FILL: tuple[LiteralString, ...] = (_PRODUCTS, _CUSTOMERS, _SESSIONS, _CARTS, _CART_ITEMS, _ORDER_LINES, _ORDERS)

_SETTINGS: tuple[LiteralString, ...] = (
    "SET LOCAL work_mem = '128MB'",
    "SET LOCAL maintenance_work_mem = '256MB'",
    "SET LOCAL jit = off",
    "SET LOCAL search_path = public",
)

_FOREIGN_KEYS = """SELECT c.relname, k.conname, pg_get_constraintdef(k.oid)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE k.contype = 'f' AND c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s) ORDER BY 1, 2"""

_INDEXES = """SELECT i.relname, pg_get_indexdef(x.indexrelid)
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY(%s)
AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.indexrelid) ORDER BY 1"""


def fill(url: str, size: Size) -> bool:
    """Fills the tables in one transaction, or finds them filled by the same arguments.

    Returns whether anything was done. Raises NotEmpty when other data is there, and psycopg.Error.
    """
    with psycopg.connect(url, application_name="shop-seed") as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        if _filled_already(cursor, size):
            return False
        for statement in _SETTINGS:
            cursor.execute(statement)
        rebuild = _take_down(cursor)
        cursor.execute(sql.SQL(_PICK).format(seed=sql.Literal(size.seed * 1000)))
        values = _values(size)
        for statement in _FILL:
            cursor.execute(statement, values)
        for each in rebuild:
            cursor.execute(each)
        _finish(cursor, size)
    return True


def _filled_already(cursor: psycopg.Cursor[Any], size: Size) -> bool:
    row = cursor.execute("SELECT obj_description('public.products'::regclass, 'pg_class')").fetchone()
    label = row[0] if row else None
    if label == size.label:
        return True
    filled = cursor.execute("SELECT EXISTS (SELECT FROM public.products)").fetchone()
    if filled and filled[0]:
        raise NotEmpty(f"products are there already ({label or 'not from a seed'}), wanted: {size.label}")
    return False


def _take_down(cursor: psycopg.Cursor[Any]) -> list[sql.Composed]:
    """Drops foreign keys and secondary indexes; returns what brings them back. Checking six million
    rows at once, at the end, takes a tenth of checking them one by one.
    """
    rebuild: list[sql.Composed] = []
    tables = list(STATEMENT_TABLES)
    for name, definition in cursor.execute(_INDEXES, (tables,)).fetchall():
        cursor.execute(sql.SQL("DROP INDEX public.{}").format(sql.Identifier(name)))
        rebuild.append(sql.SQL("{}").format(sql.SQL(definition)))
    for table, name, definition in cursor.execute(_FOREIGN_KEYS, (tables,)).fetchall():
        target, key = sql.Identifier("public", table), sql.Identifier(name)
        cursor.execute(sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(target, key))
        rebuild.append(sql.SQL("ALTER TABLE {} ADD CONSTRAINT {} {}").format(target, key, sql.SQL(definition)))
    return rebuild


def _finish(cursor: psycopg.Cursor[Any], size: Size) -> None:
    for table in ("products", "customers", "orders"):
        name = sql.Identifier("public", table)
        cursor.execute(
            sql.SQL("SELECT setval(pg_get_serial_sequence({}, 'id'), max(id)) FROM {}").format(
                sql.Literal(f"public.{table}"), name
            )
        )
    for table in STATEMENT_TABLES:
        cursor.execute(sql.SQL("ANALYZE {}").format(sql.Identifier("public", table)))
    cursor.execute(sql.SQL("COMMENT ON TABLE public.products IS {}").format(sql.Literal(size.label)))


def _values(size: Size) -> dict[str, Any]:
    kinds = catalogue.KINDS
    return {
        "orders": size.orders,
        "products": size.products,
        "customers": size.customers,
        "seed": size.seed,
        "kinds": [each.name for each in kinds],
        "abouts": [each.about for each in kinds],
        "pictures": [each.picture for each in kinds],
        "least": [each.cents[0] for each in kinds],
        "span": [each.cents[1] for each in kinds],
        "kind_count": len(kinds),
        "colours": list(catalogue.COLOURS),
        "colour_count": len(catalogue.COLOURS),
        "styles": list(catalogue.STYLES),
        "style_count": len(catalogue.STYLES),
        "materials": list(catalogue.MATERIALS),
        "material_count": len(catalogue.MATERIALS),
        "first": list(catalogue.FIRST_NAMES),
        "first_count": len(catalogue.FIRST_NAMES),
        "last": list(catalogue.LAST_NAMES),
        "last_count": len(catalogue.LAST_NAMES),
    }
