"""The evidence in a terminal: a table for people, plain lines where there is no terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ecom_platform.report.evidence import EvidencePage, budget_verdicts, counts, named_verdicts
from ecom_platform.report.figures import printable
from ecom_platform.verdicts import Outcome, Verdict

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_STYLES = {Outcome.PASSED: "green", Outcome.FAILED: "bold red", Outcome.INCONCLUSIVE: "yellow"}
_MARKS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.INCONCLUSIVE: "?"}


def show(page: EvidencePage, console: Console) -> None:
    """Print the evidence: a table on a terminal, otherwise a line per claim that a program can cut."""
    if console.is_terminal:
        console.print(_table(page, fancy=console.encoding.startswith("utf")))
        console.print(summary(page), style=_STYLES[page.outcome], markup=False, highlight=False)
        return
    for line in lines(page):
        console.print(line, markup=False, highlight=False, soft_wrap=True, emoji=False)


def lines(page: EvidencePage) -> Iterator[str]:
    """One line per claim, 'OUTCOME  STAGE  SUBJECT  CLAIM: SEEN', and the summary last."""
    for stage, subject, verdict in _rows(page):
        yield printable(f"{verdict.outcome:<12}  {stage:<11}  {subject:<12}  {verdict.claim}: {verdict.seen}").rstrip()
    yield summary(page)


def summary(page: EvidencePage) -> str:
    """'ecommerce: passed (41 claims passed, 0 failed, 0 inconclusive)'."""
    found = counts(page)
    return printable(
        f"{page.shop}: {page.outcome} ({found[Outcome.PASSED]} claims passed, "
        f"{found[Outcome.FAILED]} failed, {found[Outcome.INCONCLUSIVE]} inconclusive)"
    )


def _rows(page: EvidencePage) -> list[tuple[str, str, Verdict]]:
    """In reading order, and what did not pass last: the end is what a person or a log's tail shows."""
    rows = [*named_verdicts(page), *(("budgets", "", verdict) for verdict in budget_verdicts(page))]
    return sorted(rows, key=lambda row: not row[2].passed)


def _table(page: EvidencePage, *, fancy: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(printable(f"Evidence for {page.shop}")), box=box.ROUNDED if fancy else box.ASCII)
    table.add_column("outcome", no_wrap=True)
    table.add_column("stage", no_wrap=True)
    for column in ("subject", "claim", "seen"):
        table.add_column(column, overflow="fold")
    before = ""
    for stage, subject, verdict in _rows(page):
        if before and stage != before:
            table.add_section()
        mark = f"{_MARKS[verdict.outcome]} " if fancy else ""
        outcome = Text(f"{mark}{verdict.outcome}", style=_STYLES[verdict.outcome])
        texts = (Text(printable(each)) for each in (subject, verdict.claim, verdict.seen))
        table.add_row(outcome, "" if stage == before else stage, *texts)
        before = stage
    return table
