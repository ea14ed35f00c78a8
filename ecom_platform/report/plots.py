"""Pictures of series and bars as SVG that lives inside a page: text stays text, colours come from the page's CSS.

matplotlib draws; it is imported when the first picture is drawn. Each figure uses placeholder colours
that become CSS variables, so that one picture serves a light and a dark page.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ecom_platform.report.evidence import Bars, Series
from ecom_platform.report.figures import printable, with_unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Never black: matplotlib leaves black out of the SVG, and then there is nothing to replace.
INK, MUTED, GRID, LIMIT, PAPER = "#010203", "#010204", "#010205", "#010206", "#010207"
COLOURS = tuple(f"#01031{digit}" for digit in range(6))
_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "line", LIMIT: "limit", PAPER: "card"} | {
    colour: f"plot-{number}" for number, colour in enumerate(COLOURS, 1)
}
_MARKERS = ("o", "s", "D", "^", "v", "P")  # beside the colours, so that marks can be told apart without them
WIDTH = 4.8  # inches at 72 dpi: about 350 px, so that the text is readable on a phone
LEGEND_LETTERS = 48  # that fit beside each other above a plot of that width
PART_LETTERS = 14
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "evidence",
    "text.parse_math": False,
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "legend.fontsize": 9,
    "savefig.transparent": True,
}


def trend(series: Series, name: str) -> str:
    """SVG of one figure over time with its limit; empty when there is no point to draw.

    name: unique in the page; all ids in the SVG begin with it.
    """
    points = [(at, value) for at, value in series.points if math.isfinite(value)]
    if not points:
        return ""
    return _svg(lambda figure: _draw_trend(figure, series, points), name, height=2.1)


def bars(chart: Bars, name: str) -> str:
    """SVG of stacked bars (parts that add up) or of marks on a line (parts that stand alone)."""
    parts = parts_of(chart)
    if not parts:
        return ""
    height = 0.75 + 0.32 * len(chart.bars) + 0.2 * math.ceil(len(parts) / _columns(parts))
    draw = _draw_stacked if chart.stacked else _draw_marks
    return _svg(lambda figure: draw(figure, chart, parts), name, height=height)


def parts_of(chart: Bars) -> list[str]:
    """The names of all parts with a finite value, in the order in which they first appear."""
    found: dict[str, None] = {}
    for _, values in chart.bars:
        found |= {part: None for part, value in values.items() if math.isfinite(value)}
    return list(found)


def _draw_trend(figure: Figure, series: Series, points: Sequence[tuple[Any, float]]) -> None:
    from datetime import UTC

    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    axes = figure.add_subplot()
    times, values = [at for at, _ in points], [value for _, value in points]
    axes.plot(times, values, color=COLOURS[0], linewidth=1.8, marker="o", markersize=4)
    locator = AutoDateLocator(tz=UTC, minticks=2, maxticks=8)  # type: ignore[no-untyped-call]  # matplotlib has no types here
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=UTC))  # type: ignore[no-untyped-call]  # the same
    axes.grid(visible=False, axis="x")
    shown = max(values) if series.limit is None else max(*values, series.limit)
    axes.set_ylim(0, shown * 1.15 or 1)
    _format(axes.yaxis, series.unit)
    if series.limit is not None:
        axes.axhline(series.limit, color=LIMIT, linewidth=1.3, linestyle="--")
        label = f"limit {_value(series.limit, series.unit)}"
        axes.annotate(
            label,
            (1, series.limit),
            (0, 3),
            ("axes fraction", "data"),
            "offset points",
            color=LIMIT,
            ha="right",
            va="bottom",
            fontsize=9,
        )


def _draw_stacked(figure: Figure, chart: Bars, parts: Sequence[str]) -> None:
    axes = figure.add_subplot()
    rows = range(len(chart.bars))
    begin = [0.0 for _ in rows]
    for number, part in enumerate(parts):
        lengths = [_finite(values, part) for _, values in chart.bars]
        colour = COLOURS[number % len(COLOURS)]
        axes.barh(
            rows,
            lengths,
            left=begin,
            height=0.62,
            color=colour,
            edgecolor=PAPER,
            linewidth=0.8,
            label=_short(part, most=PART_LETTERS),
        )
        begin = [start + length for start, length in zip(begin, lengths, strict=True)]
    for row, total in zip(rows, begin, strict=True):
        axes.annotate(
            _value(total, chart.unit), (total, row), (4, 0), textcoords="offset points", va="center", fontsize=9
        )
    _finish_rows(axes, chart, max(begin))


def _draw_marks(figure: Figure, chart: Bars, parts: Sequence[str]) -> None:
    axes = figure.add_subplot()
    known = [[value for value in values.values() if math.isfinite(value)] for _, values in chart.bars]
    for row, values in enumerate(known):
        if values:
            axes.plot([min(values), max(values)], [row, row], color=MUTED, linewidth=1.2, zorder=1)
    for number, part in enumerate(parts):
        places = [(values[part], row) for row, (_, values) in enumerate(chart.bars) if part in values]
        axes.scatter(
            [value for value, _ in places],
            [row for _, row in places],
            label=_short(part, most=PART_LETTERS),
            s=34,
            zorder=2,
            color=COLOURS[number % len(COLOURS)],
            marker=_MARKERS[number % len(_MARKERS)],
        )
    _finish_rows(axes, chart, max(max(values, default=0.0) for values in known))


def _finish_rows(axes: Axes, chart: Bars, largest: float) -> None:
    axes.set_yticks(range(len(chart.bars)), [_short(label) for label, _ in chart.bars])
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_ylim(len(chart.bars) - 0.5, -0.5)  # the first row on top
    axes.grid(visible=False, axis="y")
    shown = largest if chart.limit is None or chart.limit > 20 * largest > 0 else max(largest, chart.limit)
    axes.set_xlim(0, shown * 1.18 or 1)
    axes.xaxis.set_major_locator(_few_ticks())
    _format(axes.xaxis, chart.unit)
    if chart.limit is not None and shown >= chart.limit:
        axes.axvline(
            chart.limit, color=LIMIT, linewidth=1.3, linestyle="--", label=f"limit {_value(chart.limit, chart.unit)}"
        )
    columns = _columns(parts_of(chart))
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, borderpad=0, handlelength=1, columnspacing=1)


def _columns(parts: Sequence[str]) -> int:
    """How many entries of a legend fit beside each other; the limit's is counted on top."""
    longest = max(len(_short(part, most=PART_LETTERS)) for part in parts) + 4
    return max(1, min(len(parts) + 1, LEGEND_LETTERS // longest))


def _few_ticks() -> Any:  # matplotlib's ticker classes carry no types
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=5)


def _format(axis: Any, unit: str) -> None:
    axis.set_major_formatter(lambda value, _place: _value(value, unit))


def _finite(values: Mapping[str, float], part: str) -> float:
    value = values.get(part, 0.0)
    return value if math.isfinite(value) else 0.0


def _value(value: float, unit: str) -> str:
    return with_unit(value, _short(unit, most=10))


def _short(label: str, *, most: int = 22) -> str:
    """Longer texts would leave no room for the plot; the table below it has them whole."""
    flat = printable(label)
    return flat if len(flat) <= most else f"{flat[: most - 1]}…"


def _svg(draw: Any, name: str, *, height: float) -> str:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        draw(figure)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return _fit_into_page(out.getvalue(), name)


def _fit_into_page(svg: str, name: str) -> str:
    """Only the svg element, scalable, with its own ids and with the page's colours."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)  # it would style the page
    svg = re.sub(r" font-family: [^;\"]*;", "", svg)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', svg)
    svg = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", svg)
    for colour, variable in _VARIABLES.items():
        svg = svg.replace(colour, f"var(--{variable})")
    return svg.replace("<svg", '<svg aria-hidden="true" focusable="false"', 1)
