"""The only place where the platform's errors and verdicts become Dagster's failures and check results."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import dagster as dg

from ecom_platform.errors import ConfigurationError, EcomError, TransientError
from ecom_platform.records import Findings
from ecom_platform.verdicts import Outcome, Verdict, failed, inconclusive, worst

T = TypeVar("T")

VERDICTS = "verdicts"
"""The metadata entry of a check that holds its verdicts as JSON; the report reads it back."""


@contextmanager
def as_dagster_failures() -> Iterator[None]:
    """Turns an EcomError into a dagster Failure; only transient ones may be tried again."""
    try:
        yield
    except EcomError as error:
        raise dg.Failure(
            description=str(error),
            metadata={"tried": error.tried, "seen": error.seen, "next step": error.next_step or "-"},
            allow_retries=isinstance(error, TransientError),
        ) from error


@dataclass(frozen=True)
class Observation(Generic[T]):
    """What a stage saw: its record and findings, or the error that ended it.

    After an error every check has a verdict: failed, or inconclusive when it could not be tried.
    So an old green result never outlives a newer attempt that broke.
    """

    findings: Findings
    record: T | None = None
    error: EcomError | None = None


def observe(checks: Mapping[str, str], look: Callable[[], tuple[Findings, T]]) -> Observation[T]:
    """Calls look and keeps an EcomError as verdicts; every other exception passes through."""
    try:
        findings, record = look()
    except EcomError as error:
        untried = isinstance(error, TransientError | ConfigurationError)
        judge = inconclusive if untried else failed
        return Observation(Findings({name: [judge(text, str(error))] for name, text in checks.items()}), error=error)
    return Observation(findings, record)


def check_specs(asset: dg.AssetKey, checks: Mapping[str, str]) -> list[dg.AssetCheckSpec]:
    """One blocking check per name; the values are descriptions."""
    return [dg.AssetCheckSpec(name, asset=asset, description=text, blocking=True) for name, text in checks.items()]


def check_results(asset: dg.AssetKey, checks: Mapping[str, str], findings: Findings) -> list[dg.AssetCheckResult]:
    """A result for each promised check; one that has no verdict is inconclusive and does not pass."""
    return [_check_result(asset, name, findings.verdicts.get(name, ())) for name in checks]


def _check_result(asset: dg.AssetKey, name: str, verdicts: Sequence[Verdict]) -> dg.AssetCheckResult:
    outcome = worst(verdicts)
    telling = [str(each) for each in verdicts if each.outcome is outcome] or ["nothing was measured"]
    metadata: dict[str, Any] = {
        "outcome": outcome.value,
        VERDICTS: dg.MetadataValue.json([each.as_dict() for each in verdicts]),
        "table": dg.MetadataValue.md(verdict_table(verdicts)),
    }
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=outcome is Outcome.PASSED,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(telling[:3]),
        metadata=metadata,
    )


def proved(what: str, checks: Mapping[str, str], observation: Observation[T]) -> T:
    """The record, if every check passed; else raises a Failure that names each one that did not."""
    if observation.error is not None:
        with as_dagster_failures():
            raise observation.error
    findings = observation.findings
    bad = [
        str(verdict)
        for name in checks
        for verdict in findings.verdicts.get(name, ())
        if verdict.outcome is not Outcome.PASSED
    ]
    bad += [f"inconclusive: {name} (nothing was measured)" for name in checks if not findings.verdicts.get(name)]
    if bad or observation.record is None:
        raise dg.Failure(description=f"{what} is not proved:\n" + "\n".join(bad[:10]), allow_retries=False)
    return observation.record


def verdict_table(verdicts: Sequence[Verdict]) -> str:
    """Markdown for the UI."""
    rows = [f"| {each.outcome} | {_cell(each.claim)} | {_cell(each.seen)} |" for each in verdicts]
    return "\n".join(["| outcome | claim | seen |", "|---|---|---|", *rows])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
