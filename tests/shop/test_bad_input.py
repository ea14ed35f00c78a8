"""Junk at every endpoint: an answer below 500 that says why, from a server that lives on."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from starlette.routing import Route

from shop.backend.app import application
from shop.backend.config import Config
from shop.backend.metrics import Metrics
from tests.shop.programs import Program

_NOWHERE = Config("postgresql://nowhere", "127.0.0.1", 1, "1", "blue", "one", Path("/nowhere"), 1)
ROUTES = sorted(
    (route.path, method)
    for route in application(_NOWHERE, Metrics(_NOWHERE)).routes
    if isinstance(route, Route)
    for method in route.methods or ()
)

_texts = st.one_of(
    st.text(max_size=30), st.sampled_from(["", "\x00", "0", "-1", "9" * 25, "ﷺ", "'; DROP TABLE orders; --"])
)
_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), _texts, st.just("a" * 5000)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_texts, inner, max_size=3)),
    max_leaves=6,
)
# Shaped like the real thing, one step off: these get past the first check.
_nearly = st.fixed_dictionaries(
    {},
    optional={
        "email": st.one_of(st.just("junk@example.org"), _texts, _values),
        "password": st.one_of(st.just("correct horse"), _texts, _values),
        "name": st.one_of(st.just("Junk"), _texts, _values),
        "quantity": st.one_of(st.integers(-1, 120), _values),
    },
)
_bodies = st.one_of(
    st.binary(max_size=60),
    _values.map(lambda value: json.dumps(value).encode()),
    _nearly.map(lambda value: json.dumps(value).encode()),
)
_header_values = st.text(
    st.characters(min_codepoint=33, max_codepoint=255, exclude_characters="\x7f"), max_size=60
).map(lambda text: text.encode("latin-1"))
_headers = st.dictionaries(
    st.sampled_from(["Authorization", "Cookie", "Idempotency-Key", "Content-Type", "X-Forwarded-Proto", "Accept"]),
    st.one_of(_header_values, _header_values.map(lambda value: b"Bearer x" + value)),
    max_size=3,
)


@pytest.fixture(scope="module")
def person(backend: Program, sign_up: Callable[[str], httpx.Client]) -> Iterator[httpx.Client]:
    with sign_up(backend.url) as client:
        yield client


@given(
    route=st.sampled_from(ROUTES),
    parameter=_texts,
    query=st.dictionaries(st.one_of(st.sampled_from(["limit", "offset", "q"]), _texts), _texts, max_size=3),
    headers=_headers,
    body=_bodies,
)
@example(("/api/signup", "POST"), "", {}, {}, b'{"email":"a@example.org","password":"12345678","name":"\\u0000"}')
@example(
    ("/api/signup", "POST"), "", {}, {}, b'{"email":"a@example.org","password":"\\ud800\\ud800\\ud800","name":"x"}'
)
@example(("/api/products/{id}", "GET"), "1" * 5000, {}, {}, b"")
@example(("/api/products", "GET"), "", {"limit": "9" * 5000}, {}, b"")
@example(("/api/cart/items/{id}", "PUT"), "1", {}, {}, b'{"quantity":' + b"9" * 400 + b"}")
@example(("/api/checkout", "POST"), "", {}, {"Idempotency-Key": b"\xff"}, b"junk")
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_junk_makes_a_server_error(  # noqa: PLR0917 - hypothesis passes what `given` names
    person: httpx.Client,
    route: tuple[str, str],
    parameter: str,
    query: dict[str, str],
    headers: dict[str, bytes],
    body: bytes,
) -> None:
    path, method = route
    filled = path.replace("{id}", quote(parameter, safe="")).replace("{file}", quote(parameter, safe=""))
    if path == "/api/logout":  # the session is needed for the other examples
        headers = {**headers, "Cookie": b"session=junk"}
    encoded = {name.encode(): value for name, value in headers.items()}
    answer = person.request(method, filled, params=query, headers=list(encoded.items()), content=body)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400 and method != "HEAD":
        error: dict[str, Any] = answer.json()["error"]
        assert error["code"]
        assert error["message"]


def test_the_junk_covers_every_endpoint_of_the_contract() -> None:
    paths = {path for path, _ in ROUTES}
    assert paths >= {"/healthz", "/readyz", "/version", "/api/version", "/metrics", "/media/{file}"}
    assert paths >= {
        "/api/" + name for name in ("products", "signup", "login", "session", "logout", "cart", "checkout")
    }
    assert paths >= {"/api/products/{id}", "/api/cart/items/{id}", "/api/orders/{id}"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "email: Field required; password: Field required; name: Field required"),
        (
            {"email": "no address", "password": "correct horse", "name": "A"},
            "email: Value error, this is no email address",
        ),
        ({"email": "a@example.org", "password": "short", "name": "A"}, "password: String should have at least 8"),
        ({"email": "a@example.org", "password": 12345678, "name": "A"}, "password: Input should be a valid string"),
        ({"email": "a@example.org", "password": "correct horse", "name": " "}, "name: Value error, must not be blank"),
        ({"email": "a@example.org", "password": "correct horse", "name": "A", "admin": True}, "admin: Extra inputs"),
    ],
)
def test_a_refusal_names_the_field_and_never_the_value(
    visitor: httpx.Client, body: dict[str, object], reason: str
) -> None:
    answer = visitor.post("/api/signup", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid")
    assert answer.json()["error"]["message"].startswith(reason)
    assert "correct horse" not in answer.text
    assert "12345678" not in answer.text


def test_a_body_beyond_the_limit_is_refused_announced_or_not(visitor: httpx.Client) -> None:
    large = b'{"email":"' + b"a" * 20_000 + b'"}'
    answers = [visitor.post("/api/login", content=large), visitor.post("/api/login", content=iter([large]))]
    assert {answer.status_code for answer in answers} == {413}
    assert {answer.json()["error"]["code"] for answer in answers} == {"too_large"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_a_method_that_an_address_does_not_know_is_refused(visitor: httpx.Client, method: str) -> None:
    answer = visitor.request(method, "/api/products")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize("path", ["/", "/api", "/api/products/", "/api/products/1/more", "//healthz", "/API/products"])
def test_an_address_that_is_not_there_is_told_in_json(visitor: httpx.Client, path: str) -> None:
    answer = httpx.get(str(visitor.base_url).rstrip("/") + path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "junk",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 900_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 900_000 + b"\r\n\r\n",
        b"POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n{}",
        b"POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{",
        b"POST /api/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nnot-a-size\r\n",
        b"POST /api/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}",
        b"POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999999\r\n\r\n{",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nAuthorization: \x7f\r\n\r\n",
        b"GET /api/products?q=%ff%fe&limit=%00 HTTP/1.1\r\nHost: x\r\nCookie: \xff\xfe\r\n\r\n",
    ],
)
def test_what_is_no_http_harms_nobody_else(backend: Program, junk: bytes) -> None:
    address = backend.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), timeout=10) as connection:
        try:
            connection.sendall(junk)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(65536)
        except OSError:  # refused in the middle: that is an answer, too
            answer = b""
    assert not answer.startswith(b"HTTP/1.1 5")
    assert backend.status("/readyz") == 200
