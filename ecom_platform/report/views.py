"""An EvidencePage arranged for reading: sections, claims with their history, gauges, plots. Pure but for matplotlib.

What a part looks like belongs in page.html.j2 and page.css.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote, urlsplit

from ecom_platform.report import figures, plots
from ecom_platform.report.budgets import Recovery, age_verdict, restore_verdict
from ecom_platform.report.evidence import (
    STAGES,
    Bars,
    Evidence,
    EvidencePage,
    Series,
    Table,
    budget_verdicts,
    current,
    history,
    named_verdicts,
    stage_outcome,
)
from ecom_platform.spec import Stage
from ecom_platform.verdicts import Outcome, Verdict

MEANINGS: dict[Stage, str] = {
    "deployments": "Every service runs as a colour, at the version of the spec, and each instance is ready.",
    "validations": "What was deployed answers as it should, from the front door to the database.",
    "backups": "Snapshots were taken, encrypted and stored in every place. Taken is not proved: see restores.",
    "restores": "Snapshots were fetched, decrypted, restored into a scratch database and compared with their source.",
    "benchmarks": "The shop under load for a bounded time: latency, errors and throughput against the thresholds.",
    "releases": "New versions went live without losing a request, or did not go live.",
    "drills": "Disasters, rehearsed with a stopwatch.",
    "reports": "What this page is made of, and how the figures developed.",
}


@dataclass(frozen=True)
class Claim:
    """A row of a section. before: the same claim in earlier runs and now, oldest first."""

    evidence: Evidence
    numbers: Sequence[tuple[str, str]]
    age: str
    run_url: str
    before: Sequence[Evidence]


@dataclass(frozen=True)
class OpenClaim:
    """A claim that does not hold or is not known. anchor: where on the page it stands."""

    anchor: str
    place: str
    verdict: Verdict


@dataclass(frozen=True)
class Plot:
    """A picture and the figures behind it as a table."""

    title: str
    svg: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    stage: Stage
    meaning: str
    outcome: Outcome | None
    claims: Sequence[Claim]
    plots: Sequence[Plot]
    tables: Sequence[Table]
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Gauge:
    """A figure of the header against its budget. used: percent of the budget, at most 100; None if unknown."""

    title: str
    value: str
    budget: str
    verdict: Verdict
    used: float | None


def sections(page: EvidencePage) -> tuple[Section, ...]:
    """One section per stage that has something or needs something, in reading order."""
    shown = current(page)
    drawn = _plots(page)
    made = (_section(page, stage, shown, drawn.get(stage, ())) for stage in STAGES)
    return tuple(
        each for each in made if each.outcome is not None or each.plots or each.tables or each.stage in page.stages
    )


def _section(page: EvidencePage, stage: Stage, shown: Sequence[Evidence], drawn: Sequence[Plot]) -> Section:
    return Section(
        stage=stage,
        meaning=MEANINGS[stage],
        outcome=stage_outcome(page, stage),
        claims=tuple(claim(page, each) for each in shown if each.stage == stage),
        plots=drawn,
        tables=tuple(each for each in page.tables if each.stage == stage),
        facts=_facts(page) if stage == "reports" else (),
    )


def claim(page: EvidencePage, evidence: Evidence) -> Claim:
    return Claim(
        evidence=evidence,
        numbers=tuple(figures.figure(name, value) for name, value in evidence.numbers.items()),
        age=ago(evidence.at, page.generated_at),
        run_url=run_url(page.webserver_url, evidence.run_id),
        before=history(page, evidence),
    )


def _facts(page: EvidencePage) -> tuple[tuple[str, str], ...]:
    if not page.evidence:
        return (("evidence", "none"),)
    times = sorted(each.at for each in page.evidence)
    runs = {each.run_id for each in page.evidence if each.run_id}
    return (
        ("pieces of evidence", f"{len(page.evidence):,}"),
        ("runs", f"{len(runs):,}"),
        ("newest", f"{figures.time_text(times[-1])}, {ago(times[-1], page.generated_at)}"),
        ("oldest", f"{figures.time_text(times[0])}, {ago(times[0], page.generated_at)}"),
    )


def open_claims(page: EvidencePage) -> tuple[OpenClaim, ...]:
    """All that is failed or inconclusive: failed first, then in reading order."""
    found = [OpenClaim("budgets", "budget", each) for each in budget_verdicts(page)]
    found += [
        OpenClaim(stage, f"{stage} · {subject}" if subject else stage, verdict)
        for stage, subject, verdict in named_verdicts(page)
    ]
    not_passed = (each for each in found if not each.verdict.passed)
    return tuple(sorted(not_passed, key=lambda each: each.verdict.outcome is not Outcome.FAILED))


def gauges(page: EvidencePage) -> tuple[Gauge, ...]:
    return tuple(gauge for each in page.recoveries for gauge in _gauges(each, page.generated_at))


def _gauges(recovery: Recovery, now: datetime) -> tuple[Gauge, Gauge]:
    age, took = recovery.age(now), recovery.restore_seconds
    rpo, rto = recovery.rpo.total_seconds(), recovery.rto.total_seconds()
    return (
        Gauge(
            f"{recovery.database}: age of the last proved backup",
            "none proved" if age is None else figures.duration_text(float(round(age))),
            f"RPO {figures.duration_text(rpo)}",
            age_verdict(recovery, now),
            _used(age, rpo),
        ),
        Gauge(
            f"{recovery.database}: a verified restore takes",
            "not measured" if took is None else figures.duration_text(took),
            f"RTO {figures.duration_text(rto)}",
            restore_verdict(recovery),
            _used(took, rto),
        ),
    )


def _used(seconds: float | None, budget: float) -> float | None:
    return None if seconds is None else round(max(0.0, min(100.0, 100 * seconds / budget)), 1)


def ago(at: datetime, now: datetime) -> str:
    """'3 min before this page', or 'after' for a clock that runs ahead."""
    seconds = (now - at).total_seconds()
    if abs(seconds) < 1:
        return "with this page"
    text = figures.duration_text(float(round(abs(seconds))))
    return f"{text} before this page" if seconds > 0 else f"{text} after this page"


def run_url(webserver_url: str, run_id: str) -> str:
    """The run's page in the Dagster UI; empty without a UI or a run."""
    if not webserver_url or not run_id or not harmless(webserver_url):
        return ""
    return f"{webserver_url.rstrip('/')}/runs/{quote(run_id, safe='')}"


