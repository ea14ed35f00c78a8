"""What the page of evidence makes of runs that judged, ended before they judged, and are still at it."""

from collections.abc import Iterator

import dagster as dg
import pytest

from ecom_platform.evidence_log import AWAITED, ENDED, evidence_of
from ecom_platform.failures import check_results, check_specs, observe
from ecom_platform.records import Findings
from ecom_platform.verdicts import Outcome, passed

KEY = dg.AssetKey(["shop", "restores", "database-shop"])
CHECKS = {"one": "the first thing"}


@dg.asset(key=KEY, check_specs=check_specs(KEY, CHECKS))
def proof() -> Iterator[object]:
    observation = observe(CHECKS, lambda: (Findings({"one": [passed("the first thing", "seen")]}), 1))
    yield from check_results(KEY, CHECKS, observation.findings)
    yield dg.MaterializeResult()


JOB = dg.Definitions([proof], jobs=[dg.define_asset_job("prove")]).resolve_job_def("prove")


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def judge(instance: dg.DagsterInstance) -> None:
    assert dg.materialize([proof], instance=instance).success


def begin(instance: dg.DagsterInstance) -> dg.DagsterRun:
    """A run that has planned the check, and goes on."""
    run = instance.create_run_for_job(JOB, status=dg.DagsterRunStatus.STARTED)
    record = instance.get_latest_asset_check_evaluation_record(dg.AssetCheckKey(KEY, "one"))
    assert record is not None
    assert record.run_id == run.run_id
    return run


def seen(instance: dg.DagsterInstance) -> list[tuple[Outcome, str]]:
    return [(each.outcome, each.seen) for each in evidence_of(instance, proof)]


def test_what_was_judged_counts_while_other_runs_are_at_it(instance: dg.DagsterInstance) -> None:
    judge(instance)
    begin(instance)
    begin(instance)
    assert seen(instance) == [(Outcome.PASSED, "seen")]


def test_a_run_that_ended_before_it_judged_is_inconclusive_although_an_earlier_one_passed(
    instance: dg.DagsterInstance,
) -> None:
    judge(instance)
    instance.report_run_failed(begin(instance))
    begin(instance)
    assert seen(instance) == [(Outcome.INCONCLUSIVE, ENDED)]


def test_the_first_run_of_all_is_inconclusive_until_it_judges(instance: dg.DagsterInstance) -> None:
    assert seen(instance) == []
    begin(instance)
    assert seen(instance) == [(Outcome.INCONCLUSIVE, AWAITED)]
    judge(instance)
    assert seen(instance) == [(Outcome.PASSED, "seen")]
