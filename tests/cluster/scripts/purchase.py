"""Buys two things at the address in argument 1 like a new customer, and prints what the shop said as JSON."""

import json
import sys
import urllib.request
import uuid
from typing import Any

ADDRESS = sys.argv[1]


def call(method: str, path: str, body: object = None, **headers: str) -> Any:
    data = None if body is None else json.dumps(body).encode()
    every = {"Content-Type": "application/json", **headers} if data is not None else headers
    request = urllib.request.Request(f"{ADDRESS}{path}", data, every, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)


def main() -> None:
    who = {"email": f"{uuid.uuid4().hex}@example.com", "password": uuid.uuid4().hex, "name": "A Test"}
    token = call("POST", "/api/signup", who)["token"]
    session = {"Authorization": f"Bearer {token}"}
    products = [each for each in call("GET", "/api/products?limit=50")["products"] if each["stock"] >= 2]
    cart = call("PUT", f"/api/cart/items/{products[0]['id']}", {"quantity": 2}, **session)
    order = call("POST", "/api/checkout", {}, **session, **{"Idempotency-Key": uuid.uuid4().hex})
    again = call("GET", f"/api/orders/{order['order_id']}", **session)
    said = {"cart": cart["total_cents"], "order": order["total_cents"], "read": again["total_cents"]}
    said |= {"frontend": call("GET", "/version")["colour"], "backend": call("GET", "/api/version")["colour"]}
    print(json.dumps(said))


main()
