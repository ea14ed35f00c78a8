"""Figures as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_platform.report import figures


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (0.0000021, "0.0021 ms"),
        (0.32, "320 ms"),
        (0.9996, "1 s"),
        (41.27, "41.3 s"),
        (99.96, "1 min 40 s"),
        (120, "2 min"),
        (3599.6, "1 h"),
        (8040, "2 h 14 min"),
        (273600, "3 d 4 h"),
        (-90, "-90 s"),
        (float("nan"), "not measured"),
        (float("inf"), "not measured"),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert figures.duration_text(seconds) == text


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("p95_ms", 38.21, ("p95", "38.21 ms")),
        ("took_s", 8040, ("took", "2 h 14 min")),
        ("total_seconds", 0.5, ("total", "500 ms")),
        ("size_bytes", 18_400_000, ("size", "18.4 MB")),
        ("memory_mb", 72.5, ("memory", "72.5 MB")),
        ("requests_per_second", 3121.4, ("requests", "3121/s")),
        ("error_share", 0.0125, ("error", "1.25 %")),
        ("rows", 86_420, ("rows", "86,420")),
        ("ratio", 1.27, ("ratio", "1.27")),
        ("orders", 20000.0, ("orders", "20,000")),
        ("p95_ms", float("nan"), ("p95", "not measured")),
    ],
)
def test_the_end_of_a_name_is_the_unit(name: str, value: float, expected: tuple[str, str]) -> None:
    assert figures.figure(name, value) == expected


def test_times_are_shown_in_utc() -> None:
    east = datetime(2026, 3, 1, 1, 30, tzinfo=timezone(timedelta(hours=5)))
    assert figures.time_text(east) == "28 Feb 2026 20:30:00 UTC"
    assert figures.time_text(datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)) == "4 Mar 2026 05:06:07 UTC"


@settings(database=None)
@given(st.floats(), st.text(), st.text())
def test_any_number_and_any_text_has_words(value: float, name: str, unit: str) -> None:
    label, text = figures.figure(name, value)
    assert isinstance(label, str)
    assert text
    assert figures.with_unit(value, unit)
    assert figures.printable(unit).isprintable() or not figures.printable(unit).isascii()


def test_a_terminal_does_not_get_control_characters() -> None:
    assert figures.printable("a\x1b[2Jb\r\nc\x07") == "a\ufffd[2Jb c\ufffd"
