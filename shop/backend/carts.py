"""The cart of a signed-in customer. Prices are the products' own until checkout writes them down."""

from __future__ import annotations

from typing import Annotated, Any

from asyncpg import ForeignKeyViolationError
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shop.backend.accounts import signed_in
from shop.backend.database import Connection, Database
from shop.backend.wire import ApiError, Body, path_id, read_body, reply

MOST_OF_ONE = 99
MOST_PRODUCTS = 100

_ITEMS = """SELECT i.product_id, p.name, i.quantity, p.price_cents
FROM cart_items i JOIN products p ON p.id = i.product_id WHERE i.customer_id = $1 ORDER BY i.product_id"""
# The row of carts is what changes of one cart and its checkout queue up on.
_LOCK = """INSERT INTO carts (customer_id) VALUES ($1)
ON CONFLICT (customer_id) DO UPDATE SET updated_at = now()"""
_COUNT_OTHERS = "SELECT count(*) FROM cart_items WHERE customer_id = $1 AND product_id <> $2"
_SET = """INSERT INTO cart_items (customer_id, product_id, quantity) VALUES ($1, $2, $3)
ON CONFLICT (customer_id, product_id) DO UPDATE SET quantity = excluded.quantity"""
_REMOVE = "DELETE FROM cart_items WHERE customer_id = $1 AND product_id = $2"


class Quantity(Body):
    quantity: Annotated[int, Field(ge=0, le=MOST_OF_ONE)]


class Carts:
    def __init__(self, database: Database) -> None:
        self._database = database

    def routes(self) -> list[Route]:
        return [
            Route("/api/cart", self.show, methods=["GET"]),
            Route("/api/cart/items/{id}", self.put, methods=["PUT"]),
            Route("/api/cart/items/{id}", self.delete, methods=["DELETE"]),
        ]

    async def show(self, request: Request) -> Response:
        async with self._database.connection() as connection:
            customer = await signed_in(request, connection)
            return reply(await _cart(connection, customer.id))

    async def put(self, request: Request) -> Response:
        product = path_id(request)
        quantity = (await read_body(request, Quantity)).quantity
        return await self._change(request, product, quantity)

    async def delete(self, request: Request) -> Response:
        return await self._change(request, path_id(request), 0)

    async def _change(self, request: Request, product: int, quantity: int) -> Response:
        async with self._database.transaction() as connection:
            customer = await signed_in(request, connection)
            await connection.execute(_LOCK, customer.id)
            if quantity == 0:
                await connection.execute(_REMOVE, customer.id, product)
            else:
                await _set(connection, customer.id, product, quantity)
            return reply(await _cart(connection, customer.id))


async def _set(connection: Connection, customer: int, product: int, quantity: int) -> None:
    if await connection.fetchval(_COUNT_OTHERS, customer, product) >= MOST_PRODUCTS:
        raise ApiError(409, "cart_full", f"a cart holds at most {MOST_PRODUCTS} products")
    try:
        await connection.execute(_SET, customer, product, quantity)
    except ForeignKeyViolationError as error:
        raise ApiError(404, "not_found", "there is no product with this id") from error


async def _cart(connection: Connection, customer: int) -> dict[str, Any]:
    items = [dict(row) for row in await connection.fetch(_ITEMS, customer)]
    return {"items": items, "total_cents": sum(each["quantity"] * each["price_cents"] for each in items)}
