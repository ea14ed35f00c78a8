"""How the backend speaks: JSON replies, errors with a reason, bodies within limits. No route, no SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

BODY_LIMIT = 16 * 1024
"""Bytes of a request's body. The largest honest one, a sign-up, has under 1 KiB."""

READ_LIMIT = 256 * 1024
"""Bytes that are read of a body that is too large. A proxy which is still sending when the answer
comes sees a broken connection and not the answer; above the front door's own limit of 64 KiB.
"""

LARGEST_ID = 2**63 - 1
"""What a PostgreSQL bigint can hold; a larger number cannot be anybody's id."""


class ApiError(Exception):
    """An answer that is not the wanted one: status, a code for programs and a message for people."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, code, message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})


class Body(BaseModel):
    """Base of all request bodies: JSON types as they are, no field that nobody asked for."""

    model_config = ConfigDict(extra="forbid", strict=True, str_strip_whitespace=False)


BodyT = TypeVar("BodyT", bound=Body)


def reply(data: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(orjson.dumps(data), status, headers, media_type="application/json")


def error_reply(error: ApiError) -> Response:
    return reply({"error": {"code": error.code, "message": error.message}}, error.status, error.headers)


async def read_body(request: Request, model: type[BodyT]) -> BodyT:
    """The request's JSON body as `model`; raises ApiError 400 (not valid) or 413 (too large)."""
    raw = await _read_limited(request)
    try:
        data: Any = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise ApiError(400, "not_json", "the body is not JSON in UTF-8") from error
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ApiError(400, "invalid", _reason(error)) from error


async def _read_limited(request: Request) -> bytes:
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and (len(announced) > 9 or int(announced) > READ_LIMIT):
        raise _too_large()
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > READ_LIMIT:
                raise _too_large()
            if size <= BODY_LIMIT:
                chunks.append(chunk)
    except ClientDisconnect as error:
        raise ApiError(400, "cut_off", "the body ended before it was complete") from error
    if size > BODY_LIMIT:
        raise _too_large()
    return b"".join(chunks)


def _too_large() -> ApiError:
    return ApiError(413, "too_large", f"a body has at most {BODY_LIMIT} bytes", {"Connection": "close"})


def _reason(error: ValidationError) -> str:
    """The first few faults by field; never the values, which may be passwords."""
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    lines = [f"{'.'.join(str(part)[:40] for part in each['loc']) or 'body'}: {each['msg']}" for each in faults[:3]]
    return "; ".join(lines)


def path_id(request: Request, name: str = "id") -> int:
    """The id in the path; a text that cannot be an id names nothing, so that the answer is 404."""
    text = request.path_params[name]
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and 0 < int(text) <= LARGEST_ID):
        raise ApiError(404, "not_found", "there is nothing with this id")
    return int(text)


def query_number(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A whole number from the query string; raises ApiError 400 when it is none or out of its range."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and least <= int(text) <= most):
        raise ApiError(400, "invalid", f"{name}: must be a whole number from {least} to {most}")
    return int(text)
