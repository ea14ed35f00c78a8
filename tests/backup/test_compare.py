"""Two fingerprints are judged by their differences, each told by its cause."""

from __future__ import annotations

from typing import Any

import pytest

from ecom_platform.backup.compare import SHOWN, compare
from ecom_platform.backup.fingerprints import Fingerprint, SequenceState, TableContent, read
from ecom_platform.errors import PermanentError
from ecom_platform.verdicts import Outcome, Verdict, worst


def state(value: int, until: int | None = None, *, called: bool = True) -> SequenceState:
    return SequenceState(value=value, called=called, until=value if until is None else until, until_called=called)


def fingerprint(**changes: Any) -> Fingerprint:  # any field
    fields: dict[str, Any] = {
        "server": 180006,
        "encoding": "UTF8",
        "collation": "C",
        "bytes": 1,
        "superuser": "postgres",
        "roles": ("postgres",),
        "tables": {
            "public.orders": TableContent(rows=20000, content="a"),
            "public.products": TableContent(rows=5, content="b"),
        },
        "sequences": {"public.orders_id_seq": state(20000)},
        "large_objects": TableContent(rows=0, content="0"),
        "objects": {
            "constraint public.orders.price_check": "1:2",
            "view public.v": "3:4",
            "index public.i": "5",
            "table public.orders": "6",
            "column public.orders.id": "7",
        },
    }
    return Fingerprint(**fields | changes)


def problems(expected: Fingerprint, observed: Fingerprint) -> list[str]:
    return [each.seen for each in compare(expected, observed) if each.outcome is Outcome.FAILED]


def test_equal_fingerprints_pass_with_their_numbers() -> None:
    verdicts = compare(fingerprint(), fingerprint())
    assert worst(verdicts) is Outcome.PASSED
    assert "2 tables, 20,005 rows" in verdicts[0].seen


def test_an_empty_database_equals_an_empty_database() -> None:
    empty = fingerprint(tables={}, sequences={}, objects={})
    assert worst(compare(empty, empty)) is Outcome.PASSED
    assert worst(compare(fingerprint(), empty)) is Outcome.FAILED
    assert worst(compare(empty, fingerprint())) is Outcome.FAILED


def test_a_missing_row_is_told_with_both_counts() -> None:
    fewer = {**fingerprint().tables, "public.orders": TableContent(rows=19999, content="c")}
    assert problems(fingerprint(), fingerprint(tables=fewer)) == [
        "table public.orders: 19,999 rows, the manifest says 20,000"
    ]


def test_changed_content_is_told_by_table() -> None:
    other = {**fingerprint().tables, "public.products": TableContent(rows=5, content="c")}
    assert problems(fingerprint(), fingerprint(tables=other)) == [
        "table public.products: 5 rows as in the manifest, but their content differs"
    ]


def test_a_missing_table_is_told_once_without_its_parts() -> None:
    gone = fingerprint(
        tables={"public.products": TableContent(rows=5, content="b")},
        objects={"view public.v": "3:4", "index public.i": "5"},
    )
    assert problems(fingerprint(), gone) == ["table public.orders: missing, the manifest says 20,000 rows"]
    assert problems(gone, fingerprint())[0] == "table public.orders: 20,000 rows, the manifest has no such table"


def test_a_missing_and_a_changed_definition_are_told_by_name() -> None:
    objects = {**fingerprint().objects, "view public.v": "9:9"}
    del objects["constraint public.orders.price_check"]
    assert problems(fingerprint(), fingerprint(objects=objects)) == [
        "constraint public.orders.price_check: missing",
        "view public.v: its definition differs from the manifest's",
    ]


@pytest.mark.parametrize(
    ("wanted", "seen", "fails"),
    [
        (state(10), state(10), False),
        (state(10), state(11), True),
        (state(10), state(10, called=False), True),
        (state(10, 15), state(12), False),
        (state(10, 15), state(16), True),
        (state(10, 15), state(9), True),
        (state(-10, -15), state(-12), False),
    ],
)
def test_a_sequence_stands_between_what_was_seen_before_and_after_the_dump(
    wanted: SequenceState, seen: SequenceState, *, fails: bool
) -> None:
    found = problems(fingerprint(sequences={"s": wanted}), fingerprint(sequences={"s": seen}))
    assert bool(found) == fails
    assert all("sequence s" in each for each in found)


def test_large_objects_are_compared_by_number_and_content() -> None:
    two = fingerprint(large_objects=TableContent(rows=2, content="x"))
    assert problems(fingerprint(), two) == ["large objects: 2, the manifest says 0"]
    assert "content differs" in problems(two, fingerprint(large_objects=TableContent(rows=2, content="y")))[0]


def test_between_versions_the_portable_hash_counts_and_new_kinds_do_not() -> None:
    older = fingerprint(server=150018, objects={**fingerprint().objects, "view public.v": "8:4"})
    newer = fingerprint(objects={**fingerprint().objects, "not-null constraint public.orders.id": "1"})
    assert problems(older, newer) == []
    assert problems(older, fingerprint(objects={**fingerprint().objects, "view public.v": "8:5"})) != []
    same_version = fingerprint(objects=older.objects)
    assert problems(same_version, fingerprint()) != []


def test_texts_in_another_encoding_cannot_be_compared() -> None:
    (verdict,) = compare(fingerprint(), fingerprint(encoding="LATIN1"))
    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_thousands_of_differences_are_told_in_few_words() -> None:
    many = {f"public.t{number}": TableContent(rows=1, content="a") for number in range(5000)}
    found: tuple[Verdict, ...] = compare(fingerprint(tables=many), fingerprint(tables={}))
    tables = [each for each in found if "table" in each.claim]
    assert len(tables) == SHOWN + 1
    assert tables[-1].seen == f"and {5000 - SHOWN:,} more differences"


def test_tables_that_were_hashed_in_other_ways_are_not_compared() -> None:
    chained = {**fingerprint().tables, "public.orders": TableContent(rows=20000, content="a", chained=("id",))}
    (verdict,) = compare(fingerprint(), fingerprint(tables=chained))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "public.orders" in verdict.seen


def test_a_fingerprint_of_another_algorithm_is_refused() -> None:
    with pytest.raises(PermanentError, match="algorithm 0"):
        read({**fingerprint().model_dump(mode="json"), "algorithm": 0})
