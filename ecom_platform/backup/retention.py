"""Which snapshots a policy keeps: a pure function with the meaning of restic's `forget`. No I/O, no clock.

What must never be removed whatever the policy says is in retention_guard.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache

from ecom_platform.backup.retention_policy import Policy, Span

_SECOND = 1_000_000_000
_HOUR = 3600 * _SECOND
_DAY = 24 * _HOUR
_EPOCH = date(1970, 1, 1).toordinal()
_BEGINNING = (date(1, 1, 1).toordinal() - _EPOCH) * _DAY
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))", re.ASCII
)

EMPTY_POLICY = "the policy is empty, and an empty policy removes nothing"
NO_RULE = "no rule keeps it"


@dataclass(frozen=True, slots=True)
class Moment:
    """A point of time to the nanosecond, and the offset of the clock that it was read from.

    instant: nanoseconds since 1970 in UTC. offset: nanoseconds east of UTC. Hours, days, weeks,
    months and years are those of that clock.
    """

    instant: int
    offset: int = 0


def moment_of(at: datetime) -> Moment:
    """at: aware."""
    offset = at.utcoffset()
    assert offset is not None, "a datetime without a zone"
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    instant = ((since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds) * 1000
    return Moment(instant, (offset.days * 86400 + offset.seconds) * _SECOND)


def parse_moment(text: object) -> Moment:
    """A moment from RFC 3339 text. Raises ValueError."""
    match = _RFC3339.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise ValueError(f"{text!r} is no RFC 3339 time; write it like 2026-01-31T23:59:59Z")
    year, month, day, hour, minute, second, fraction, sign, east_hours, east_minutes = match.groups()
    offset = 0
    if sign:
        if int(east_hours) > 23 or int(east_minutes) > 59:
            raise ValueError(f"{text!r} has no offset that a clock can have")
        offset = (int(east_hours) * 3600 + int(east_minutes) * 60) * _SECOND * (-1 if sign == "-" else 1)
    if int(hour) > 23 or int(minute) > 59 or int(second) > 59:
        raise ValueError(f"{text!r} has no time of day that a clock shows")
    try:
        days = date(int(year), int(month), int(day)).toordinal() - _EPOCH
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from error
    seconds = (days * 24 + int(hour)) * 3600 + int(minute) * 60 + int(second)
    return Moment(seconds * _SECOND + int((fraction or "").ljust(9, "0")) - offset, offset)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the rules look at."""

    id: str
    time: Moment
    tags: tuple[str, ...] = ()

    def has_tags(self, wanted: Sequence[str]) -> bool:
        """All of them; the empty tag is met by a snapshot that has none."""
        for tag in wanted:
            if tag == "" and not self.tags:
                return True
            if tag not in self.tags:
                return False
        return True


