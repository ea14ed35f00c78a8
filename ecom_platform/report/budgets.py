"""How well a database could be brought back, against its budgets for lost data (RPO) and time (RTO). Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ecom_platform.report.figures import aware, duration_text
from ecom_platform.verdicts import Outcome, Verdict, inconclusive


@dataclass(frozen=True, slots=True)
class Recovery:
    """What is known of one database.

    taken_at: when the newest *proved* snapshot was taken; None if no snapshot is proved.
    restore_seconds: how long its proof took from fetch to compared; None if not measured.
    """

    database: str
    rpo: timedelta
    rto: timedelta
    taken_at: datetime | None = None
    restore_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.taken_at is not None:
            aware(self.taken_at, f"the proof of {self.database!r}")

    def age(self, now: datetime) -> float | None:
        """Seconds between the snapshot and now; None if none is proved."""
        return None if self.taken_at is None else (now - self.taken_at).total_seconds()


def age_verdict(recovery: Recovery, now: datetime) -> Verdict:
    """The newest proved snapshot is not older than the RPO; one from the future is inconclusive."""
    claim = f"{recovery.database}: the last proved backup is within the RPO"
    age = recovery.age(now)
    if age is None:
        return inconclusive(claim, "no backup is proved")
    if age < 0:
        return inconclusive(claim, f"it is dated {duration_text(-age)} in the future; check the clocks", age_s=age)
    return _within(claim, age, recovery.rpo, "old")


def restore_verdict(recovery: Recovery) -> Verdict:
    """The last proved restore took not longer than the RTO."""
    claim = f"{recovery.database}: a verified restore is within the RTO"
    if recovery.restore_seconds is None:
        return inconclusive(claim, "no restore was measured")
    return _within(claim, recovery.restore_seconds, recovery.rto, "long")


def _within(claim: str, seconds: float, budget: timedelta, adjective: str) -> Verdict:
    limit = budget.total_seconds()
    outcome = Outcome.PASSED if seconds <= limit else Outcome.FAILED
    seen = f"{duration_text(seconds)} {adjective}, budget {duration_text(limit)}"
    return Verdict(claim, outcome, seen, {"observed_s": seconds, "limit_s": limit})
