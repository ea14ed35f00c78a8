"""The backup table of the user's document, with the truth beside each cell. Pure: facts in, a table out.

What a cell promises is judged by what the stores hold, by what the rules would remove, and by what was
measured. A history that is too short to judge is inconclusive.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from ecom_platform.backup.catalogue_reading import Catalogue
from ecom_platform.backup.manifest import Status
from ecom_platform.backup.retention import Snapshot, moment_of, plan
from ecom_platform.backup.retention_policy import Policy
from ecom_platform.report.evidence import SEVERITY, Cell, Table
from ecom_platform.report.figures import age_text, duration_text
from ecom_platform.verdicts import Outcome

COLUMNS = ("Backup type", "Frequency", "Retention", "Storage location", "Recovery time")
GRACE = 1.1  # of a period: a tick that waits for a running backup is no missed one
GAPS = 8  # periods back in which gaps are looked for: two days of six-hourly dumps


@dataclass(frozen=True)
class Promise:
    """A row of the document. source: whose facts belong to it. kept: how long, by store."""

    source: str
    title: str
    every: timedelta
    kept: Mapping[str, timedelta]
    recovery: timedelta


DOCUMENT = (
    Promise("data", "Application data", timedelta(days=1), {"cloud": timedelta(days=30)}, timedelta(hours=2)),
    Promise("configuration", "Configuration", timedelta(days=1), {"cloud": timedelta(days=30)}, timedelta(minutes=30)),
    Promise("cluster", "Complete cluster", timedelta(weeks=1), {"cloud": timedelta(days=90)}, timedelta(hours=4)),
    Promise(
        "database",
        "Database",
        timedelta(hours=6),
        {"local": timedelta(days=7), "cloud": timedelta(days=30)},
        timedelta(hours=1),
    ),
)
"""Source: the table "Backup Strategy Implementation" of the user's document."""


@dataclass(frozen=True)
class Stored:
    """What one store holds of a source. taken: the moments of the snapshots that are whole, in any order.

    removed: when a snapshot was taken and when retention removed it. policy: the store's rules.
    """

    policy: Policy
    taken: Sequence[datetime] = ()
    removed: Sequence[tuple[datetime, datetime]] = ()


@dataclass(frozen=True)
class Facts:
    """What is known of one source, by store. recovery_seconds: of its last proved recovery.

    unread: stores that there are, but that could not be read.
    """

    stores: Mapping[str, Stored] = field(default_factory=dict)
    recovery_seconds: float | None = None
    unread: Collection[str] = ()

    def why_unknown(self, store: str) -> str:
        return "it could not be read" if store in self.unread else "no such store"


def stored_of(catalogue: Catalogue, source: str, policy: Policy) -> Stored:
    """What a store's catalogue says of one source; a snapshot that is not whole or that failed does not count."""
    whole = [each for each in catalogue.of(source) if each.status in (Status.STORED, Status.PROVED)]
    removals = [each for (of, _), each in catalogue.removals.items() if of == source]
    return Stored(
        policy,
        tuple(each.manifest.snapshot_at for each in whole),
        tuple((each.snapshot_at, each.at) for each in removals),
    )


def backup_table(
    facts: Mapping[str, Mapping[str, Facts]], now: datetime, promises: Sequence[Promise] = DOCUMENT
) -> Table:
    """The table of the promises, a row for each subject.

    facts: by the promise's source and then by subject, as {"database": {"shop": ...}}. A source
    without subjects is not backed up here.
    """
    rows = [
        row
        for promise in promises
        for row in [_row(promise, *each, now) for each in facts.get(promise.source, {}).items()]
        or [_row(promise, "", None, now)]
    ]
    return Table("Backups: what is promised, and what is true", COLUMNS, rows, stage="backups")


def _row(promise: Promise, subject: str, facts: Facts | None, now: datetime) -> tuple[str | Cell, ...]:
    title = f"{promise.title}: {subject}" if subject else promise.title
    texts = (
        f"every {duration_text(promise.every.total_seconds())}",
        " / ".join(f"{duration_text(kept.total_seconds())} {store}" for store, kept in promise.kept.items()),
        " + ".join(promise.kept),
        f"below {duration_text(promise.recovery.total_seconds())}",
    )
    if facts is None:
        return (title, *(Cell(text, "not backed up here", Outcome.INCONCLUSIVE) for text in texts))
    truths = (
        _frequency(promise, facts, now),
        _retention(promise, facts, now),
        _places(promise, facts, now),
        _recovery(promise, facts),
    )
    return (title, *(Cell(text, seen, outcome) for text, (outcome, seen) in zip(texts, truths, strict=True)))


