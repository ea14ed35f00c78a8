"""People: sign-up, login, session and logout. A session's token is stored only as its hash."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from asyncpg import UniqueViolationError
from pydantic import AfterValidator, Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shop.backend.database import Connection, Database
from shop.backend.passwords import Passwords
from shop.backend.wire import ApiError, Body, read_body, reply

SESSION_LIFE = timedelta(days=7)

_EMAIL = re.compile(r"[^@\s\x00-\x1f\x7f]{1,64}@[A-Za-z0-9.-]{1,180}\.[A-Za-z0-9-]{2,63}")
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,100}")

_FIND_CUSTOMER = "SELECT id, password_hash FROM customers WHERE lower(email) = lower($1)"
_NEW_CUSTOMER = "INSERT INTO customers (email, name, password_hash) VALUES ($1, $2, $3) RETURNING id"
_NEW_SESSION = "INSERT INTO sessions (token_hash, customer_id, expires_at) VALUES ($1, $2, now() + $3::interval)"
_SWEEP = "DELETE FROM sessions WHERE customer_id = $1 AND expires_at <= now()"
_FIND_SESSION = """SELECT c.id, c.email, c.name FROM sessions s JOIN customers c ON c.id = s.customer_id
WHERE s.token_hash = $1 AND s.expires_at > now()"""
_END_SESSION = "DELETE FROM sessions WHERE token_hash = $1"


def _email(value: str) -> str:
    if not _EMAIL.fullmatch(value):
        raise ValueError("this is no email address")
    return value


def _printable(value: str) -> str:
    if not value.strip() or any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
        raise ValueError("must not be blank or hold control characters")
    return value.strip()


Email = Annotated[str, Field(max_length=254), AfterValidator(_email)]
# The upper bound keeps a megabyte of "password" from being hashed; NIST asks for at least 64.
Password = Annotated[str, Field(min_length=8, max_length=200)]


class Signup(Body):
    email: Email
    password: Password
    name: Annotated[str, Field(max_length=100), AfterValidator(_printable)]


class Login(Body):
    email: Email
    password: Annotated[str, Field(max_length=200)]


@dataclass(frozen=True, slots=True)
class Customer:
    """Who sends a request, by the session that came with it."""

    id: int
    email: str
    name: str


class Accounts:
    def __init__(self, database: Database, passwords: Passwords) -> None:
        self._database = database
        self._passwords = passwords

    def routes(self) -> list[Route]:
        return [
            Route("/api/signup", self.signup, methods=["POST"]),
            Route("/api/login", self.login, methods=["POST"]),
            Route("/api/logout", self.logout, methods=["POST"]),
            Route("/api/session", self.session, methods=["GET"]),
        ]

    async def signup(self, request: Request) -> Response:
        body = await read_body(request, Signup)
        hashed = await self._passwords.hash(body.password)
        async with self._database.transaction() as connection:
            try:
                customer: int = await connection.fetchval(_NEW_CUSTOMER, body.email, body.name, hashed)
            except UniqueViolationError as error:
                raise ApiError(409, "email_taken", "somebody signed up with this email already") from error
            token = await _open_session(connection, customer)
        return _signed_in(request, customer, token, 201)

    async def login(self, request: Request) -> Response:
        body = await read_body(request, Login)
        row = await self._database.row(_FIND_CUSTOMER, body.email)
        # Hashing happens with no connection held: sign-ins must not empty the pool.
        if not await self._passwords.matches(row["password_hash"] if row else None, body.password):
            raise ApiError(401, "wrong_login", "email or password is wrong")
        assert row is not None
        async with self._database.transaction() as connection:
            await connection.execute(_SWEEP, row["id"])
            token = await _open_session(connection, row["id"])
        return _signed_in(request, row["id"], token, 200)

    async def session(self, request: Request) -> Response:
        async with self._database.connection() as connection:
            customer = await signed_in(request, connection)
        return reply({"customer_id": customer.id, "email": customer.email, "name": customer.name})

    async def logout(self, request: Request) -> Response:
        token = _token(request)
        if token:
            await self._database.row(_END_SESSION, _digest(token))
        answer = Response(status_code=204)
        answer.delete_cookie("session", httponly=True, samesite="lax")
        return answer


async def signed_in(request: Request, connection: Connection) -> Customer:
    """The customer whose session came with the request; raises ApiError 401."""
    token = _token(request)
    row = await connection.fetchrow(_FIND_SESSION, _digest(token)) if token else None
    if row is None:
        raise ApiError(401, "not_signed_in", "sign in first", {"WWW-Authenticate": "Bearer"})
    return Customer(row["id"], row["email"], row["name"])


async def _open_session(connection: Connection, customer: int) -> str:
    token = secrets.token_urlsafe(32)
    await connection.execute(_NEW_SESSION, _digest(token), customer, SESSION_LIFE)
    return token


def _signed_in(request: Request, customer: int, token: str, status: int) -> Response:
    answer = reply({"customer_id": customer, "token": token}, status)
    answer.set_cookie(
        "session",
        token,
        max_age=int(SESSION_LIFE.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=request.headers.get("x-forwarded-proto") == "https",
    )
    return answer


def _token(request: Request) -> str | None:
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    token = value.strip() if kind.lower() == "bearer" else request.cookies.get("session", "")
    return token if _TOKEN.fullmatch(token) else None


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("ascii")).digest()
