"""How errors and verdicts reach Dagster: an old green result never outlives a newer attempt that broke."""

import dagster as dg
import pytest

from ecom_platform.errors import ConfigurationError, EcomError, ProofFailed, UnreachableError
from ecom_platform.failures import check_results, check_specs, observe, proved
from ecom_platform.records import Findings
from ecom_platform.verdicts import Outcome, failed, inconclusive, passed

CHECKS = {"one": "the first claim", "two": "the second claim"}
KEY = dg.AssetKey(["shop", "stage", "subject"])


def raising(error: EcomError) -> tuple[Findings, str]:
    raise error


def test_findings_of_every_check_that_passed_give_the_record() -> None:
    findings = Findings({name: [passed(text, "seen")] for name, text in CHECKS.items()})
    assert proved("it", CHECKS, observe(CHECKS, lambda: (findings, "record"))) == "record"


@pytest.mark.parametrize("verdicts", [[failed("a claim", "seen")], [inconclusive("a claim", "seen")], []])
def test_anything_but_a_pass_is_a_failure_that_is_not_tried_again(verdicts: list[object]) -> None:
    findings = Findings({"one": [passed("a claim", "seen")], "two": verdicts})  # type: ignore[dict-item]
    with pytest.raises(dg.Failure) as caught:
        proved("it", CHECKS, observe(CHECKS, lambda: (findings, "record")))
    assert caught.value.allow_retries is False


@pytest.mark.parametrize(
    ("error", "outcome", "again"),
    [
        (ProofFailed("try", "it is false"), Outcome.FAILED, False),
        (UnreachableError("try", "no answer"), Outcome.INCONCLUSIVE, True),
        (ConfigurationError("try", "no key"), Outcome.INCONCLUSIVE, False),
    ],
)
def test_an_error_is_a_verdict_on_every_check(error: EcomError, outcome: Outcome, *, again: bool) -> None:
    observation = observe(CHECKS, lambda: raising(error))
    assert {observation.findings.outcome(name) for name in CHECKS} == {outcome}
    with pytest.raises(dg.Failure, match="try") as caught:
        proved("it", CHECKS, observation)
    assert caught.value.allow_retries is again


def test_a_promised_check_without_a_verdict_does_not_pass() -> None:
    results = check_results(KEY, CHECKS, Findings({"one": [passed("a claim", "seen")]}))
    assert [each.passed for each in results] == [True, False]
    assert results[1].description == "nothing was measured"


def test_a_broken_attempt_after_a_good_one_is_what_the_instance_remembers() -> None:
    attempts = iter([lambda: (Findings({name: [passed(text, "seen")] for name, text in CHECKS.items()}), 1)])

    @dg.asset(key=KEY, check_specs=check_specs(KEY, CHECKS))
    def subject() -> object:
        look = next(attempts, lambda: raising(ProofFailed("try", "it is false")))
        observation = observe(CHECKS, look)
        yield from check_results(KEY, CHECKS, observation.findings)
        proved("it", CHECKS, observation)
        yield dg.MaterializeResult()

    with dg.DagsterInstance.ephemeral() as instance:
        assert dg.materialize([subject], instance=instance).success
        assert not dg.materialize([subject], instance=instance, raise_on_error=False).success
        record = instance.get_latest_asset_check_evaluation_record(dg.AssetCheckKey(KEY, "one"))
    assert record is not None
    assert record.status.value == "FAILED"
