"""Buying: the cart becomes an order in one transaction, at most once per idempotency key."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shop.backend.accounts import signed_in
from shop.backend.database import Connection, Database, Row
from shop.backend.wire import ApiError, path_id, reply

_KEY = re.compile(r"[\x21-\x7e]{1,200}")

_LOCK_CART = "SELECT FROM carts WHERE customer_id = $1 FOR UPDATE"
_BY_KEY = """SELECT id, total_cents, currency, status, created_at FROM orders
WHERE customer_id = $1 AND idempotency_key = $2"""
_BY_ID = "SELECT id, total_cents, currency, status, created_at FROM orders WHERE customer_id = $1 AND id = $2"
_LINES = "SELECT product_id, name, quantity, price_cents FROM order_lines WHERE order_id = $1 ORDER BY line"
# Rows are locked in the order of their ids by every checkout, so that two of them cannot wait for each other.
_LOCK_ITEMS = """SELECT p.id AS product_id, p.name, p.price_cents, p.currency, i.quantity
FROM products p JOIN cart_items i ON i.product_id = p.id
WHERE i.customer_id = $1 ORDER BY p.id FOR NO KEY UPDATE OF p"""
_TAKE_STOCK = """UPDATE products p SET stock = p.stock - wanted.quantity
FROM unnest($1::bigint[], $2::int[]) AS wanted (id, quantity)
WHERE p.id = wanted.id AND p.stock >= wanted.quantity RETURNING p.id"""
_NEW_ORDER = """INSERT INTO orders (customer_id, idempotency_key, total_cents, currency) VALUES ($1, $2, $3, $4)
RETURNING id, total_cents, currency, status, created_at"""
_NEW_LINES = """INSERT INTO order_lines (order_id, line, product_id, name, quantity, price_cents)
SELECT $1, row_number() OVER (), * FROM unnest($2::bigint[], $3::text[], $4::int[], $5::int[])"""
_EMPTY_CART = "DELETE FROM cart_items WHERE customer_id = $1"


class Checkout:
    def __init__(self, database: Database) -> None:
        self._database = database

    def routes(self) -> list[Route]:
        return [
            Route("/api/checkout", self.buy, methods=["POST"]),
            Route("/api/orders/{id}", self.order, methods=["GET"]),
        ]

    async def buy(self, request: Request) -> Response:
        key = request.headers.get("idempotency-key", "")
        if not _KEY.fullmatch(key):
            raise ApiError(400, "invalid", "the header Idempotency-Key must hold 1 to 200 visible ASCII characters")
        async with self._database.transaction() as connection:
            customer = await signed_in(request, connection)
            await connection.execute(_LOCK_CART, customer.id)
            order = await connection.fetchrow(_BY_KEY, customer.id, key)
            status = 200 if order else 201
            if order is None:
                order = await _place(connection, customer.id, key)
            body = await _body(connection, order)
        return reply(body, status)

    async def order(self, request: Request) -> Response:
        number = path_id(request)
        async with self._database.connection() as connection:
            customer = await signed_in(request, connection)
            order = await connection.fetchrow(_BY_ID, customer.id, number)
            if order is None:  # somebody else's order is not told apart from none
                raise ApiError(404, "not_found", "you have no order with this id")
            return reply(await _body(connection, order))


async def _place(connection: Connection, customer: int, key: str) -> Row:
    items = await connection.fetch(_LOCK_ITEMS, customer)
    if not items:
        raise ApiError(409, "cart_empty", "there is nothing in the cart")
    if len({each["currency"] for each in items}) > 1:
        raise ApiError(409, "mixed_currencies", "an order has one currency")
    columns = {name: [each[name] for each in items] for name in ("product_id", "name", "quantity", "price_cents")}
    taken = {row["id"] for row in await connection.fetch(_TAKE_STOCK, columns["product_id"], columns["quantity"])}
    short = [each["name"] for each in items if each["product_id"] not in taken]
    if short:  # the error rolls back what was taken of the others
        raise ApiError(409, "out_of_stock", f"not enough in stock: {', '.join(short[:3])}")
    total = sum(each["quantity"] * each["price_cents"] for each in items)
    order = await connection.fetchrow(_NEW_ORDER, customer, key, total, items[0]["currency"])
    assert order is not None
    await connection.execute(_NEW_LINES, order["id"], *columns.values())
    await connection.execute(_EMPTY_CART, customer)
    return order


async def _body(connection: Connection, order: Row) -> dict[str, Any]:
    """The order as people and programs see it; read back, so that the first answer and a repeat are the same."""
    return {
        "order_id": order["id"],
        "total_cents": order["total_cents"],
        "currency": order["currency"],
        "status": order["status"],
        "created_at": order["created_at"],
        "items": [dict(row) for row in await connection.fetch(_LINES, order["id"])],
    }
