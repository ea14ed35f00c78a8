"""The evidence in a terminal and in a pipe."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from ecom_platform.report.evidence import EvidencePage
from ecom_platform.report.terminal import lines, show
from ecom_platform.verdicts import Outcome
from tests.report.pages import page


@pytest.fixture
def mixed() -> EvidencePage:
    return page({"a purchase passes the front door": Outcome.FAILED, "no request was lost": Outcome.INCONCLUSIVE})


def shown(evidence: EvidencePage, *, terminal: bool, encoding: str = "utf-8", width: int = 120) -> str:
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    show(evidence, Console(file=out, force_terminal=terminal, width=width, no_color=True, _environ={}))
    out.seek(0)
    return out.read()


def test_a_pipe_gets_one_line_per_claim_and_the_summary_last(mixed: EvidencePage) -> None:
    found = shown(mixed, terminal=False, width=40).splitlines()
    assert found == list(lines(mixed))
    assert found[-1] == "ecommerce: failed (15 claims passed, 2 failed, 1 inconclusive)"
    assert (
        "failed        validations  frontend      a purchase passes the front door: order 20001 for 25.90 EUR" in found
    )
    assert [line.split()[0] for line in found[-4:-1]] == ["failed", "failed", "inconclusive"], "not passed: last"
    assert all(line.startswith("passed ") for line in found[:-4])
    assert len(found) == 15 + 1 + 2 + 1, "claims, the broken promise of the table, two budgets, the summary"


def test_a_terminal_gets_a_table_with_every_claim_a_mark_and_a_word(mixed: EvidencePage) -> None:
    text = shown(mixed, terminal=True, width=200)
    for claim in ("a purchase passes the front door", "every row of every table is the same", "within the RTO"):
        assert claim in text
    assert "✗ failed" in text
    assert "? inconclusive" in text
    assert "✓ passed" in text


def test_a_terminal_without_unicode_gets_the_table_in_ascii(mixed: EvidencePage) -> None:
    assert shown(mixed, terminal=True, encoding="ascii", width=200).isascii()


def test_texts_with_markup_or_control_characters_are_shown_and_not_obeyed() -> None:
    evil = "[bold]x[/bold] \x1b[2J :smile: [/nothing]"
    example = page()
    attacked = replace(
        example, shop=evil, evidence=[replace(each, claim=evil, seen=evil, subject=evil) for each in example.evidence]
    )
    for terminal in (True, False):
        text = shown(attacked, terminal=terminal, width=400)
        assert "[bold]x[/bold] \ufffd[2J :smile: [/nothing]" in text
        assert "\x1b[2J" not in text


def test_nothing_proved_is_said_per_stage() -> None:
    bare = replace(page(), evidence=(), tables=())
    found = list(lines(bare))
    assert sum("nothing proved: no run left evidence" in line for line in found) == 7
    assert found[-1].startswith("ecommerce: inconclusive")
