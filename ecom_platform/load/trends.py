"""A benchmark's history for people: series for the report's plots, and a table in Markdown. From data frames only."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ecom_platform.load.results import TOTAL
from ecom_platform.report.evidence import Series

if TYPE_CHECKING:
    import pandas as pd

ROWS = 10  # of the table: what fits on a screen beside a plot
_TITLES = "| started | requests | errors | rate/s | p50 ms | p95 ms | p99 ms | outcome |"
_FIGURES = ("achieved_rate", "p50_ms", "p95_ms", "p99_ms")


def totals(history: pd.DataFrame, *, scenario: str | None = None) -> pd.DataFrame:
    """The total row of each run, oldest first; of one scenario, or of all."""
    chosen = history[history["request_class"] == TOTAL]
    if scenario is not None:
        chosen = chosen[chosen["scenario"] == scenario]
    return chosen.sort_values("started_at", ignore_index=True)


def trend(history: pd.DataFrame, column: str, *, title: str, unit: str, limit: float | None = None) -> Series:
    """One column of the total rows over time; report/plots.py draws it. Runs without the figure are left out."""
    rows = totals(history)
    moments = [each.to_pydatetime() for each in rows["started_at"]]
    points = [(at, float(value)) for at, value in zip(moments, rows[column], strict=True) if math.isfinite(value)]
    return Series(title, unit, points, limit, "benchmarks")


def trend_markdown(history: pd.DataFrame, *, rows: int = ROWS) -> str:
    """The newest runs as a table, newest first; "" without runs."""
    runs = totals(history).tail(rows).iloc[::-1]
    if runs.empty:
        return ""
    lines = [_TITLES, "|---|" + "--:|" * 6 + "---|"]
    for row in runs.to_dict("records"):
        figures = " | ".join("-" if math.isnan(row[name]) else f"{row[name]:.1f}" for name in _FIGURES)
        started = f"{row['started_at']:%Y-%m-%d %H:%M}"
        lines.append(f"| {started} | {row['requests']} | {row['errors']} | {figures} | {row['outcome']} |")
    return "\n".join(lines)
