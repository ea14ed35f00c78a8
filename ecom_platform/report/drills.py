"""What the page says of the future of a recovery: a row for each database. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ecom_platform.recovery.forecast import HORIZON, Point, forecast, judge
from ecom_platform.report.evidence import Cell, Table
from ecom_platform.report.figures import duration_text

COLUMNS = ("Database", "Dump", "Restore", f"Restore in {HORIZON.days} days")


def forecast_table(history: Mapping[str, Sequence[Point]], budgets: Mapping[str, float]) -> Table:
    """A cell that says that the budget will be crossed is red, and with it the stage."""
    rows = [_row(name, points, budgets[name]) for name, points in history.items()]
    return Table("Restore times to come", COLUMNS, rows, stage="restores")


def _row(name: str, points: Sequence[Point], budget: float) -> tuple[str | Cell, ...]:
    if not points:
        return (name, "no proof yet", "", Cell("unknown", judge(points, budget).seen, judge(points, budget).outcome))
    last, found, verdict = max(points, key=lambda each: each.at), forecast(points, budget), judge(points, budget)
    text = f"below {duration_text(budget)}"
    when = f"; it is reached on {found.crosses:%d %b %Y}" if found and found.crosses else ""
    return (
        name,
        f"{last.size / 1e6:,.0f} MB",
        f"{last.seconds:.1f} s",
        Cell(text, verdict.seen + when, verdict.outcome),
    )
