"""What a drill leaves behind, and the judgement of it against its budgets. Pure.

Over budget is failed; not measured is inconclusive; neither is ever a pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ecom_platform.records import Record
from ecom_platform.recovery.ledger import Moments, Reconciliation, lost_seconds
from ecom_platform.recovery.stopwatch import Lap
from ecom_platform.verdicts import Verdict, at_most, holds, inconclusive


@dataclass(frozen=True)
class DrillRecord(Record):
    """One drill. rto_seconds: from the fault to the first good checkout. rpo_seconds: of acknowledged work that
    was lost. facts: more figures and texts, by name ("snapshot", "database_bytes", "restore_seconds").
    """

    drill: str
    variant: str
    drill_id: str
    laps: tuple[Lap, ...]
    rto_budget_seconds: float
    rpo_budget_seconds: float = 0.0
    rto_seconds: float | None = None
    rpo_seconds: float | None = None
    orders_acknowledged: int = 0
    orders_lost: int = 0
    orders_unanswered_kept: int = 0
    facts: Mapping[str, float | str] = field(default_factory=dict)

    def to_metadata(self) -> dict[str, Any]:
        """Figures that were not measured are left out: an empty one would look like zero."""
        plain = {
            name: value for name, value in vars(self).items() if name not in ("laps", "facts") and value is not None
        }
        times = {f"{each.phase}_seconds": round(each.seconds, 3) for each in self.laps if each.seconds is not None}
        marks = [
            [each.phase, round(each.began, 3), None if each.ended is None else round(each.ended, 3)]
            for each in self.laps
        ]
        return {**plain, **times, **self.facts, "phases": marks}


def ledger_figures(found: Reconciliation, moments: Moments) -> dict[str, Any]:
    """The fields of a record that the ledger gives."""
    return {
        "rpo_seconds": round(lost_seconds(found, moments), 3) if found.acknowledged else None,
        "orders_acknowledged": found.acknowledged,
        "orders_lost": len(found.lost),
        "orders_unanswered_kept": len(found.unanswered_kept),
    }


def judge_time(record: DrillRecord) -> list[Verdict]:
    """The recovery time against its budget, and that every phase has an end."""
    open_laps = [each.phase for each in record.laps if each.ended is None]
    measured = [each for each in record.laps if each.phase == "recovery"]
    phases = "the stopwatch saw every phase begin and end"
    return [
        at_most("from the fault to the first good purchase", record.rto_seconds, record.rto_budget_seconds, unit="s"),
        holds(phases, not open_laps, ", ".join(open_laps) or _told(record.laps))
        if measured
        else inconclusive(phases, "no recovery was timed"),
    ]


def _told(laps: Sequence[Lap]) -> str:
    return ", ".join(f"{each.phase} {each.seconds:.1f} s" for each in laps if each.seconds is not None)
