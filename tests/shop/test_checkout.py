"""Cart and checkout: totals, stock, and that nothing is sold twice."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from tests.shop.programs import Program
from tests.shop.server import ShopDatabase

SignUp = Callable[[str], httpx.Client]


def stock(database: ShopDatabase, product: int, level: int | None = None) -> int:
    """The stock of a product, after it was set to `level`."""
    with psycopg.connect(database.owner_url) as connection:
        if level is not None:
            connection.execute("UPDATE products SET stock = %s WHERE id = %s", (level, product))
        row = connection.execute("SELECT stock FROM products WHERE id = %s", (product,)).fetchone()
    assert row is not None
    found: int = row[0]
    return found


def put(client: httpx.Client, product: int, quantity: int) -> httpx.Response:
    return client.put(f"/api/cart/items/{product}", json={"quantity": quantity})


def buy(client: httpx.Client, key: str) -> httpx.Response:
    return client.post("/api/checkout", headers={"Idempotency-Key": key})


def test_the_cart_adds_changes_and_removes(customer: httpx.Client) -> None:
    assert customer.get("/api/cart").json() == {"items": [], "total_cents": 0}
    price = customer.get("/api/products/5").json()["price_cents"]
    name = customer.get("/api/products/5").json()["name"]
    item = {"product_id": 5, "name": name, "quantity": 3, "price_cents": price}
    assert put(customer, 5, 1).status_code == 200
    assert put(customer, 5, 3).json() == {"items": [item], "total_cents": 3 * price}
    assert customer.get("/api/cart").json()["items"] == [item]
    put(customer, 6, 1)
    assert [each["product_id"] for each in put(customer, 5, 0).json()["items"]] == [6]
    assert customer.delete("/api/cart/items/6").json() == {"items": [], "total_cents": 0}
    assert customer.delete("/api/cart/items/6").status_code == 200


def test_a_cart_belongs_to_a_session(visitor: httpx.Client) -> None:
    answers = [visitor.get("/api/cart"), put(visitor, 1, 1), visitor.delete("/api/cart/items/1"), buy(visitor, "k")]
    assert {answer.status_code for answer in answers} == {401}


def test_what_is_no_product_cannot_be_put_into_a_cart(customer: httpx.Client) -> None:
    assert put(customer, 999_999_999, 1).status_code == 404
    assert [put(customer, 1, amount).status_code for amount in (-1, 100, 10**12)] == [400] * 3


def test_a_cart_has_room_for_a_hundred_products(customer: httpx.Client) -> None:
    assert {put(customer, number, 1).status_code for number in range(1, 101)} == {200}
    assert put(customer, 101, 1).json()["error"]["code"] == "cart_full"
    assert put(customer, 100, 2).status_code == 200


def test_checkout_writes_the_order_takes_the_stock_and_empties_the_cart(
    customer: httpx.Client, database: ShopDatabase
) -> None:
    before = [stock(database, product) for product in (11, 12)]
    put(customer, 11, 2)
    total = put(customer, 12, 1).json()["total_cents"]
    answer = buy(customer, "first")
    assert answer.status_code == 201
    order = answer.json()
    assert order["total_cents"] == total
    assert [(each["product_id"], each["quantity"]) for each in order["items"]] == [(11, 2), (12, 1)]
    assert [stock(database, product) for product in (11, 12)] == [before[0] - 2, before[1] - 1]
    assert customer.get("/api/cart").json()["items"] == []
    assert customer.get(f"/api/orders/{order['order_id']}").json() == order


def test_the_same_key_again_gives_the_same_order_and_buys_nothing(
    customer: httpx.Client, database: ShopDatabase
) -> None:
    put(customer, 13, 1)
    first = buy(customer, "again")
    left = stock(database, 13)
    put(customer, 13, 5)
    second = buy(customer, "again")
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert stock(database, 13) == left
    assert buy(customer, "another").json()["order_id"] != first.json()["order_id"]


def test_an_empty_cart_and_a_missing_key_are_refused(customer: httpx.Client) -> None:
    assert buy(customer, "empty").json()["error"]["code"] == "cart_empty"
    assert customer.post("/api/checkout").status_code == 400
    assert buy(customer, "k" * 201).status_code == 400


def test_too_little_stock_refuses_the_whole_order(customer: httpx.Client, database: ShopDatabase) -> None:
    stock(database, 21, 10)
    stock(database, 22, 1)
    put(customer, 21, 1)
    put(customer, 22, 2)
    answer = buy(customer, "short")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "out_of_stock")
    assert (stock(database, 21), stock(database, 22)) == (10, 1)
    assert len(customer.get("/api/cart").json()["items"]) == 2


def test_an_order_is_seen_by_its_customer_only(customer: httpx.Client, backend: Program, sign_up: SignUp) -> None:
    put(customer, 14, 1)
    number = buy(customer, "mine").json()["order_id"]
    with sign_up(backend.url) as somebody_else:
        assert somebody_else.get(f"/api/orders/{number}").status_code == 404
    assert httpx.get(f"{backend.url}/api/orders/{number}").status_code == 401


def test_ten_clicks_at_once_with_one_key_make_one_order(customer: httpx.Client, database: ShopDatabase) -> None:
    before = stock(database, 15)
    put(customer, 15, 1)
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: buy(customer, "clicks"), range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    assert len({answer.text for answer in answers}) == 1
    assert stock(database, 15) == before - 1


@pytest.mark.parametrize("level", [5])
def test_the_last_pieces_are_sold_once_each(
    backend: Program, database: ShopDatabase, sign_up: SignUp, level: int
) -> None:
    """Twelve people want one of five; their carts name the products in opposite orders."""
    stock(database, 31, level)
    stock(database, 32, level)

    def attempt(number: int) -> str:
        with sign_up(backend.url) as client:
            for product in (31, 32) if number % 2 else (32, 31):
                put(client, product, 1)
            answer = buy(client, "last")
            return "bought" if answer.status_code == 201 else str(answer.json()["error"]["code"])

    with ThreadPoolExecutor(12) as threads:
        results = sorted(threads.map(attempt, range(12)))
    assert results == ["bought"] * level + ["out_of_stock"] * (12 - level)
    assert (stock(database, 31), stock(database, 32)) == (0, 0)
