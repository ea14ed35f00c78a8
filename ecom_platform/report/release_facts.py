"""The table of releases on the page of evidence: what went live, what went back, when and why."""

from __future__ import annotations

from collections.abc import Iterator

from ecom_platform.errors import EcomError
from ecom_platform.platforms.protocol import Platform
from ecom_platform.release.machine import Phase
from ecom_platform.release.state import State, Summary, read_state, summary
from ecom_platform.report.evidence import Cell, Table
from ecom_platform.report.figures import duration_text
from ecom_platform.verdicts import Outcome

COLUMNS = ("Release", "Came to", "Started", "Took", "Why")
SHOWN = 10


def tables(platform: Platform) -> list[Table]:
    """The newest releases, newest first; none for a shop that had none."""
    try:
        state = read_state(platform)
    except EcomError as error:
        row = ("-", Cell("unknown", str(error), Outcome.INCONCLUSIVE), "-", "-", "-")
        return [Table("Releases", COLUMNS, [row], stage="releases")]
    rows = [_row(each) for each in _newest(state)]
    return [Table("Releases", COLUMNS, rows, stage="releases")] if rows else []


def _newest(state: State) -> Iterator[Summary]:
    if state.journal is not None:
        yield summary(state.journal)
    yield from list(reversed(state.past))[: SHOWN - 1]


def _row(each: Summary) -> tuple[str | Cell, ...]:
    took = duration_text((each.ended_at - each.started_at).total_seconds()) if each.ended_at else "unfinished"
    outcome = None if each.phase in (Phase.PROMOTED, Phase.ROLLED_BACK) else Outcome.INCONCLUSIVE
    why = " ".join(each.reason.split())[:200] or "-"
    return each.version, Cell(str(each.phase), "", outcome), f"{each.started_at:%d %b %H:%M} UTC", took, why
