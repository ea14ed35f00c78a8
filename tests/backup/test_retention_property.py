"""The rules of retention against a slow restatement, by groups instead of in one pass."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_platform.backup.retention import Snapshot, moment_of, plan
from ecom_platform.backup.retention_policy import parse_span, read_policy

NOW = datetime(2030, 1, 1, tzinfo=UTC)

RULES = st.fixed_dictionaries(
    {},
    optional={
        **{f"keep-{name}": st.integers(-1, 6) for name in ("last", "hourly", "daily", "weekly", "monthly", "yearly")},
        **{
            f"keep-within{name}": st.sampled_from(["1h", "36h", "7d", "1m", "1m2d", "1y", "1y2m3d4h"])
            for name in ("", "-hourly", "-daily", "-weekly", "-monthly", "-yearly")
        },
        "keep-tag": st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=2), max_size=2),
    },
)
MOMENTS = st.builds(
    lambda days, seconds, hours: (datetime(2020, 2, 20, tzinfo=UTC) + timedelta(days, seconds)).astimezone(
        timezone(timedelta(hours=hours))
    ),
    st.integers(0, 900),
    st.sampled_from([0, 1, 1800, 3599, 3600, 7200, 43200, 86399]),
    st.sampled_from([0, 0, 0, 2, -8]),
)
PERIODS: dict[str, Callable[[datetime, int], object]] = {
    "hourly": lambda at, _: (at.year, at.month, at.day, at.hour),
    "daily": lambda at, _: (at.year, at.month, at.day),
    "weekly": lambda at, _: at.isocalendar()[:2],
    "monthly": lambda at, _: (at.year, at.month),
    "yearly": lambda at, _: at.year,
    "last": lambda _, number: number,
}


def expected(times: list[datetime], tags: list[list[str]], rules: dict[str, object]) -> set[int]:
    """The places, newest first, of what is kept."""
    found: set[int] = set()
    for rule, value in rules.items():
        if rule == "keep-tag":
            found |= {place for place, own in enumerate(tags) for wanted in value if set(wanted) <= set(own)}  # type: ignore[attr-defined]  # lists
        elif rule == "keep-within":
            found |= {place for place, at in enumerate(times) if at > back(times[0], str(value))}
        elif rule.startswith("keep-within-"):
            inside = [at for at in times if at > back(times[0], str(value))]
            # Places are the same: what is inside is the beginning of the list.
            found |= first_of_each(inside, rule.removeprefix("keep-within-"), -1, whole=len(inside) == len(times))
        else:
            found |= first_of_each(times, rule.removeprefix("keep-"), int(str(value)), whole=True)
    return found


def first_of_each(times: list[datetime], period: str, count: int, *, whole: bool) -> set[int]:
    changes = [0] + [
        place
        for place in range(1, len(times))
        if PERIODS[period](times[place], place) != PERIODS[period](times[place - 1], place - 1)
    ]
    if not times or count == 0:
        return set()
    oldest = {len(times) - 1} if whole and (count < 0 or len(changes) < count) else set()
    return set(changes if count < 0 else changes[:count]) | oldest


def back(newest: datetime, text: str) -> datetime:
    span = parse_span(text)
    months = newest.year * 12 + newest.month - 1 - span.years * 12 - span.months
    first = newest.replace(year=months // 12, month=months % 12 + 1, day=1)
    return first + timedelta(days=newest.day - 1 - span.days, hours=-span.hours)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(MOMENTS, st.lists(st.sampled_from("abc"), max_size=2)), max_size=40), RULES)
def test_one_pass_keeps_the_same_as_the_slow_restatement(
    given_: list[tuple[datetime, list[str]]], rules: dict[str, object]
) -> None:
    policy = read_policy(rules, "the test")
    snapshots = [Snapshot(str(place), moment_of(at), tuple(tags)) for place, (at, tags) in enumerate(given_)]
    result = plan(snapshots, policy, NOW)
    assert sorted(each.snapshot.id for each in (*result.keep, *result.remove)) == sorted(each.id for each in snapshots)
    if not given_ or policy.empty:
        assert result.remove == ()
        return
    order = sorted(range(len(given_)), key=lambda place: given_[place][0], reverse=True)
    order.sort(key=lambda place: -given_[place][0].timestamp())
    wanted = expected([given_[place][0] for place in order], [given_[place][1] for place in order], rules)
    assert {each.snapshot.id for each in result.keep} == {str(order[place]) for place in wanted}


@settings(max_examples=100, deadline=None)
@given(st.lists(MOMENTS, min_size=1, max_size=30), RULES)
def test_a_plan_that_was_carried_out_has_nothing_more_to_remove_by_periods(
    times: list[datetime], rules: dict[str, object]
) -> None:
    """Within-rules and periods judge what is left as they judged before; nothing erodes by repetition."""
    policy = read_policy(rules, "the test")
    snapshots = [Snapshot(str(place), moment_of(at)) for place, at in enumerate(times)]
    once = plan(snapshots, policy, NOW)
    again = plan([each.snapshot for each in once.keep], policy, NOW)
    assert again.remove == ()
