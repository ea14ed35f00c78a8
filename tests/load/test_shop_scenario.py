"""The shop's customers, at the real front door and at doors that answer wrongly."""

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest

from ecom_platform.load.generator import run_load
from ecom_platform.load.judge import judge_requests
from ecom_platform.load.plan import steady
from ecom_platform.load.scenarios import Answer, Visitor, WrongAnswer
from ecom_platform.load.shop_journeys import Shoppers
from ecom_platform.verdicts import Outcome
from tests.load.runs import outcome
from tests.load.target import Target
from tests.shop.programs import Program

BROWSING = {"home", "static", "picture", "products", "product", "search"}
BUYING = {"signup", "login", "session", "cart", "cart_put", "checkout", "order", "logout"}


def test_customers_find_everything_right_at_the_real_shop(front_door: Program) -> None:
    result = run_load(steady(front_door.url, 150, 8, scenario="shop"))
    assert result.errors_by_kind == {}, result.examples
    assert result.requests == 1200
    seen = set(result.classes)
    assert seen >= BROWSING
    assert seen & BUYING, "in so many visits somebody signs in or buys"


@pytest.mark.parametrize("visit", ["glance", "browse", "search", "sign_in", "buy"])
def test_each_visit_ends_well_at_the_real_shop(front_door: Program, visit: str) -> None:
    shoppers = Shoppers(f"visit-{visit}", random.Random(7))
    visitor = Visitor(getattr(shoppers, visit))
    seen: list[str] = []
    while not seen or not visitor.between_journeys:
        request = visitor.next_request()
        seen.append(request.name)
        visitor.take(_send(front_door, request.method, request.path, dict(request.headers), request.body))
    assert len(seen) > 2
    if visit == "buy":
        assert seen[-4:] == ["checkout", "checkout_again", "order", "product"]


def _alter(body: bytes, **changed: object) -> bytes:
    return json.dumps({**json.loads(body), **changed}).encode()


@pytest.mark.parametrize(
    ("visit", "name", "lie"),
    [
        ("glance", "home", lambda body: body[: len(body) // 2]),
        ("glance", "static", lambda _body: b""),
        ("browse", "picture", lambda _body: b""),
        ("browse", "product", lambda body: _alter(body, price_cents=1)),
        ("sign_in", "session", lambda body: _alter(body, email="else@example.com")),
        ("sign_in", "cart", lambda body: _alter(body, total_cents=1)),
        ("buy", "cart_put", lambda body: _alter(body, items=[], total_cents=0)),
        ("buy", "checkout", lambda body: _alter(body, total_cents=1)),
        ("buy", "checkout_again", lambda body: _alter(body, order_id=0)),
        ("buy", "order", lambda body: _alter(body, items=[])),
        ("buy", "product", lambda body: _alter(body, stock=10**6)),
    ],
)
def test_one_wrong_answer_of_the_real_shop_is_noticed(
    front_door: Program, visit: str, name: str, lie: Callable[[bytes], bytes]
) -> None:
    visitor = Visitor(getattr(Shoppers(f"lie-{visit}-{name}", random.Random(7)), visit))
    for _ in range(100):
        request = visitor.next_request()
        answer = _send(front_door, request.method, request.path, dict(request.headers), request.body)
        if request.name == name:
            with pytest.raises(WrongAnswer) as raised:
                visitor.take(Answer(answer.status, lie(answer.body)))
            assert raised.value.kind == "wrong_content"
            return
        visitor.take(answer)
    pytest.fail(f"no request of {visit} is called {name}")


def _send(door: Program, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
    import httpx

    answer = httpx.request(method, door.url + path, headers=headers, content=body, timeout=20)
    return Answer(answer.status_code, answer.content)


def test_a_door_that_answers_200_with_another_page_is_wrong(target: Target) -> None:
    result = run_load(steady(target.url, 100, 1, scenario="shop"))
    assert result.errors == result.requests == 100
    assert result.errors_by_kind["wrong_content"] > 80  # the rest: a sign-up that is not 201
    verdicts = judge_requests(result, p95_ms=500, error_rate=0.01, requests_per_second=100)
    assert outcome(verdicts, "answers") is Outcome.PASSED
    assert outcome(verdicts, "go wrong") is Outcome.FAILED


PRODUCT = {"id": 1, "name": "Red mug", "price_cents": 900, "currency": "EUR", "stock": 3, "image": "/media/1.png"}


def _list(*products: object) -> bytes:
    return json.dumps({"products": products, "next_offset": None}).encode()


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (b"<html>", "no JSON object"),
        (b"[]", "no JSON object"),
        (b"{}", "no page of products"),
        (_list(), "no products"),
        (_list({"id": 1}), "not whole"),
        (_list({**PRODUCT, "stock": -1}), "not whole"),
        (_list(*[PRODUCT] * 21), "no page of products"),
        (_list({**PRODUCT, "price_cents": "free"}), "another shape"),
    ],
)
def test_a_product_list_that_is_not_right_is_noticed(body: bytes, complaint: str) -> None:
    visitor = Visitor(Shoppers("t", random.Random(1)).search)
    assert visitor.next_request().name == "products"
    with pytest.raises(WrongAnswer, match=complaint) as raised:
        visitor.take(Answer(200, body))
    assert raised.value.kind == "wrong_content"


def test_a_journey_that_went_wrong_is_over_and_the_visitor_begins_another() -> None:
    visitor = Visitor(Shoppers("t", random.Random(1)).glance)
    visitor.next_request()
    with pytest.raises(WrongAnswer) as raised:
        visitor.take(Answer(500, b"oops"))
    assert raised.value.kind == "status_500"
    visitor.leave()
    assert visitor.next_request().path == "/"


def test_a_search_that_finds_something_else_is_noticed() -> None:
    shoppers = Shoppers("t", random.Random(1))
    shoppers.words = ["lamp"]
    visitor = Visitor(shoppers.search)
    visitor.next_request()
    with pytest.raises(WrongAnswer, match="searched 'lamp', found 'Red mug'"):
        visitor.take(Answer(200, _list(PRODUCT)))


def test_a_password_does_not_show_in_what_is_printed() -> None:
    shoppers = Shoppers("t", random.Random(1))
    visitor = Visitor(shoppers.sign_in)
    body = json.loads(visitor.next_request().body)
    visitor.take(Answer(201, json.dumps({"customer_id": 1, "token": "t" * 20}).encode()))
    assert body["password"] not in repr(shoppers)
    assert body["password"] not in repr(visitor)
