"""The rules of retention mean what restic's `forget` means, by example."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_platform.backup.retention import EMPTY_POLICY, NO_RULE, Plan, Snapshot, moment_of, parse_moment, plan
from ecom_platform.backup.retention_policy import Policy, Span, parse_span, read_policy
from ecom_platform.errors import ConfigurationError

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def judge(rules: dict[str, object], *times: str, tags: dict[str, list[str]] | None = None) -> Plan:
    """Snapshots are named by their times."""
    given_tags = tags or {}
    snapshots = [Snapshot(each, parse_moment(each), tuple(given_tags.get(each, ()))) for each in times]
    return plan(snapshots, read_policy(rules, "the test"), NOW)


def kept(result: Plan) -> dict[str, list[str]]:
    return {each.snapshot.id: list(each.reasons) for each in result.keep}


def test_keep_last_keeps_the_newest_whatever_their_distance() -> None:
    result = judge({"keep-last": 2}, "2020-01-01T00:00:00Z", "2020-01-01T00:00:01Z", "2019-01-01T00:00:00Z")
    assert kept(result) == {"2020-01-01T00:00:01Z": ["last snapshot"], "2020-01-01T00:00:00Z": ["last snapshot"]}
    assert [each.reasons for each in result.remove] == [(NO_RULE,)]


def test_a_period_keeps_its_newest_and_periods_without_snapshots_do_not_count() -> None:
    result = judge(
        {"keep-daily": 2},
        "2020-01-01T08:00:00Z",
        "2020-01-01T20:00:00Z",
        "2020-03-05T01:00:00Z",
        "2020-03-05T02:00:00Z",
    )
    assert list(kept(result)) == ["2020-03-05T02:00:00Z", "2020-01-01T20:00:00Z"]


def test_the_oldest_is_kept_while_a_rule_has_not_run_out() -> None:
    times = ("2020-01-02T00:00:00Z", "2020-01-02T10:00:00Z", "2020-01-02T20:00:00Z")
    assert kept(judge({"keep-daily": 2}, *times)) == {
        "2020-01-02T20:00:00Z": ["daily snapshot"],
        "2020-01-02T00:00:00Z": ["oldest daily snapshot"],
    }
    assert list(kept(judge({"keep-daily": 1}, *times))) == ["2020-01-02T20:00:00Z"]


def test_the_oldest_is_named_so_only_if_its_period_was_kept_already() -> None:
    result = judge({"keep-monthly": -1}, "2020-01-02T00:00:00Z", "2020-02-02T00:00:00Z")
    assert kept(result)["2020-01-02T00:00:00Z"] == ["monthly snapshot"]


def test_weeks_are_iso_weeks_across_the_new_year() -> None:
    # Monday 2024-12-30 and Wednesday 2025-01-01 are one week; Sunday 2024-12-29 is the week before.
    result = judge({"keep-weekly": 1}, "2024-12-29T12:00:00Z", "2024-12-30T12:00:00Z", "2025-01-01T12:00:00Z")
    assert list(kept(result)) == ["2025-01-01T12:00:00Z"]
    result = judge({"keep-weekly": 2}, "2024-12-29T12:00:00Z", "2024-12-30T12:00:00Z", "2025-01-01T12:00:00Z")
    assert list(kept(result)) == ["2025-01-01T12:00:00Z", "2024-12-29T12:00:00Z"]


def test_minus_one_keeps_every_period() -> None:
    times = [f"20{year:02}-06-01T00:00:00Z" for year in range(10, 30)]
    assert len(judge({"keep-yearly": -1}, *times).keep) == 20


def test_within_is_measured_from_the_newest_snapshot_and_its_edge_is_outside() -> None:
    result = judge(
        {"keep-within": "1d"}, "2020-01-02T00:00:00Z", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00.000000001Z"
    )
    assert list(kept(result)) == ["2020-01-02T00:00:00Z", "2020-01-01T00:00:00.000000001Z"]
    assert kept(result)["2020-01-02T00:00:00Z"] == ["within 1d"]


def test_a_month_back_from_a_day_that_the_month_lacks_runs_over_into_the_next() -> None:
    # One month before 31 March is "31 February", which is 3 March.
    result = judge({"keep-within": "1m"}, "2021-03-31T00:00:00Z", "2021-03-03T00:00:01Z", "2021-03-03T00:00:00Z")
    assert len(result.keep) == 2
    result = judge({"keep-within": "1y"}, "2020-02-29T00:00:00Z", "2019-03-01T00:00:01Z", "2019-03-01T00:00:00Z")
    assert len(result.keep) == 2


def test_a_snapshot_of_the_future_is_kept_but_is_not_the_newest_for_within() -> None:
    result = judge({"keep-within": "1d"}, "2031-01-01T00:00:00Z", "2029-12-31T00:00:00Z", "2029-12-30T12:00:00Z")
    assert len(result.keep) == 3
    assert judge({"keep-within": "1h"}, "2031-01-01T00:00:00Z", "2031-06-01T00:00:00Z").remove == ()


def test_within_by_period_keeps_one_for_each_and_the_oldest_only_if_it_is_within() -> None:
    times = ("2020-05-10T20:00:00Z", "2020-05-10T08:00:00Z", "2020-05-09T08:00:00Z", "2020-05-09T07:00:00Z")
    assert kept(judge({"keep-within-daily": "7d"}, *times)) == {
        "2020-05-10T20:00:00Z": ["daily within 7d"],
        "2020-05-09T08:00:00Z": ["daily within 7d"],
        "2020-05-09T07:00:00Z": ["oldest daily within 7d"],
    }
    assert list(kept(judge({"keep-within-daily": "1d"}, *times))) == ["2020-05-10T20:00:00Z"]


def test_an_eternity_reaches_back_before_the_year_one() -> None:
    assert len(judge({"keep-within-yearly": "9999y"}, "2020-01-01T00:00:00Z", "0001-01-01T00:00:00Z").keep) == 2


def test_all_tags_of_one_list_keep_a_snapshot() -> None:
    tags = {"2020-01-01T00:00:00Z": ["a", "b"], "2020-01-02T00:00:00Z": ["a"], "2020-01-03T00:00:00Z": ["c"]}
    result = judge({"keep-tag": [["a", "b"], ["c"]]}, *tags, "2020-01-04T00:00:00Z", tags=tags)
    assert kept(result) == {"2020-01-03T00:00:00Z": ["has tags [c]"], "2020-01-01T00:00:00Z": ["has tags [a, b]"]}


def test_the_empty_tag_means_a_snapshot_without_tags() -> None:
    result = judge(
        {"keep-tag": [[""]]}, "2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z", tags={"2020-01-01T00:00:00Z": ["a"]}
    )
    assert list(kept(result)) == ["2020-01-02T00:00:00Z"]


def test_reasons_stand_in_the_order_tags_within_counts_within_by_period() -> None:
    rules: dict[str, object] = {
        "keep-within-hourly": "1h",
        "keep-yearly": 1,
        "keep-last": 1,
        "keep-within": "2h",
        "keep-tag": [["x"]],
    }
    result = judge(rules, "2020-01-01T00:00:00Z", tags={"2020-01-01T00:00:00Z": ["x"]})
    assert list(kept(result).values()) == [
        ["has tags [x]", "within 2h", "last snapshot", "yearly snapshot", "hourly within 1h"]
    ]


def test_days_are_those_of_the_clock_that_the_snapshot_was_taken_by() -> None:
    # The same day in UTC, two days on a clock in Tokyo.
    east = judge({"keep-daily": 1}, "2020-01-01T23:00:00+09:00", "2020-01-02T01:00:00+09:00", "2019-01-01T00:00:00Z")
    assert list(kept(east)) == ["2020-01-02T01:00:00+09:00"]
    east = judge({"keep-daily": 2}, "2020-01-01T23:00:00+09:00", "2020-01-02T01:00:00+09:00", "2019-01-01T00:00:00Z")
    assert list(kept(east)) == ["2020-01-02T01:00:00+09:00", "2020-01-01T23:00:00+09:00"]


def test_snapshots_of_the_same_moment_keep_the_order_in_which_they_were_given() -> None:
    at = parse_moment("2020-01-01T00:00:00Z")
    result = plan([Snapshot(name, at) for name in "abc"], Policy(**{"keep-last": 1}), NOW)
    assert [each.snapshot.id for each in (*result.keep, *result.remove)] == ["a", "b", "c"]


@pytest.mark.parametrize("rules", [{}, {"keep-last": 0}, {"keep-within": "0h"}, {"keep-tag": []}, {"keep-within": ""}])
def test_an_empty_policy_removes_nothing(rules: dict[str, object]) -> None:
    result = judge(rules, "2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z")
    assert result.remove == ()
    assert {tuple(reasons) for reasons in kept(result).values()} == {(EMPTY_POLICY,)}


def test_no_snapshots_are_no_plan() -> None:
    assert judge({"keep-last": 1}) == Plan((), ())


@pytest.mark.parametrize(
    ("text", "span", "shown"),
    [
        ("9h", Span(hours=9), "9h"),
        ("4h3d9m", Span(months=9, days=3, hours=4), "9m3d4h"),
        (" 1y2m3d4h ", Span(1, 2, 3, 4), "1y2m3d4h"),
        ("1d2d", Span(days=2), "2d"),
        ("0y", Span(), ""),
    ],
)
def test_durations_are_read_in_any_order(text: str, span: Span, shown: str) -> None:
    assert parse_span(text) == span
    assert str(span) == shown


@pytest.mark.parametrize("text", ["2w", "1y4m3w1d", "s", "5", "-3d", "1 d", "\u0663d", "1.5d", "d", "--1d"])
def test_what_is_no_duration_is_named(text: str) -> None:
    with pytest.raises(ConfigurationError, match="keep-within"):
        read_policy({"keep-within": text}, "the test")


@pytest.mark.parametrize(
    "rules",
    [{"keep-lst": 1}, {"keep_last": 1}, {"keep-last": -2}, {"keep-last": "3"}, {"keep-last": True}, {"keep-last": 1.0},
     {"keep-tag": ["a"]}, {"keep-tag": [[1]]}, {"keep-within": 7}, {"keep-last": None}],
)  # fmt: skip
def test_what_is_no_rule_is_refused(rules: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=r"keep.(l|tag|within)"):
        read_policy(rules, "the test")


@pytest.mark.parametrize(
    "text",
    ["2020-01-01", "2020-01-01T00:00:00", "2020-02-30T00:00:00Z", "2020-01-01T24:00:00Z", "2020-01-01T00:00:60Z",
     "2020-01-01 00:00:00Z", "2020-01-01T00:00:00+25:00", "0000-01-01T00:00:00Z", "", 5, None],
)  # fmt: skip
def test_what_is_no_rfc_3339_time_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_moment(text)


@given(st.datetimes(min_value=datetime(1, 1, 3), max_value=datetime(9999, 12, 28)), st.integers(-23 * 60, 23 * 60))  # noqa: DTZ001
def test_a_time_is_the_same_by_text_and_by_datetime(naive: datetime, minutes: int) -> None:
    at = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_moment(at.isoformat()) == moment_of(at)
