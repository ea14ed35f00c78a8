"""The backend's composition root: parts made once, routes gathered, errors told as JSON."""

from __future__ import annotations

import logging
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

_log = logging.getLogger(__name__)


def build(config: Config) -> ASGIApp:
    """The ASGI application of one instance; it connects to nothing before its lifespan begins."""
    metrics = Metrics(config)
    return metrics.around(application(config, metrics))


def application(config: Config, metrics: Metrics) -> Starlette:
    """The routes and how their errors are told, without the measuring around them."""
    database = Database(config)
    metrics.watch(database)
    passwords = Passwords()

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
    made = Starlette(
        routes=[route for part in parts for route in part.routes()],
        lifespan=lifespan,
        exception_handlers={ApiError: _api_error, HTTPException: _http_error, Exception: _bug},
    )
    # An address is right or it is not there; a redirect would turn a POST into a GET.
    made.router.redirect_slashes = False
    return made


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


async def _bug(request: Request, error: Exception) -> Response:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return error_reply(ApiError(500, "internal", "this is our mistake; it is in the log"))
