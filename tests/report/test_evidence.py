"""What follows from evidence: the newest counts, the worst wins, nothing proved is no pass."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from ecom_platform.report.budgets import Recovery, age_verdict, restore_verdict
from ecom_platform.report.evidence import (
    STAGES,
    Cell,
    Evidence,
    EvidencePage,
    Series,
    Table,
    budget_verdicts,
    counts,
    current,
    history,
    newest,
    stage_outcome,
    stages_of,
)
from ecom_platform.settings import EXAMPLE_SPEC
from ecom_platform.spec import Shop
from ecom_platform.spec_file import read_spec
from ecom_platform.verdicts import Outcome
from tests.report.pages import NOW, evidence, page

ONE = Evidence("backups", "shop", "it lies in every store", Outcome.PASSED, "both", {}, NOW, "run")
HOUR = timedelta(hours=1)


def a_page(*evidence: Evidence, recoveries: tuple[Recovery, ...] = (), tables: tuple[Table, ...] = ()) -> EvidencePage:
    return EvidencePage("shop", NOW, evidence, stages=("backups",), recoveries=recoveries, tables=tables)


def test_the_newest_evidence_of_a_claim_counts_whatever_its_order() -> None:
    mended = [replace(ONE, outcome=Outcome.FAILED, at=NOW - HOUR), ONE]
    broken = [replace(ONE, at=NOW - HOUR), replace(ONE, outcome=Outcome.FAILED)]
    for order in (mended, mended[::-1]):
        assert a_page(*order).outcome is Outcome.PASSED
    for order in (broken, broken[::-1]):
        assert a_page(*order).outcome is Outcome.FAILED


@pytest.mark.parametrize("worse", [Outcome.FAILED, Outcome.INCONCLUSIVE])
def test_of_two_at_the_same_time_the_worse_counts(worse: Outcome) -> None:
    other = replace(ONE, outcome=worse)
    assert newest([ONE, other]) == newest([other, ONE]) == (other,)


def test_the_same_claim_about_another_subject_or_stage_is_another_claim() -> None:
    assert len(newest([ONE, replace(ONE, subject="media"), replace(ONE, stage="restores")])) == 3


def test_failed_beats_inconclusive_beats_passed() -> None:
    unknown, false = (
        replace(ONE, claim=outcome, outcome=outcome) for outcome in (Outcome.INCONCLUSIVE, Outcome.FAILED)
    )
    assert a_page(ONE).outcome is Outcome.PASSED
    assert a_page(ONE, unknown).outcome is Outcome.INCONCLUSIVE
    assert a_page(ONE, unknown, false).outcome is Outcome.FAILED
    assert [each.outcome for each in current(a_page(ONE, unknown, false))] == ["failed", "inconclusive", "passed"]


def test_a_stage_without_evidence_is_inconclusive_if_the_spec_has_it_and_nothing_if_not() -> None:
    bare = a_page()
    assert stage_outcome(bare, "backups") is Outcome.INCONCLUSIVE
    assert stage_outcome(bare, "drills") is None
    assert bare.outcome is Outcome.INCONCLUSIVE
    assert counts(bare) == {Outcome.FAILED: 0, Outcome.INCONCLUSIVE: 1, Outcome.PASSED: 0}


def test_evidence_of_a_stage_that_the_spec_does_not_have_counts_all_the_same() -> None:
    assert a_page(ONE, replace(ONE, stage="drills", outcome=Outcome.FAILED)).outcome is Outcome.FAILED


def test_a_page_without_anything_is_inconclusive() -> None:
    assert EvidencePage("shop", NOW, (), stages=()).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "reports"])
def test_leaving_out_the_evidence_of_any_one_stage_is_seen(stage: str) -> None:
    whole = replace(page(), tables=())
    assert whole.outcome is Outcome.PASSED
    without = replace(whole, evidence=[each for each in whole.evidence if each.stage != stage])
    assert without.outcome is Outcome.INCONCLUSIVE


def test_a_pass_that_is_too_old_is_inconclusive_and_a_failure_stays_a_failure() -> None:
    old = replace(ONE, at=NOW - timedelta(days=9))
    counted = replace(a_page(old), counts_for=timedelta(days=7))
    assert counted.outcome is Outcome.INCONCLUSIVE
    assert current(counted)[0].seen.startswith("passed 9 d ago, which is longer than the 7 d")
    failed = replace(counted, evidence=[replace(old, outcome=Outcome.FAILED)])
    assert failed.outcome is Outcome.FAILED
    assert replace(counted, counts_for=timedelta(days=9)).outcome is Outcome.PASSED


def test_history_is_of_one_claim_oldest_first_and_bounded() -> None:
    many = [replace(ONE, at=NOW - HOUR * back) for back in range(20)]
    found = history(a_page(*many, replace(ONE, subject="media")), ONE, most=12)
    assert [each.at for each in found] == [NOW - HOUR * back for back in range(11, -1, -1)]


def test_a_backup_older_than_the_rpo_or_a_restore_longer_than_the_rto_fails_the_page() -> None:
    kept = Recovery("shop", rpo=6 * HOUR, rto=HOUR, taken_at=NOW - 6 * HOUR, restore_seconds=3600)
    assert a_page(ONE, recoveries=(kept,)).outcome is Outcome.PASSED
    late = replace(kept, taken_at=NOW - 6 * HOUR - timedelta(seconds=1))
    slow = replace(kept, restore_seconds=3600.5)
    assert age_verdict(late, NOW).outcome is restore_verdict(slow).outcome is Outcome.FAILED
    assert a_page(ONE, recoveries=(late,)).outcome is a_page(ONE, recoveries=(slow,)).outcome is Outcome.FAILED


def test_a_database_without_a_proof_or_with_one_from_the_future_is_inconclusive() -> None:
    never = Recovery("shop", rpo=6 * HOUR, rto=HOUR)
    assert {each.outcome for each in budget_verdicts(a_page(recoveries=(never,)))} == {Outcome.INCONCLUSIVE}
    future = age_verdict(replace(never, taken_at=NOW + HOUR), NOW)
    assert (future.outcome, future.seen) == (
        Outcome.INCONCLUSIVE,
        "it is dated 1 h in the future; check the clocks",
    )


def test_a_broken_promise_of_a_table_fails_the_page_and_an_open_one_does_not() -> None:
    def promising(outcome: Outcome | None) -> EvidencePage:
        row = ("Database", Cell("every 6 h", "newest 31 h old", outcome))
        return a_page(ONE, tables=(Table("promises", ("backup", "frequency"), (row,), stage="backups"),))

    assert promising(Outcome.FAILED).outcome is Outcome.FAILED
    assert promising(Outcome.INCONCLUSIVE).outcome is promising(None).outcome is Outcome.PASSED


def test_times_without_a_zone_and_uneven_tables_are_refused() -> None:
    naive = datetime(2026, 3, 14)  # noqa: DTZ001  # what is refused
    for build in (
        lambda: replace(ONE, at=naive),
        lambda: Series("p95", "ms", [(naive, 1.0)]),
        lambda: Recovery("shop", HOUR, HOUR, taken_at=naive),
        lambda: EvidencePage("shop", naive, ()),
    ):
        with pytest.raises(ValueError, match="needs a time with a zone"):
            build()
    with pytest.raises(ValueError, match="2 cells in a row, 1 columns"):
        Table("promises", ("backup",), (("Database", "daily"),))


def test_the_stages_are_those_that_the_spec_has_something_for() -> None:
    example = read_spec(EXAMPLE_SPEC).model_copy(update={"leave_out": ()})
    # A release is an event: a shop that made none has nothing to prove.
    assert stages_of(example) == tuple(each for each in STAGES if each != "releases")
    assert stages_of(example.model_copy(update={"leave_out": ("drills", "releases")})) == (
        *STAGES[:5],
        "reports",
    )
    bare = Shop.model_validate(
        {
            "shop": "bare",
            "databases": [{"name": "main", "url": {"env": "URL"}}],
            "stores": {"local": {"url": "file:backups"}},
            "encryption": {"managed": True},
        }
    )
    assert stages_of(bare) == ("backups", "restores", "reports")


def test_the_example_has_evidence_for_every_stage_but_the_report_itself() -> None:
    assert {each.stage for each in evidence()} == set(STAGES) - {"reports"}
