"""The page of evidence, opened as a person opens it: from a file, in a browser."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from ecom_platform.report.evidence import STAGES, Bars, Cell, EvidencePage, Series, Table
from ecom_platform.report.page import write
from ecom_platform.verdicts import Outcome
from tests.browser import picture, watched
from tests.report import pages

pytestmark = pytest.mark.browser
ATTACK = "<script>document.title='taken'</script><img src=http://127.0.0.1:9/x onerror=\"document.title='taken'\">"
# Contrast after WCAG 2: every visible text against the first painted background behind it.
CONTRASTS = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = channels(getComputedStyle(each).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.querySelectorAll("header *, main *, footer *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const ink = channels(element instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(ink), light(behind(element))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), element.textContent.trim().slice(0, 40)]);
  }
  return found.sort((x, y) => x[0] - y[0]);
}"""


@pytest.fixture
def failed_page() -> EvidencePage:
    return pages.page({"a purchase passes the front door": Outcome.FAILED, "no request was lost": Outcome.INCONCLUSIVE})


def open_page(page: Page, evidence: EvidencePage, folder: Path) -> None:
    page.goto(write(evidence, folder / "evidence.html").as_uri())


def test_the_page_shows_every_stage_in_reading_order_and_asks_for_nothing(
    browser: Browser, failed_page: EvidencePage, tmp_path: Path
) -> None:
    with watched(browser) as seen:
        open_page(seen.page, failed_page, tmp_path)
        headings = seen.page.locator("main section[id] h2").all_inner_texts()
        assert [each.lower() for each in headings] == list(STAGES)
        assert seen.page.locator("h1").inner_text() == "Failed"
        assert seen.page.get_by_text("2 h 14 min").is_visible()
        assert seen.page.locator("#budgets").get_by_text("41.3 s").is_visible()
        assert seen.page.locator("main figure > svg").count() == 4
        assert seen.requests == [seen.page.url]
        assert seen.problems == []


def test_a_page_on_which_all_is_passed_is_pictured(browser: Browser, tmp_path: Path) -> None:
    # The picture goes into the README, so it says that nobody measured these figures.
    example = replace(pages.page(), shop="an example (invented figures)", tables=(), links=(), webserver_url="")
    with watched(browser, height=1500) as seen:
        seen.page.clock.set_fixed_time(pages.NOW + timedelta(minutes=1))
        open_page(seen.page, example, tmp_path)
        assert seen.page.locator("h1").inner_text() == "Passed"
        assert seen.page.locator("#old").is_hidden()
        picture(seen.page, "report", full_page=False)


def test_texts_with_markup_are_shown_and_not_obeyed(browser: Browser, tmp_path: Path) -> None:
    now = pages.NOW
    attacked = EvidencePage(
        shop=ATTACK,
        generated_at=now,
        evidence=[
            replace(each, subject=ATTACK, claim=ATTACK + each.claim, seen=ATTACK, numbers={ATTACK: 1.0}, run_id=ATTACK)
            for each in pages.evidence(runs=1)
        ],
        series=[Series(ATTACK, ATTACK, [(now, 1.0), (now + timedelta(hours=1), 2.0)], limit=3)],
        tables=[Table(ATTACK, (ATTACK, ATTACK), ((ATTACK, Cell(ATTACK, ATTACK, Outcome.FAILED)),))],
        links=[(ATTACK, "javascript:document.title='taken'"), (ATTACK, 'https://example.org/"><script>1</script>')],
        webserver_url="http://127.0.0.1:3000/",
        bars=[Bars(ATTACK, ATTACK, [(ATTACK, {ATTACK: 1.0})]), Bars("$x", "", [("$\\frac{a}$", {"$b": 1})], False)],
    )
    with watched(browser) as seen:
        open_page(seen.page, attacked, tmp_path)
        seen.page.wait_for_load_state("networkidle")
        assert seen.page.title() == f"failed: evidence for {ATTACK}"
        assert seen.page.locator("script").count() == 1, "the page's own"
        assert seen.page.locator("img").count() == 0
        assert seen.page.locator("a[href^='javascript']").count() == 0
        assert seen.page.locator("main").get_by_text("<script>document.title").count() > 10
        assert seen.requests == [seen.page.url]
        assert seen.problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_nothing_is_wider_than_the_screen_and_all_text_has_contrast(
    browser: Browser, failed_page: EvidencePage, tmp_path: Path, scheme: str, width: int
) -> None:
    with watched(browser, width=width, scheme=scheme) as seen:
        open_page(seen.page, failed_page, tmp_path)
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        contrasts = seen.page.evaluate(CONTRASTS)
        assert len(contrasts) > 100
        assert contrasts[0][0] >= 4.5, contrasts[:5]


def test_outcomes_can_be_told_apart_without_colour(browser: Browser, failed_page: EvidencePage, tmp_path: Path) -> None:
    with watched(browser) as seen:
        open_page(seen.page, failed_page, tmp_path)
        for outcome in Outcome:
            badge = seen.page.locator(f".claims .badge.{outcome}").first
            assert badge.inner_text() == outcome.value
            assert badge.locator(f"use[href='#mark-{outcome}']").count() == 1


def test_a_link_leads_to_the_run_in_the_dagster_ui(browser: Browser, tmp_path: Path) -> None:
    with watched(browser) as seen:
        open_page(seen.page, pages.page(), tmp_path)
        link = seen.page.locator("#restores .claims a").first
        assert link.get_attribute("href") == "http://127.0.0.1:3000/runs/30c2f8e1-58d1-4c0e-9d0f-6a1b2c3d4e5f"


def test_a_reader_who_comes_late_is_told_so(browser: Browser, tmp_path: Path) -> None:
    with watched(browser) as seen:
        seen.page.clock.set_fixed_time(pages.NOW + timedelta(days=3, hours=2))
        open_page(seen.page, pages.page(), tmp_path)
        assert "This page is 3 days old" in seen.page.locator("#old").inner_text()


def test_the_page_can_be_read_without_scripts(browser: Browser, tmp_path: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    open_page(page, pages.page(), tmp_path)
    assert page.get_by_text("every row of every table is the same").is_visible()
    context.close()