@dataclass(frozen=True, slots=True)
class Judged:
    """A snapshot and why it is kept or removed."""

    snapshot: Snapshot
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Both newest first; together they are every snapshot once."""

    keep: tuple[Judged, ...]
    remove: tuple[Judged, ...]


def plan(snapshots: Iterable[Snapshot], policy: Policy, now: datetime) -> Plan:
    """Judges the snapshots of one source in one store.

    now: snapshots later than this do not count as the newest for the keep-within rules.
    """
    # The order of snapshots of the same moment is that in which they were given.
    ordered = sorted(snapshots, key=lambda each: -each.time.instant)
    if policy.empty:
        return Plan(tuple(Judged(each, (EMPTY_POLICY,)) for each in ordered), ())
    newest = _newest(ordered, moment_of(now))
    simple, rules = _Simple(policy, newest), [*_counted(policy), *_within(policy, newest)]
    keep, remove = [], []
    for number, snapshot in enumerate(ordered):
        last = number == len(ordered) - 1
        reasons = simple.reasons(snapshot)
        for rule in rules:
            if reason := rule.judge(snapshot.time, number, oldest=last):
                reasons.append(reason)
        if reasons:
            keep.append(Judged(snapshot, tuple(reasons)))
        else:
            remove.append(Judged(snapshot, (NO_RULE,)))
    return Plan(tuple(keep), tuple(remove))


def _newest(ordered: Sequence[Snapshot], now: Moment) -> Moment:
    """The newest moment that is not in the future; without one the beginning of time, so that all are within."""
    return next((each.time for each in ordered if each.time.instant < now.instant), Moment(_BEGINNING))


class _Simple:
    """The rules that look at one snapshot alone: tags, and the plain keep-within."""

    def __init__(self, policy: Policy, newest: Moment) -> None:
        self._tags = [(each, f"has tags [{', '.join(each)}]") for each in policy.keep_tag]
        self._since = _back(newest, policy.keep_within) if policy.keep_within else None
        self._within = f"within {policy.keep_within}"

    def reasons(self, snapshot: Snapshot) -> list[str]:
        reasons = [reason for tags, reason in self._tags if snapshot.has_tags(tags)]
        if self._since is not None and snapshot.time.instant > self._since:
            reasons.append(self._within)
        return reasons


@dataclass(slots=True)
class _Rule:
    """Keeps the newest snapshot of each period, and the very oldest as long as the rule has not run out.

    left: how many more it keeps, -1 for all. since: only moments after this count.
    """

    period: Callable[[Moment, int], int]
    reason: str
    suffix: str = ""
    left: int = -1
    since: int | None = None
    _before: int | None = field(default=None)

    def judge(self, at: Moment, number: int, *, oldest: bool) -> str:
        """Why it keeps the snapshot; empty if it does not. To be asked newest first."""
        if self.left == 0 or (self.since is not None and at.instant <= self.since):
            return ""
        period = self.period(at, number)
        if period == self._before and not oldest:
            return ""
        reason = f"oldest {self.reason}" if period == self._before else self.reason
        self._before = period
        if self.left > 0:
            self.left -= 1
        return reason + self.suffix


def _counted(policy: Policy) -> list[_Rule]:
    counts = (
        (policy.keep_last, _each, "last"),
        (policy.keep_hourly, _hour, "hourly"),
        (policy.keep_daily, _day, "daily"),
        (policy.keep_weekly, _week, "weekly"),
        (policy.keep_monthly, _month, "monthly"),
        (policy.keep_yearly, _year, "yearly"),
    )
    return [_Rule(period, f"{name} snapshot", left=count) for count, period, name in counts if count]


def _within(policy: Policy, newest: Moment) -> list[_Rule]:
    spans = (
        (policy.keep_within_hourly, _hour, "hourly"),
        (policy.keep_within_daily, _day, "daily"),
        (policy.keep_within_weekly, _week, "weekly"),
        (policy.keep_within_monthly, _month, "monthly"),
        (policy.keep_within_yearly, _year, "yearly"),
    )
    return [
        _Rule(period, f"{name} within", suffix=f" {span}", since=_back(newest, span))
        for span, period, name in spans
        if span
    ]


def _back(newest: Moment, span: Span) -> int:
    """The instant that long before, by the calendar of the newest moment's clock."""
    days, rest = divmod(newest.instant + newest.offset, _DAY)
    year, month, day = _calendar(days)[:3]
    months = (year - span.years) * 12 + (month - 1) - span.months
    first = _days_to(*divmod(months, 12))
    return (first + day - 1 - span.days) * _DAY + rest - newest.offset - span.hours * _HOUR


def _days_to(year: int, month: int) -> int:
    """Days from 1970 to the first of the month (0 is January), in any year, also before the year 1."""
    cycles, within = divmod(year - 1, 400)  # the calendar repeats after 400 years of 146,097 days
    return date(within + 1, month + 1, 1).toordinal() - _EPOCH + cycles * 146_097


@lru_cache(maxsize=4096)
def _calendar(days: int) -> tuple[int, int, int, int]:
    """(year, month, day, year and ISO week as YYYYWW) of a day, counted from 1970."""
    there = date.fromordinal(days + _EPOCH)
    week = there.isocalendar()
    return there.year, there.month, there.day, week.year * 100 + week.week


def _local(at: Moment) -> tuple[int, int]:
    """(day, nanoseconds of the day) on the moment's own clock."""
    return divmod(at.instant + at.offset, _DAY)


def _each(_: Moment, number: int) -> int:
    return number


def _hour(at: Moment, _: int) -> int:
    days, rest = _local(at)
    return days * 24 + rest // _HOUR


def _day(at: Moment, _: int) -> int:
    return _local(at)[0]


def _week(at: Moment, _: int) -> int:
    return _calendar(_local(at)[0])[3]


def _month(at: Moment, _: int) -> int:
    year, month, *_rest = _calendar(_local(at)[0])
    return year * 12 + month


def _year(at: Moment, _: int) -> int:
    return _calendar(_local(at)[0])[0]