Truth = tuple[Outcome, str]


def _frequency(promise: Promise, facts: Facts, now: datetime) -> Truth:
    """The newest snapshot anywhere is young enough. Gaps before it are shown: the platform may have been off."""
    taken = sorted({at for stored in facts.stores.values() for at in stored.taken})
    if not taken:
        return Outcome.INCONCLUSIVE, "no snapshot yet"
    seen = f"newest {age_text(now - taken[-1])} old"
    if now - taken[-1] > promise.every * GRACE:
        return Outcome.FAILED, seen
    recent = [at for at in taken if now - at <= promise.every * GAPS]
    if len(recent) < 2:
        return Outcome.INCONCLUSIVE, f"{seen}; one snapshot is no rhythm"
    longest = max(after - before for before, after in pairwise(recent))
    outcome = Outcome.PASSED if longest <= promise.every * GRACE else Outcome.INCONCLUSIVE
    return outcome, f"{seen}, longest gap {age_text(longest)}"


def _retention(promise: Promise, facts: Facts, now: datetime) -> Truth:
    return _together({store: _kept(promise, facts, store, now) for store in promise.kept})


def _kept(promise: Promise, facts: Facts, store: str, now: datetime) -> Truth:
    kept, stored = promise.kept[store], facts.stores.get(store)
    if stored is None:
        return Outcome.INCONCLUSIVE, facts.why_unknown(store)
    early = [removed - at for at, removed in stored.removed if removed - at < kept]
    if early:
        return Outcome.FAILED, f"{len(early)} removed early, one after {age_text(min(early))}"
    if lost := _would_remove(promise, stored.policy, kept, now):
        return Outcome.FAILED, f"its rules would remove a snapshot that is {age_text(lost)} old"
    if not stored.taken:
        return Outcome.INCONCLUSIVE, "no snapshot yet"
    oldest = now - min(stored.taken)
    if oldest < kept - promise.every * GRACE:
        return Outcome.INCONCLUSIVE, f"its rules keep them; oldest so far {age_text(oldest)}"
    return Outcome.PASSED, f"oldest {age_text(oldest)}"


def _would_remove(promise: Promise, policy: Policy, kept: timedelta, now: datetime) -> timedelta | None:
    """The age of the youngest snapshot that the rules would remove too early, had all been taken on time."""
    ages = [promise.every * number for number in range(int(kept / promise.every) + 1) if promise.every * number < kept]
    on_time = [Snapshot(str(number), moment_of(now - age)) for number, age in enumerate(ages)]
    removed = plan(on_time, policy, now).remove
    return min((ages[int(each.snapshot.id)] for each in removed), default=None)


def _places(promise: Promise, facts: Facts, now: datetime) -> Truth:
    return _together({store: _place(promise, facts, store, now) for store in promise.kept})


def _place(promise: Promise, facts: Facts, store: str, now: datetime) -> Truth:
    stored = facts.stores.get(store)
    if stored is None:
        return Outcome.INCONCLUSIVE, facts.why_unknown(store)
    if not stored.taken:
        return Outcome.INCONCLUSIVE, "nothing yet"
    newest = now - max(stored.taken)
    outcome = Outcome.PASSED if newest <= promise.every * GRACE else Outcome.FAILED
    return outcome, f"{len(stored.taken):,} whole, newest {age_text(newest)} old"


def _recovery(promise: Promise, facts: Facts) -> Truth:
    if facts.recovery_seconds is None:
        return Outcome.INCONCLUSIVE, "not measured"
    held = facts.recovery_seconds <= promise.recovery.total_seconds()
    return Outcome.PASSED if held else Outcome.FAILED, f"took {duration_text(facts.recovery_seconds)}"


def _together(truths: Mapping[str, Truth]) -> Truth:
    """The worst outcome, and what was seen per store."""
    outcomes = {outcome for outcome, _ in truths.values()}
    worst = next(each for each in SEVERITY if each in outcomes)
    return worst, "; ".join(f"{store}: {seen}" for store, (_, seen) in truths.items())
