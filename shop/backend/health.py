"""Whether this instance lives, is ready, and which one it is."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shop.backend.config import Config
from shop.backend.database import Database
from shop.backend.wire import ApiError, reply

# What this version's statements touch. Columns instead of a revision number: a schema that is newer
# than this version is fine as long as nothing that it needs has been contracted away.
NEEDED = {
    "products": ("id", "name", "description", "price_cents", "currency", "stock", "image"),
    "customers": ("id", "email", "name", "password_hash"),
    "sessions": ("token_hash", "customer_id", "expires_at"),
    "carts": ("customer_id", "updated_at"),
    "cart_items": ("customer_id", "product_id", "quantity"),
    "orders": ("id", "customer_id", "idempotency_key", "total_cents", "currency", "created_at"),
    "order_lines": ("order_id", "line", "product_id", "name", "quantity", "price_cents"),
}

_MISSING = """
SELECT needed.relation || '.' || needed.name FROM unnest($1::text[], $2::text[]) AS needed (relation, name)
WHERE NOT EXISTS (
    SELECT FROM pg_attribute a
    WHERE a.attrelid = to_regclass(needed.relation) AND a.attname = needed.name AND NOT a.attisdropped)
LIMIT 1
"""


class Health:
    def __init__(self, config: Config, database: Database) -> None:
        self._database = database
        self._identity = {
            "service": "backend",
            "version": config.version,
            "colour": config.colour,
            "instance": config.instance,
        }
        pairs = [(f"public.{table}", column) for table, columns in NEEDED.items() for column in columns]
        self._needed = ([table for table, _ in pairs], [column for _, column in pairs])

    def routes(self) -> list[Route]:
        return [
            Route("/healthz", self.live, methods=["GET"]),
            Route("/readyz", self.ready, methods=["GET"]),
            Route("/version", self.version, methods=["GET"]),
            Route("/api/version", self.version, methods=["GET"]),
        ]

    async def live(self, _request: Request) -> Response:
        return reply({"status": "ok"})

    async def ready(self, _request: Request) -> Response:
        missing = await self._database.row(_MISSING, *self._needed)
        if missing is not None:
            raise ApiError(
                503, "schema_not_ready", f"the schema lacks {missing[0]}; run `python -m shop.migrate expand`"
            )
        return reply({"status": "ready"})

    async def version(self, _request: Request) -> Response:
        return reply(self._identity)
