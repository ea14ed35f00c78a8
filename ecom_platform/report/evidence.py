"""Evidence and what follows from it: pure types and functions. No I/O, no clock, no HTML.

The page's outcome is the worst of the newest evidence per claim. A stage that the spec has and
that left no evidence is inconclusive: nothing proved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import get_args

from ecom_platform.keys import velero_namespaces
from ecom_platform.report.budgets import Recovery, age_verdict, restore_verdict
from ecom_platform.report.figures import age_text, aware, duration_text
from ecom_platform.spec import Shop, Stage
from ecom_platform.verdicts import Outcome, Verdict, inconclusive, worst

STAGES: tuple[Stage, ...] = get_args(Stage)
SEVERITY = (Outcome.FAILED, Outcome.INCONCLUSIVE, Outcome.PASSED)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One claim about one subject, as one run saw it.

    subject: the service, database or snapshot that the claim is about. numbers: figures with their
    unit in the name ("p95_ms"). at: when it was seen. run_id: the run; empty if there was none.
    """

    stage: Stage
    subject: str
    claim: str
    outcome: Outcome
    seen: str
    numbers: Mapping[str, float]
    at: datetime
    run_id: str

    def __post_init__(self) -> None:
        aware(self.at, f"evidence for {self.claim!r}")

    @property
    def verdict(self) -> Verdict:
        return Verdict(self.claim, self.outcome, self.seen, self.numbers)


@dataclass(frozen=True, slots=True)
class Series:
    """A trend: one figure over time, in order of time. limit: what it must not pass, in the same unit."""

    title: str
    unit: str
    points: Sequence[tuple[datetime, float]]
    limit: float | None = None
    stage: Stage = "reports"

    def __post_init__(self) -> None:
        for at, _ in self.points:
            aware(at, f"a point of {self.title!r}")


@dataclass(frozen=True, slots=True)
class Bars:
    """Figures side by side: per label (a snapshot, a request class) a value per part.

    stacked: the parts add up (phases of a restore); otherwise each stands for itself (percentiles).
    limit: in the same unit.
    """

    title: str
    unit: str
    bars: Sequence[tuple[str, Mapping[str, float]]]
    stacked: bool = True
    limit: float | None = None
    stage: Stage = "reports"


@dataclass(frozen=True, slots=True)
class Cell:
    """A table's cell with what is true beside what it says.

    outcome: whether the truth holds up the text; None for a cell that promises nothing.
    """

    text: str
    truth: str = ""
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]
    stage: Stage = "reports"

    def __post_init__(self) -> None:
        uneven = [row for row in self.rows if len(row) != len(self.columns)]
        if uneven:
            raise ValueError(f"table {self.title!r}: {len(uneven[0])} cells in a row, {len(self.columns)} columns")


@dataclass(frozen=True, slots=True)
class EvidencePage:
    """All that a page of evidence says about one shop.

    links: label and URL. webserver_url: where the Dagster UI answers; runs are linked there.
    stages: those that must have evidence, see stages_of(). recoveries: one per database.
    counts_for: evidence older than that counts as inconclusive; None lets it count for ever.
    """

    shop: str
    generated_at: datetime
    evidence: Sequence[Evidence]
    series: Sequence[Series] = ()
    tables: Sequence[Table] = ()
    links: Sequence[tuple[str, str]] = ()
    webserver_url: str = ""
    bars: Sequence[Bars] = ()
    stages: Sequence[Stage] = STAGES
    recoveries: Sequence[Recovery] = ()
    counts_for: timedelta | None = None
    left_out: Sequence[Stage] = field(default=())

    def __post_init__(self) -> None:
        aware(self.generated_at, "a page")

    @property
    def outcome(self) -> Outcome:
        """Failed beats inconclusive beats passed, over all stages and all budgets."""
        return worst([*claims_of_stages(self), *budget_verdicts(self)])


def stages_of(shop: Shop) -> tuple[Stage, ...]:
    """The stages that the spec has something for, in reading order, without those it leaves out."""
    has: dict[Stage, bool] = {
        "deployments": bool(shop.services) or any(each.managed for each in shop.databases),
        "validations": bool(shop.services),
        "backups": bool(shop.databases or shop.folders or velero_namespaces(shop)),
        "restores": bool(shop.databases or shop.folders or velero_namespaces(shop)),
        "benchmarks": shop.load is not None,
        # An event, not a state: a shop that made no release yet has nothing to prove. One that was begun leaves
        # a verdict for each of its checks, whatever came of it.
        "releases": False,
        "drills": bool(shop.services and shop.databases),
        "reports": True,
    }
    return tuple(stage for stage in STAGES if has[stage] and stage not in shop.leave_out)


