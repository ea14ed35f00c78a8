"""Buys one thing through the shop's front door, as a customer would, and looks at the receipt."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from ecom_platform.clients.web import Answer, Session, session
from ecom_platform.errors import UnreachableError
from ecom_platform.verdicts import Verdict, equal, failed, holds

CHECK = {"purchase": "a new customer can sign up, fill a cart, pay once and read the order"}


def buy_one(address: str) -> list[Verdict]:
    """Verdicts for each step of a purchase at the front door; it stops at the first step that fails."""
    verdicts: list[Verdict] = []
    try:
        with session(address) as door:
            for verdict in _steps(door):
                verdicts.append(verdict)
                if not verdict.passed:
                    break
    except UnreachableError as error:
        verdicts.append(failed("the front door answers", str(error)))
    return verdicts


def _steps(door: Session) -> Iterator[Verdict]:
    listed = door.get("/api/products?limit=20")
    products = [each for each in (_field(listed, "products") or []) if each.get("stock", 0) > 0]
    yield holds("the product list has something in stock", products, f"{listed.status}, {len(products)} in stock")
    product = products[0]

    customer = f"validation-{uuid.uuid4().hex}@example.com"
    answer = door.send(
        "POST",
        "/api/signup",
        content={"email": customer, "password": uuid.uuid4().hex, "name": "Validation"},
    )
    yield equal("a new customer can sign up", 201, answer.status)
    bearer = {"Authorization": f"Bearer {_field(answer, 'token')}"}

    answer = door.send("PUT", f"/api/cart/items/{product['id']}", content={"quantity": 1}, headers=bearer)
    yield equal("the cart holds one item at the list's price", product["price_cents"], _field(answer, "total_cents"))
    yield from _pay(door, bearer, product)


def _pay(door: Session, bearer: dict[str, str], product: dict[str, Any]) -> Iterator[Verdict]:
    key = bearer | {"Idempotency-Key": uuid.uuid4().hex}
    paid = door.send("POST", "/api/checkout", content={}, headers=key)
    yield equal("checkout writes an order", 201, paid.status)
    yield equal("the order costs what the cart said", product["price_cents"], _field(paid, "total_cents"))

    again = door.send("POST", "/api/checkout", content={}, headers=key)
    yield equal("the same key again is the same order", _field(paid, "order_id"), _field(again, "order_id"))

    order = door.send("GET", f"/api/orders/{_field(paid, 'order_id')}", headers=bearer)
    yield equal("the order can be read back", 200, order.status)

    left = door.get(f"/api/products/{product['id']}")
    stock = _field(left, "stock")
    yield holds(
        "the stock went down", stock is not None and stock < product["stock"], f"from {product['stock']} to {stock}"
    )


def _field(answer: Answer, name: str) -> Any:
    content = answer.json()
    return content.get(name) if isinstance(content, dict) else None