def harmless(url: str) -> bool:
    """Whether a click on the URL only opens something: no javascript: and no data:."""
    return urlsplit(url).scheme in ("http", "https", "file", "")


def _plots(page: EvidencePage) -> dict[Stage, tuple[Plot, ...]]:
    """The drawn pictures by stage, bars before trends; each has a number of its own for its ids."""
    found: dict[Stage, tuple[Plot, ...]] = {}
    charts: tuple[Bars | Series, ...] = (*page.bars, *page.series)
    for number, chart in enumerate(charts, 1):
        plot = _trend(chart, number) if isinstance(chart, Series) else _chart(chart, number)
        found[chart.stage] = (*found.get(chart.stage, ()), plot)
    return found


def _trend(series: Series, number: int) -> Plot:
    rows = [(figures.time_text(at), figures.with_unit(value, series.unit)) for at, value in series.points]
    return Plot(series.title, plots.trend(series, f"plot{number}"), ("time", series.unit or "value"), rows)


def _chart(chart: Bars, number: int) -> Plot:
    parts = plots.parts_of(chart)
    rows = [
        (label, *(figures.with_unit(values[part], chart.unit) if part in values else "" for part in parts))
        for label, values in chart.bars
    ]
    return Plot(chart.title, plots.bars(chart, f"plot{number}"), ("", *parts), rows)
