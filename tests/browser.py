"""A real browser for all tests that look at pages; they are marked with `pytest.mark.browser`.

tests/conftest.py takes the fixture in, once: Playwright runs one browser a process at a time, and a fixture that
each room imported would be another one beside it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium of this machine, one for each file of tests: while it is open no other event loop can run in
    this thread, and what needs one (Dagster's runs) leaves warnings. Where there is no Chromium the test is
    skipped; in CI it fails.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("needs Chromium on PATH: apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield chromium
        chromium.close()


@dataclass
class Watched:
    """A page, and all that it asked for and complained about since it was opened."""

    page: Page
    requests: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


@contextmanager
def watched(browser: Browser, *, width: int = 1280, height: int = 900, scheme: str = "light") -> Iterator[Watched]:
    """A new page of that size and colour scheme, in a context of its own (cookies, storage), closed afterwards."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if scheme == "dark" else "light"
    )
    seen = Watched(context.new_page())
    seen.page.on("request", lambda request: seen.requests.append(request.url))
    seen.page.on("pageerror", lambda error: seen.problems.append(f"exception: {error}"))
    seen.page.on(
        "console",
        lambda message: seen.problems.append(message.text) if message.type in ("error", "warning") else None,
    )
    try:
        yield seen
    finally:
        context.close()


def picture(page: Page, name: str, *, full_page: bool = True) -> None:
    """Write docs/pictures/NAME.png, only when WRITE_PICTURES is set."""
    if os.environ.get("WRITE_PICTURES"):
        PICTURES.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=PICTURES / f"{name}.png", full_page=full_page)
