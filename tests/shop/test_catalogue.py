"""Products and pictures: list, pages, search, detail."""

from __future__ import annotations

from typing import Any

import httpx
import pytest


def test_the_list_has_the_fields_of_the_contract(visitor: httpx.Client) -> None:
    answer = visitor.get("/api/products", params={"limit": 20}).json()
    assert len(answer["products"]) == 20
    assert set(answer["products"][0]) == {"id", "name", "price_cents", "currency", "stock", "image"}
    assert answer["next_offset"] == 20


def test_following_the_pages_shows_every_product_once(visitor: httpx.Client) -> None:
    seen: list[int] = []
    offset: int | None = 0
    while offset is not None:
        page: dict[str, Any] = visitor.get("/api/products", params={"limit": 100, "offset": offset}).json()
        seen += [product["id"] for product in page["products"]]
        offset = page["next_offset"]
    assert seen == list(range(1, 241))


def test_search_finds_products_by_the_beginnings_of_their_words(visitor: httpx.Client) -> None:
    found = visitor.get("/api/products", params={"q": "  terra MUG ", "limit": 100}).json()["products"]
    assert found
    assert all("Terracotta" in each["name"] and each["name"].endswith("Mug") for each in found)


@pytest.mark.parametrize("words", ["nothingiscalledthis", "!!! & | ' :* \\", "%", "🦆"])
def test_a_search_without_a_match_is_an_empty_list(visitor: httpx.Client, words: str) -> None:
    answer = visitor.get("/api/products", params={"q": words})
    assert (answer.status_code, answer.json()) == (200, {"products": [], "next_offset": None})


def test_a_product_has_a_description_and_a_picture_that_is_there(visitor: httpx.Client) -> None:
    product = visitor.get("/api/products/7").json()
    assert product["description"]
    picture = visitor.get(product["image"])
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")


@pytest.mark.parametrize("number", ["0", "999999999", "9" * 30, "1e3", "-1", "x", "%00", "%D9%A1"])
def test_an_id_that_is_nobodys_is_not_found(visitor: httpx.Client, number: str) -> None:
    answer = visitor.get(f"/api/products/{number}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "limit=", "offset=-1", "offset=100001", "q=" + "a" * 101]
)
def test_a_query_out_of_its_range_is_refused_with_the_field_named(visitor: httpx.Client, query: str) -> None:
    answer = visitor.get(f"/api/products?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith(query.partition("=")[0])


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", ".hidden.png", "no-such.png", "a.txt", "%00.png"])
def test_media_serves_nothing_but_its_pictures(visitor: httpx.Client, name: str) -> None:
    assert visitor.get(f"/media/{name}").status_code == 404
