"""Each cell of the document's backup table, with facts that hold it, break it, or do not suffice."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from ecom_platform.backup.retention_policy import Policy, read_policy
from ecom_platform.report.evidence import Cell, EvidencePage
from ecom_platform.report.promises import DOCUMENT, Facts, Stored, backup_table
from ecom_platform.verdicts import Outcome
from tests.report.pages import NOW

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def policy(**rules: object) -> Policy:
    return read_policy({name.replace("_", "-"): value for name, value in rules.items()}, "the test")


def every_six_hours(days: float) -> tuple[datetime, ...]:
    return tuple(NOW - 6 * HOUR * number - HOUR for number in range(int(days * 4)))


WHOLE = Facts(
    {
        "local": Stored(policy(keep_within="7d"), every_six_hours(7)),
        "cloud": Stored(policy(keep_within="30d"), every_six_hours(30)),
    },
    recovery_seconds=41.3,
)


def row(facts: Facts | None, source: str = "database") -> dict[str, Cell]:
    table = backup_table({} if facts is None else {source: {"shop": facts}}, NOW)
    place = [each.source for each in DOCUMENT].index(source)
    cells = dict(zip(table.columns, table.rows[place], strict=True))
    return {column: cell for column, cell in cells.items() if isinstance(cell, Cell)}


def in_store(store: str, **changes: Any) -> Facts:
    changed = replace(WHOLE.stores[store], **changes)
    return replace(WHOLE, stores={**WHOLE.stores, store: changed})


def test_the_rows_and_texts_are_those_of_the_document() -> None:
    table = backup_table({}, NOW)
    texts = [[cell.text if isinstance(cell, Cell) else cell for cell in row] for row in table.rows]
    assert texts == [
        ["Application data", "every 1 d", "30 d cloud", "cloud", "below 2 h"],
        ["Configuration", "every 1 d", "30 d cloud", "cloud", "below 30 min"],
        ["Complete cluster", "every 7 d", "90 d cloud", "cloud", "below 4 h"],
        ["Database", "every 6 h", "7 d local / 30 d cloud", "local + cloud", "below 1 h"],
    ]


def test_what_is_not_backed_up_is_inconclusive_in_every_cell() -> None:
    assert {(cell.truth, cell.outcome) for cell in row(None).values()} == {("not backed up here", Outcome.INCONCLUSIVE)}


def test_a_full_history_holds_every_promise() -> None:
    assert {column: (cell.outcome, cell.truth) for column, cell in row(WHOLE).items()} == {
        "Frequency": (Outcome.PASSED, "newest 1 h old, longest gap 6 h"),
        "Retention": (Outcome.PASSED, "local: oldest 6 d 19 h; cloud: oldest 29 d 19 h"),
        "Storage location": (Outcome.PASSED, "local: 28 whole, newest 1 h old; cloud: 120 whole, newest 1 h old"),
        "Recovery time": (Outcome.PASSED, "took 41.3 s"),
    }


def test_the_first_hours_are_inconclusive_where_time_is_needed_and_passed_where_not() -> None:
    taken = (NOW - HOUR, NOW - 7 * HOUR)
    young = Facts({name: replace(each, taken=taken) for name, each in WHOLE.stores.items()}, 41.3)
    found = row(young)
    assert found["Retention"].outcome is Outcome.INCONCLUSIVE
    assert found["Retention"].truth.startswith("local: its rules keep them; oldest so far 7 h")
    assert {found[each].outcome for each in ("Frequency", "Storage location", "Recovery time")} == {Outcome.PASSED}


@pytest.mark.parametrize(
    ("facts", "column", "outcome", "seen"),
    [
        (in_store("cloud", taken=()), "Storage location", "inconclusive", "cloud: nothing yet"),
        (
            in_store("cloud", taken=every_six_hours(30)[2:]),
            "Storage location",
            "failed",
            "cloud: 118 whole, newest 13 h old",
        ),
        (Facts({"local": WHOLE.stores["local"]}), "Storage location", "inconclusive", "cloud: no such store"),
        (
            Facts({"local": WHOLE.stores["local"]}, 1, ["cloud"]),
            "Storage location",
            "inconclusive",
            "cloud: it could not",
        ),
        (Facts({"local": Stored(policy(keep_within="7d"))}), "Frequency", "inconclusive", "no snapshot yet"),
        (
            in_store("cloud", policy=policy(keep_daily=30)),
            "Retention",
            "failed",
            "cloud: its rules would remove a snapshot that is",
        ),
        (
            in_store("local", policy=policy(keep_within="6d")),
            "Retention",
            "failed",
            "local: its rules would remove a snapshot that is 6 d 6 h old",
        ),
        (
            in_store("local", removed=((NOW - 9 * DAY, NOW - 4 * DAY),)),
            "Retention",
            "failed",
            "local: 1 removed early, one after 5 d",
        ),
        (in_store("local", removed=((NOW - 9 * DAY, NOW - 2 * DAY),)), "Retention", "passed", "local: oldest"),
        (replace(WHOLE, recovery_seconds=None), "Recovery time", "inconclusive", "not measured"),
        (replace(WHOLE, recovery_seconds=3600.1), "Recovery time", "failed", "took 1 h"),
    ],
)
def test_a_broken_or_unknown_promise_is_seen(facts: Facts, column: str, outcome: str, seen: str) -> None:
    cell = row(facts)[column]
    assert cell.outcome == outcome
    assert seen in cell.truth


def test_a_missed_snapshot_fails_while_it_is_missed_and_shows_as_a_gap_afterwards() -> None:
    def both(taken: tuple[datetime, ...]) -> Facts:
        return Facts({name: replace(each, taken=taken) for name, each in WHOLE.stores.items()})

    missing = row(both(every_six_hours(7)[1:]))["Frequency"]
    assert (missing.outcome, missing.truth) == (Outcome.FAILED, "newest 7 h old")
    later = row(both((every_six_hours(7)[0], *every_six_hours(7)[2:])))["Frequency"]
    assert (later.outcome, later.truth) == (Outcome.INCONCLUSIVE, "newest 1 h old, longest gap 12 h")


def test_a_broken_promise_fails_the_page() -> None:
    table = backup_table({"database": {"shop": replace(WHOLE, recovery_seconds=7200)}}, NOW)
    assert EvidencePage("shop", NOW, (), stages=(), tables=(table,)).outcome is Outcome.FAILED


def test_each_database_has_a_row_of_its_own() -> None:
    table = backup_table({"database": {"shop": WHOLE, "stock": replace(WHOLE, recovery_seconds=None)}}, NOW)
    assert [row[0] for row in table.rows][-2:] == ["Database: shop", "Database: stock"]
    last = table.rows[-1][-1]
    assert isinstance(last, Cell)
    assert last.truth == "not measured"