def newest(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    """Per stage, subject and claim the newest; of two with the same time the worse."""
    found: dict[tuple[str, str, str], Evidence] = {}
    for each in evidence:
        key = (each.stage, each.subject, each.claim)
        known = found.get(key)
        if known is None or _rank(each) > _rank(known):
            found[key] = each
    return tuple(found.values())


def _rank(each: Evidence) -> tuple[datetime, int]:
    return each.at, -SEVERITY.index(each.outcome)


def current(page: EvidencePage) -> tuple[Evidence, ...]:
    """The newest evidence per claim, worst first, then by subject and claim; too old a pass is inconclusive."""
    aged = (_aged(each, page) for each in newest(page.evidence))
    return tuple(sorted(aged, key=lambda each: (SEVERITY.index(each.outcome), each.subject, each.claim)))


def _aged(each: Evidence, page: EvidencePage) -> Evidence:
    if page.counts_for is None or each.outcome is not Outcome.PASSED or page.generated_at - each.at <= page.counts_for:
        return each
    seen = (
        f"passed {age_text(page.generated_at - each.at)} ago, which is longer than the "
        f"{duration_text(page.counts_for.total_seconds())} that evidence counts; then: {each.seen}"
    )
    return replace(each, outcome=Outcome.INCONCLUSIVE, seen=seen)


def history(page: EvidencePage, of: Evidence, *, most: int = 12) -> tuple[Evidence, ...]:
    """All evidence for the same claim, oldest first, at most the newest `most`."""
    same = [
        each for each in page.evidence if (each.stage, each.subject, each.claim) == (of.stage, of.subject, of.claim)
    ]
    return tuple(sorted(same, key=_rank)[-most:])


def stage_verdicts(page: EvidencePage, stage: Stage) -> tuple[Verdict, ...]:
    """What the stage proved and which promises of its tables are broken; if it had to prove something
    and left no evidence, one inconclusive verdict. The page itself is what `reports` leaves behind, so
    that stage may be without evidence.
    """
    found = tuple(each.verdict for each in current(page) if each.stage == stage)
    if not found and stage in page.stages and stage != "reports":
        found = (inconclusive(f"{stage} are proved", "nothing proved: no run left evidence"),)
    return found + broken_promises(page, stage)


def broken_promises(page: EvidencePage, stage: Stage) -> tuple[Verdict, ...]:
    """A failed verdict per cell of the stage's tables whose truth denies its text.

    Cells that are inconclusive (a history that is still too short) stay in their table.
    """
    return tuple(
        Verdict(f"{_text(row[0])}, {column}: {cell.text}", Outcome.FAILED, cell.truth)
        for table in page.tables
        if table.stage == stage
        for row in table.rows
        for column, cell in zip(table.columns, row, strict=True)
        if isinstance(cell, Cell) and cell.outcome is Outcome.FAILED
    )


def _text(cell: str | Cell) -> str:
    return cell if isinstance(cell, str) else cell.text


def named_verdicts(page: EvidencePage) -> tuple[tuple[Stage, str, Verdict], ...]:
    """All verdicts of all stages as (stage, subject, verdict), worst first within a stage."""
    shown = current(page)
    named: list[tuple[Stage, str, Verdict]] = []
    for stage in STAGES:
        mine = [(stage, each.subject, each.verdict) for each in shown if each.stage == stage]
        others = stage_verdicts(page, stage)[len(mine) :]
        named += [*mine, *((stage, "", each) for each in others)]
    return tuple(named)


def claims_of_stages(page: EvidencePage) -> tuple[Verdict, ...]:
    return tuple(each for stage in STAGES for each in stage_verdicts(page, stage))


def stage_outcome(page: EvidencePage, stage: Stage) -> Outcome | None:
    """The worst of the stage; None for a stage that has nothing and needs nothing."""
    verdicts = stage_verdicts(page, stage)
    return worst(verdicts) if verdicts else None


def budget_verdicts(page: EvidencePage) -> tuple[Verdict, ...]:
    return tuple(
        verdict for each in page.recoveries for verdict in (age_verdict(each, page.generated_at), restore_verdict(each))
    )


def counts(page: EvidencePage) -> dict[Outcome, int]:
    """How many claims, budgets and empty stages have each outcome."""
    outcomes = [each.outcome for each in (*claims_of_stages(page), *budget_verdicts(page))]
    return {outcome: outcomes.count(outcome) for outcome in SEVERITY}
