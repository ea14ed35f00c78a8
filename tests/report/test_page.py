"""The page as text, and its pictures; how a browser shows it is tested in test_page_in_browser.py."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from ecom_platform.report import plots
from ecom_platform.report.evidence import Bars, EvidencePage, Series
from ecom_platform.report.page import render, write
from ecom_platform.report.views import harmless, open_claims, run_url
from ecom_platform.verdicts import Outcome
from tests.report.pages import NOW, page


def test_the_same_evidence_gives_the_same_page() -> None:
    assert render(page()) == render(page())


def test_every_id_on_the_page_is_there_once() -> None:
    ids = re.findall(r'\bid="([^"]+)"', render(page()))
    assert len(ids) == len(set(ids))


def test_the_page_names_no_address_but_the_links_it_was_given() -> None:
    addresses = set(re.findall(r"https?://[^\s\"'<>)]+", render(replace(page(), webserver_url="", links=()))))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}


def test_a_page_without_evidence_says_that_nothing_is_proved() -> None:
    text = render(EvidencePage("shop", NOW, ()))
    assert text.count("Nothing proved: no run left evidence") == 7
    assert "<h1><svg" in text
    assert "<title>inconclusive: evidence for shop</title>" in text


def test_what_is_open_is_listed_with_failures_first() -> None:
    found = open_claims(
        page(
            {"a purchase passes the front door": Outcome.FAILED, "the schema is the same": Outcome.INCONCLUSIVE},
            taken_at=None,
        )
    )
    assert [(each.verdict.outcome.value, each.anchor) for each in found] == [
        ("failed", "validations"),
        ("failed", "backups"),
        ("inconclusive", "budgets"),
        ("inconclusive", "restores"),
    ]


def test_writing_replaces_the_old_page_as_a_whole_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "evidence.html"
    write(page(), path)
    first = path.read_text(encoding="utf-8")
    write(replace(page(), shop="other"), path)
    assert path.read_text(encoding="utf-8") != first
    assert [each.name for each in path.parent.iterdir()] == ["evidence.html"]


@pytest.mark.parametrize(
    ("base", "run", "url"),
    [
        ("http://127.0.0.1:3000", "abc", "http://127.0.0.1:3000/runs/abc"),
        ("http://127.0.0.1:3000/", "a/b?c", "http://127.0.0.1:3000/runs/a%2Fb%3Fc"),
        ("", "abc", ""),
        ("http://127.0.0.1:3000", "", ""),
        ("javascript:alert(1)//", "abc", ""),
    ],
)
def test_a_run_is_linked_only_where_there_is_a_ui(base: str, run: str, url: str) -> None:
    assert run_url(base, run) == url


@pytest.mark.parametrize("url", ["javascript:alert(1)", "JavaScript:alert(1)", "\tjavascript:x", "data:text/html,x"])
def test_links_that_do_more_than_open_are_refused(url: str) -> None:
    assert not harmless(url)


@pytest.mark.parametrize("url", ["https://example.org", "file:///tmp/x", "other.html", "#restores"])
def test_links_that_open_something_are_kept(url: str) -> None:
    assert harmless(url)


NAN = float("nan")


@pytest.mark.parametrize(
    "chart",
    [
        pytest.param(Series("one", "s", [(NOW, 3.0)]), id="one point"),
        pytest.param(Series("zero", "s", [(NOW, 0.0)], limit=0), id="nothing but zero"),
        pytest.param(Series("gap", "ms", [(NOW, NAN), (NOW + timedelta(1), 5e9)]), id="a gap"),
        pytest.param(Bars("b", "s", [("x", {"fetch": 1}), ("y", {"copy": 2})]), id="other parts"),
        pytest.param(Bars("b", "s", [("x", {"fetch": NAN, "copy": 0.0})]), id="nan and zero"),
        pytest.param(Bars("m", "ms", [("x", {"p95": 3}), ("y", {})], False, 500), id="an empty row"),
        pytest.param(Bars("n", "s", [("x" * 99, {f"{n} part" * 9: n for n in range(9)})]), id="many long parts"),
        pytest.param(Bars("$", "$", [("$a_", {"$\\frac{": 1})]), id="what looks like mathematics"),
    ],
)
def test_odd_figures_are_drawn_as_well_formed_svg(chart: Series | Bars) -> None:
    svg = plots.trend(chart, "a") if isinstance(chart, Series) else plots.bars(chart, "a")
    assert ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert "#0102" not in svg, "every placeholder colour was replaced"
    assert "font-family" not in svg


def test_without_a_figure_nothing_is_drawn_and_the_page_says_so() -> None:
    empty = (Series("none", "s", []), Series("nan", "s", [(NOW, NAN)]))
    chart = Bars("no bars", "s", [])
    assert [plots.trend(each, "a") for each in empty] == ["", ""]
    assert plots.bars(chart, "a") == ""
    text = render(replace(page(), series=empty, bars=(chart,)))
    assert text.count("Nothing measured yet.") == 3
