"""The shop in a real browser: from the home page to the confirmation, as a person goes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.shop.programs import Program, running
from tests.shop.server import free_port

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Browser, frontend: Program) -> Iterator[Page]:
    """A fresh visitor's page; a script error or a blocked file fails the test that caused it."""
    context = browser.new_context(base_url=frontend.url, viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    opened.set_default_timeout(15_000)
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    yield opened
    context.close()
    assert not faults


def picture(page: Page, name: str) -> None:
    """Writes docs/pictures/shop-NAME.png, when asked to by WRITE_PICTURES."""
    if os.environ.get("WRITE_PICTURES"):
        page.wait_for_load_state("networkidle")
        page.screenshot(path=PICTURES / f"shop-{name}.png")


def fill_sign_up(page: Page, email: str) -> None:
    page.get_by_label("Name").fill("Ada Adler")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill("correct horse")
    page.get_by_role("button", name="Create account").click()


def test_a_visitor_searches_signs_up_and_buys(page: Page) -> None:
    page.goto("/")
    expect(page.locator(".card")).to_have_count(24)
    picture(page, "home")
    page.get_by_label("Search products").fill("sage mug")
    expect(page.get_by_role("heading", name="Results for “sage mug”")).to_be_visible()
    expect(page.locator(".card")).to_have_count(4)
    picture(page, "search")
    name = page.locator(".card .name").first.inner_text()
    page.locator(".card").first.click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    assert page.locator(".product img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 480
    page.get_by_label("Quantity").fill("2")
    page.get_by_role("button", name="Add to cart").click()
    expect(page.locator("#cart-count")).to_have_text("2")
    picture(page, "product")
    page.get_by_role("link", name="View cart").click()
    expect(page.get_by_role("link", name=name)).to_be_visible()
    picture(page, "cart")
    total = page.locator("#total").inner_text()
    page.get_by_role("link", name="Go to checkout").click()
    picture(page, "sign-up")
    fill_sign_up(page, "ada@pages.example.org")
    place_order = page.get_by_role("button", name=f"Place order for {total}")
    expect(place_order).to_be_visible()
    expect(page.locator("#account")).to_contain_text("Ada Adler")
    picture(page, "checkout")
    place_order.click()
    expect(page.get_by_role("heading", name="Thank you for your order")).to_be_visible()
    expect(page.get_by_role("status").filter(has_text=re.compile(r"Order \d+ is placed"))).to_be_visible()
    expect(page.locator("#total")).to_have_text(total)
    expect(page.locator("#cart-count")).to_be_hidden()
    picture(page, "confirmation")


def test_the_cart_changes_and_empties(page: Page) -> None:
    page.goto("/product.html?id=3")
    page.get_by_role("button", name="Add to cart").click()
    page.get_by_role("link", name="View cart").click()
    before = page.locator("#total").inner_text()
    quantity = page.get_by_label(re.compile("Quantity of"))
    quantity.fill("3")
    quantity.blur()
    expect(page.locator("#cart-count")).to_have_text("3")
    expect(page.locator("#total")).not_to_have_text(before)
    page.get_by_role("button", name=re.compile("Remove")).click()
    expect(page.get_by_text("There is nothing in it yet.")).to_be_visible()
    expect(page.locator("#cart-count")).to_be_hidden()


def test_somebody_signs_out_and_in_again_and_finds_the_cart(page: Page) -> None:
    page.goto("/product.html?id=4")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("tab", name="New here").click()
    fill_sign_up(page, "back@pages.example.org")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    page.get_by_role("button", name="Add to cart").click()
    expect(page.locator("#cart-count")).to_have_text("1")
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("#account").get_by_role("button", name="Sign in")).to_be_visible()
    expect(page.locator("#cart-count")).to_be_hidden()
    page.locator("#account").get_by_role("button", name="Sign in").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Email").fill("back@pages.example.org")
    dialog.get_by_label("Password").fill("correct horse")
    dialog.get_by_role("button", name="Sign in").click()
    expect(page.locator("#cart-count")).to_have_text("1")


def test_show_more_reaches_the_end_and_a_kind_narrows_the_list(page: Page) -> None:
    page.goto("/")
    more = page.get_by_role("button", name="Show more")
    for shown in (24, 48):
        expect(page.locator(".card")).to_have_count(shown)
        more.click()
    page.get_by_role("button", name="Teapot").click()
    expect(page.locator(".card")).to_have_count(20)
    expect(more).to_be_hidden()
    expect(page).to_have_url(re.compile(r"\?q=Teapot"))
    page.reload()
    expect(page.locator(".card")).to_have_count(20)


def test_markup_in_a_search_stays_text(page: Page) -> None:
    page.goto("/?q=%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E")
    expect(page.get_by_text("Nothing is called “<img src=x onerror=alert(1)>”")).to_be_visible()


def test_a_narrow_screen_has_everything_within_its_width(browser: Browser, frontend: Program) -> None:
    context = browser.new_context(base_url=frontend.url, viewport={"width": 360, "height": 740})
    page = context.new_page()
    for path in ("/", "/product.html?id=1", "/cart.html", "/checkout.html"):
        page.goto(path)
        page.locator("main[aria-busy=false], main [aria-busy=false]").first.wait_for()
        assert page.locator("html").evaluate("root => root.scrollWidth <= root.clientWidth"), path
    context.close()


def test_people_are_told_when_the_backend_is_away(browser: Browser, folder: Path) -> None:
    with running("shop.frontend", {"BACKEND": f"127.0.0.1:{free_port()}"}, folder) as door:
        page = browser.new_page(base_url=door.url)
        page.goto("/")
        expect(page.get_by_role("alert")).to_contain_text("does not answer; try again in a moment", timeout=15_000)
        page.close()


def test_a_wrong_password_is_told_beside_the_form(
    browser: Browser, frontend: Program, sign_up: Callable[[str], httpx.Client]
) -> None:
    page = browser.new_page(base_url=frontend.url)
    page.goto("/")
    page.get_by_role("button", name="Sign in").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Email").fill("nobody@pages.example.org")
    dialog.get_by_label("Password").fill("wrong horse")
    dialog.get_by_role("button", name="Sign in").click()
    expect(dialog.get_by_role("alert")).to_have_text("Email or password is wrong.")
    page.close()
