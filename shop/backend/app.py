"""The backend's composition root: parts made once, routes gathered, errors told as JSON."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from shop.backend.accounts import Accounts
from shop.backend.carts import Carts
from shop.backend.checkout import Checkout
from shop.backend.config import Config
from shop.backend.database import Database
from shop.backend.health import Health
from shop.backend.media import Media
from shop.backend.metrics import Metrics
from shop.backend.passwords import Passwords
from shop.backend.products import Products
from shop.backend.wire import ApiError, error_reply


def build(config: Config) -> ASGIApp:
    """The ASGI application of one instance; it connects to nothing before its lifespan begins."""
    database = Database(config)
    passwords = Passwords()
    metrics = Metrics(config)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await database.open()
        yield
        await database.close()
        passwords.close()

    parts = (
        Products(database),
        Health(config, database),
        Accounts(database, passwords),
        Carts(database),
        Checkout(database),
        Media(config.media_dir),
        metrics,
    )
    application = Starlette(
        routes=[route for part in parts for route in part.routes()],
        lifespan=lifespan,
        exception_handlers={ApiError: _api_error, HTTPException: _http_error, Exception: _bug},
    )
    # An address is right or it is not there; a redirect would turn a POST into a GET.
    application.router.redirect_slashes = False
    return metrics.around(application)


async def _api_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return error_reply(error)


async def _http_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, message = {
        404: ("not_found", "there is nothing at this address"),
        405: ("method_not_allowed", "this address does not know this method"),
    }.get(error.status_code, ("refused", error.detail))
    return error_reply(ApiError(error.status_code, code, message, error.headers))


async def _bug(_request: Request, _error: Exception) -> Response:
    return error_reply(ApiError(500, "internal", "this is our mistake; it is in the log"))
