"""The report of a benchmark suite: one HTML file that needs no server and no network, and the same in Markdown.

What was measured comes as a load.suite.Suite, what follows from it from load/advice.py. All texts are escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from ecom_platform.load.advice import held_rate, recommendations
from ecom_platform.report import plots
from ecom_platform.report.evidence import Bars, Series
from ecom_platform.report.figures import number_text, printable, time_text
from ecom_platform.report.page import FOLDER
from ecom_platform.verdicts import Outcome, Verdict, worst

if TYPE_CHECKING:
    from ecom_platform.load.results import LoadResult
    from ecom_platform.load.suite import Suite

PERCENTILES = ("p50", "p95", "p99")


@dataclass(frozen=True)
class Table:
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    about: str = ""


def files(suite: Suite) -> dict[str, str]:
    """Texts by file name."""
    return {"performance-report.md": markdown(suite), "performance-report.html": html(suite)}


def outcome(suite: Suite) -> Outcome:
    """Of the load test; the growing rates look for the limit and are meant to find it."""
    return worst(suite.verdicts.values())


def markdown(suite: Suite) -> str:
    lines = [f"# Performance of {suite.shop}: {outcome(suite)}", "", headline(suite), "", "## Recommendations", ""]
    lines += [f"- {each}" for each in _advice(suite)]
    for table in tables(suite):
        lines += ["", f"## {table.title}", "", *([table.about, ""] if table.about else [])]
        lines += ["| " + " | ".join(table.columns) + " |", "|" + "---|" * len(table.columns)]
        lines += ["| " + " | ".join(printable(each).replace("|", "\\|") for each in row) + " |" for row in table.rows]
    return "\n".join(lines) + "\n"


def html(suite: Suite) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (FOLDER / "page.css").read_text(encoding="utf-8")
    return environment.get_template("bench.html.j2").render(
        shop=suite.shop,
        outcome=outcome(suite).value,
        headline=headline(suite),
        advice=_advice(suite),
        tables=tables(suite),
        plots=[(title, Markup(svg)) for title, svg in drawings(suite)],  # noqa: S704  # escaped by matplotlib
        style=Markup(style),  # noqa: S704  # a file of this package
    )


def headline(suite: Suite) -> str:
    result = suite.result
    held = held_rate(result, suite.verdicts, suite.ramp)
    text = (
        f"{result.target}, {time_text(result.started_at)}: {result.offered_rate:.0f} requests/s for "
        f"{result.duration:g} s, latencies from the intended start."
    )
    return text + (f" Up to {held:.0f} requests/s held every limit." if held else "")


def _advice(suite: Suite) -> list[str]:
    return recommendations(suite.result, suite.verdicts, suite.ramp) or ["The figures ask for nothing."]


def tables(suite: Suite) -> list[Table]:
    """Verdicts, request classes, growing rates, errors, ApacheBench."""
    result = suite.result
    classes = [
        _latency_row(name, each.requests, sum(each.errors.values()), each.latencies.percentiles().as_dict())
        for name, each in sorted(result.classes.items())
    ]
    found = [
        Table("Limits", ("outcome", "claim", "seen"), _verdict_rows(suite.verdicts)),
        Table("Requests", ("class", "requests", "errors", "p50 ms", "p95 ms", "p99 ms", "max ms"), classes),
    ]
    if result.errors_by_kind:
        rows = [(kind, f"{count}", result.examples.get(kind, "")) for kind, count in result.errors_by_kind.items()]
        found.append(Table("Errors", ("kind", "count", "example"), rows))
    if suite.ramp:
        about = "Short tests at growing rates; the first that broke a limit was the last."
        columns = ("requests/s", "p95 ms", "errors", "CPU", "limits that broke")
        found.append(
            Table(
                "Growing rates", columns, [_ramp_row(step.rate, step.result, step.broken) for step in suite.ramp], about
            )
        )
    return [*found, _ab_table(suite)]


def _verdict_rows(verdicts: Mapping[str, Verdict]) -> list[Sequence[str]]:
    return [(each.outcome.value, each.claim, each.seen) for each in verdicts.values()]


def _latency_row(name: str, requests: int, errors: int, figures: Mapping[str, float | None]) -> Sequence[str]:
    return (name, f"{requests}", f"{errors}", *(_ms(value) for value in figures.values()))


def _ramp_row(rate: float, result: LoadResult, broken: Mapping[str, Verdict]) -> Sequence[str]:
    cpu = result.resources["mean_cpu"]
    use = "-" if cpu is None else f"{cpu:.0%}"
    return (f"{rate:.0f}", _ms(result.percentiles().p95), f"{result.errors}", use, ", ".join(broken) or "none")


def _ab_table(suite: Suite) -> Table:
    rows = []
    for each in suite.ab:
        seen = each.figures
        if seen is None:
            rows.append((each.name, each.url, *["-"] * 4, each.said.strip().splitlines()[-1] if each.said else ""))
        else:
            figures = (_figure(seen.requests_per_second), _ms(seen.p50_ms), _ms(seen.p95_ms), _ms(seen.p99_ms))
            rows.append((each.name, each.url, *figures, f"{seen.failed} of {seen.requests} failed"))
    about = (
        "A closed loop: when the target stops, so does the test, and a stop is a few slow requests. For comparison "
        "with older figures; nothing here is judged by it."
    )
    return Table("ApacheBench", ("service", "address", "requests/s", "p50 ms", "p95 ms", "p99 ms", "said"), rows, about)


def drawings(suite: Suite) -> list[tuple[str, str]]:
    """Titles and SVGs."""
    charts = [
        Bars("Latency by request class", "ms", _class_bars(suite.result), stacked=False),
        Bars("Latency at growing rates", "ms", _ramp_bars(suite), stacked=False),
    ]
    drawn = [(chart.title, plots.bars(chart, f"bars-{place}")) for place, chart in enumerate(charts)]
    for name in ("cpu", "memory"):
        start = suite.result.started_at
        points = [(start + timedelta(seconds=each.seconds), getattr(each, name) * 100) for each in suite.result.usage]
        series = Series(f"{name.upper() if name == 'cpu' else 'Memory'} during the load test", "%", points)
        drawn.append((series.title, plots.trend(series, name)))
    return [(title, svg) for title, svg in drawn if svg]


def _class_bars(result: LoadResult) -> list[tuple[str, dict[str, float]]]:
    return [(name, _finite(each.latencies.percentiles().as_dict())) for name, each in sorted(result.classes.items())]


def _ramp_bars(suite: Suite) -> list[tuple[str, dict[str, float]]]:
    first = (f"{suite.result.offered_rate:.0f}/s", _finite(suite.result.percentiles().as_dict()))
    return [first, *((f"{each.rate:.0f}/s", _finite(each.result.percentiles().as_dict())) for each in suite.ramp)]


def _finite(figures: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name in PERCENTILES if (value := figures[name]) is not None}


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _figure(value: float | None) -> str:
    return "-" if value is None else number_text(value)
