"""The catalogue: list, search and detail of products. Reads only."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shop.backend.database import Database
from shop.backend.wire import ApiError, path_id, query_number, reply

LARGEST_OFFSET = 100_000
"""An offset makes PostgreSQL walk over all rows before it; a deeper one is a crawler's, not a person's."""

LONGEST_QUERY = 100

_COLUMNS = "id, name, price_cents, currency, stock, '/media/' || image AS image"
_LIST = f"SELECT {_COLUMNS} FROM products ORDER BY id LIMIT $1 OFFSET $2"  # noqa: S608 - constant text
# The expression is that of the index products_name_words; each word of the query may be a beginning.
_SEARCH = f"""SELECT {_COLUMNS} FROM products WHERE to_tsvector('simple', name) @@ to_tsquery('simple', $3)
ORDER BY id LIMIT $1 OFFSET $2"""  # noqa: S608 - constant text
_DETAIL = f"SELECT {_COLUMNS}, description FROM products WHERE id = $1"  # noqa: S608 - constant text
_WORD = re.compile(r"[^\W_]+")


class Products:
    def __init__(self, database: Database) -> None:
        self._database = database

    def routes(self) -> list[Route]:
        return [
            Route("/api/products", self.listing, methods=["GET"]),
            Route("/api/products/{id}", self.detail, methods=["GET"]),
        ]

    async def listing(self, request: Request) -> Response:
        limit = query_number(request, "limit", 20, 1, 100)
        offset = query_number(request, "offset", 0, 0, LARGEST_OFFSET)
        words = request.query_params.get("q", "").strip()
        if len(words) > LONGEST_QUERY:
            raise ApiError(400, "invalid", f"q: has at most {LONGEST_QUERY} characters")
        # One row more than asked for tells whether there is a next page.
        if words:
            wanted = _search_terms(words)
            rows = await self._database.rows(_SEARCH, limit + 1, offset, wanted) if wanted else []
        else:
            rows = await self._database.rows(_LIST, limit + 1, offset)
        more = len(rows) > limit and offset + limit <= LARGEST_OFFSET
        products = [dict(row) for row in rows[:limit]]
        return reply({"products": products, "next_offset": offset + limit if more else None})

    async def detail(self, request: Request) -> Response:
        row = await self._database.row(_DETAIL, path_id(request))
        if row is None:
            raise ApiError(404, "not_found", "there is no product with this id")
        return reply(dict(row))


def _search_terms(text: str) -> str:
    """The query as to_tsquery reads it: every word, or its beginning, must occur."""
    return " & ".join(f"{word}:*" for word in _WORD.findall(text))
