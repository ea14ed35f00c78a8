"""What people do in the shop, by its HTTP contract: look, search, sign up, sign in, fill a cart, pay.

Weights are those of visits, not of requests; a visit is a journey of several requests.
"""

from __future__ import annotations

import json
import random
import re
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ecom_platform.load.scenarios import Answer, Journey, Request, expect, expect_status

Json: TypeAlias = dict[str, Any]
Asking: TypeAlias = Generator[Request, Answer, Answer]

MOST_FILES = 20
"""Files of one page: more than the shop's home page has, and a bound on a page gone wrong."""
PAGE = 20
KNOWN_PEOPLE = 500
"""Customers who may come back and sign in; the newest are kept."""

_LINKED = re.compile(rb"""(?:href|src)=["'](/(?:static|media)/[^"'?#]+)["']""")
_IMPORTED = re.compile(rb"""\bfrom\s+["']\./([^"'/]+\.js)["']""")
_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with an account. Made for one test: the password protects nothing."""

    email: str
    password: str = field(repr=False)
    name: str


@dataclass
class Shoppers:
    """Everybody whom one worker process sends. tag: makes their addresses unlike those of other tests."""

    tag: str
    rng: random.Random
    people: deque[Person] = field(default_factory=lambda: deque(maxlen=KNOWN_PEOPLE))
    words: list[str] = field(default_factory=list)
    _made: int = 0

    def new_journey(self) -> Journey:
        """A visit, drawn by weight."""
        visits: tuple[Callable[[], Journey], ...] = (
            self.glance,
            self.browse,
            self.search,
            self.sign_in,
            self.buy,
        )
        # Of a hundred visits about five sign in and three buy: the usual order of a shop's conversion.
        return self.rng.choices(visits, weights=(42, 32, 20, 3, 3))[0]()

    def glance(self) -> Journey:
        """The home page with its files, and what it shows; then the visitor is gone."""
        yield from self._home()

    def browse(self) -> Journey:
        """Home, a later page of the list, two products with their pictures."""
        products = yield from self._home()
        if products:
            products += yield from self._list(offset=PAGE)
            for product in self.rng.sample(products, k=min(2, len(products))):
                yield from self._detail(product)

    def search(self) -> Journey:
        """Straight to the search from a bookmark or an advertisement; a product that was found."""
        if not self.words:
            yield from self._list()
        word = self.rng.choice(self.words or ["shop"])
        answer = yield from _ask("search", f"/api/products?limit={PAGE}&q={word}")
        found = _products(answer)
        expect(found, f"nothing is found for {word!r}, a word of a product's name")
        for each in found:
            expect(word.lower() in each["name"].lower(), f"searched {word!r}, found {each['name']!r}")
        yield from self._detail(self.rng.choice(found))

    def sign_in(self) -> Journey:
        """A customer who comes back, looks at the session and the cart, and leaves."""
        if not self.people:
            yield from self._sign_up()
        person = self.rng.choice(self.people)
        body = {"email": person.email, "password": person.password}
        answer = yield from _ask("login", "/api/login", "POST", body)
        token = str(_object(answer).get("token"))
        session = _object((yield from _ask("session", "/api/session", token=token)))
        expect(session.get("email") == person.email, "the session belongs to somebody else")
        _cart(_object((yield from _ask("cart", "/api/cart", token=token))))
        yield from _ask("logout", "/api/logout", "POST", {}, token=token, statuses=(204,))

    def buy(self) -> Journey:
        """A new customer fills a cart, pays once though asking twice, and reads the order."""
        # Not all from the first page: a product's row is locked by each checkout that holds it.
        products = yield from self._list(offset=PAGE * self.rng.randrange(5))
        products = products or (yield from self._list())
        in_stock = [each for each in products if each["stock"] > 0]
        if not in_stock:  # sold out is no error; the visitor leaves
            return
        _, token = yield from self._sign_up()
        cart: Json = {}
        chosen = self.rng.sample(in_stock, k=min(self.rng.choice((1, 1, 2)), len(in_stock)))
        for product in chosen:
            path = f"/api/cart/items/{product['id']}"
            cart = _object((yield from _ask("cart_put", path, "PUT", {"quantity": 1}, token=token)))
            _cart(cart, holds=product["id"])
        if (yield from self._pay(token, cart)):
            left = _object((yield from _ask("product", f"/api/products/{chosen[0]['id']}")))
            # Others buy at the same time, so it may be less, and nobody fills the shelves during a test.
            expect(left["stock"] < chosen[0]["stock"], "the purchase took nothing from the stock")

    def _pay(self, token: str, cart: Json) -> Generator[Request, Answer, bool]:
        """Check out the cart, ask again with the same key, read the order; whether there was enough in stock."""
        self._made += 1
        key = (("Idempotency-Key", f"{self.tag}-{self._made}"),)
        paid = yield from _ask("checkout", "/api/checkout", "POST", {}, token, headers=key, statuses=(201, 409))
        if paid.status == 409:  # somebody else bought the last one: a right answer, if that is the reason
            reason = _object(paid).get("error", {}).get("code")
            expect(reason == "out_of_stock", f"checkout of a filled cart: 409 {reason}")
            return False
        order = _object(paid)
        expect(order.get("total_cents") == cart["total_cents"], "the order costs other than the cart said")
        again = yield from _ask("checkout_again", "/api/checkout", "POST", {}, token, headers=key)
        expect(_object(again).get("order_id") == order.get("order_id"), "the same key made another order")
        read = yield from _ask("order", f"/api/orders/{order.get('order_id')}", token=token)
        expect(_object(read).get("items") == order.get("items"), "the order reads back other than it was paid")
        return True

    def _home(self) -> Generator[Request, Answer, list[Json]]:
        page = yield from _ask("home", "/")
        expect(b"<title>" in page.body and b"</html>" in page.body, "the home page is not whole")
        paths = list(dict.fromkeys(each.decode() for each in _LINKED.findall(page.body)))
        fetched: set[str] = set()
        while paths and len(fetched) < MOST_FILES:
            path = paths.pop(0)
            fetched.add(path)
            answer = yield from _file(path)
            imported = [f"/static/{each.decode()}" for each in _IMPORTED.findall(answer.body)]
            paths += [each for each in imported if each not in fetched and each not in paths]
        return (yield from self._list())

    def _list(self, offset: int = 0) -> Generator[Request, Answer, list[Json]]:
        answer = yield from _ask("products", f"/api/products?limit={PAGE}&offset={offset}")
        found = _products(answer)
        expect(found or offset, "the shop has no products")
        if not self.words:
            self.words = sorted({word for each in found for word in _WORD.findall(each["name"])})
        return found

    def _detail(self, product: Json) -> Generator[Request, Answer, None]:
        seen = _object((yield from _ask("product", f"/api/products/{product['id']}")))
        same = all(seen.get(name) == product[name] for name in ("id", "name", "price_cents"))
        expect(same and seen.get("description"), f"product {product['id']} is other than the list said")
        yield from _file(product["image"])

    def _sign_up(self) -> Generator[Request, Answer, tuple[Person, str]]:
        self._made += 1
        person = Person(f"load-{self.tag}-{self._made}@example.com", f"{self.rng.getrandbits(64):016x}", "Load Test")
        body = {"email": person.email, "password": person.password, "name": person.name}
        answer = yield from _ask("signup", "/api/signup", "POST", body, statuses=(201,))
        token = _object(answer).get("token")
        expect(isinstance(token, str) and token, "sign-up gave no token")
        self.people.append(person)
        return person, str(token)


def _ask(
    name: str,
    path: str,
    method: str = "GET",
    body: Json | None = None,
    token: str = "",
    *,
    headers: tuple[tuple[str, str], ...] = (),
    statuses: tuple[int, ...] = (200,),
) -> Asking:
    if token:
        headers = (*headers, ("Authorization", f"Bearer {token}"))
    content = b""
    if body is not None:
        content = json.dumps(body).encode()
        headers = (*headers, ("Content-Type", "application/json"))
    answer = yield Request(name, path, method, headers, content)
    expect_status(answer, *statuses)
    return answer


def _file(path: str) -> Asking:
    answer = yield from _ask("picture" if path.startswith("/media/") else "static", path)
    expect(answer.body, f"{path} is empty")
    return answer


def _object(answer: Answer) -> Json:
    try:
        content = json.loads(answer.body)
    except ValueError:
        content = None
    expect(isinstance(content, dict), f"no JSON object: {answer.body[:80].decode(errors='replace')}")
    found: Json = content
    return found


def _products(answer: Answer) -> list[Json]:
    listed = _object(answer).get("products")
    expect(isinstance(listed, list) and len(listed) <= PAGE, "the answer is no page of products")
    found: list[Json] = listed or []
    for each in found:
        whole = isinstance(each, dict) and each.keys() >= {"id", "name", "price_cents", "stock", "image"}
        expect(whole and each["price_cents"] >= 0 and each["stock"] >= 0, "a product of the list is not whole")
    return found


def _cart(cart: Json, *, holds: object = None) -> None:
    items = cart.get("items")
    expect(isinstance(items, list), "the answer is no cart")
    total = sum(each["quantity"] * each["price_cents"] for each in items or [])
    expect(cart.get("total_cents") == total, "the cart's total is not the sum of its items")
    if holds is not None:
        expect(any(each["product_id"] == holds for each in items or []), "the cart does not hold what was put in")
