"""What each stage leaves behind: frozen, serialisable facts. No judgement, no I/O, no Dagster.

A record says only what was seen. Its figures carry their unit in the name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from ecom_platform.verdicts import Outcome, Verdict, worst


class Record:
    """Base of the records; subclasses are frozen dataclasses."""

    def to_metadata(self) -> dict[str, Any]:
        """JSON-able figures and texts, by name."""
        content = asdict(self)  # type: ignore[call-overload]  # every subclass is a dataclass
        return {name: list(value) if isinstance(value, tuple) else value for name, value in content.items()}


@dataclass(frozen=True)
class ServiceDeployment(Record):
    """A service that runs as a colour and is ready. seconds: from the call to readiness."""

    service: str
    version: str
    colour: str
    instances: tuple[str, ...]
    active_address: str
    seconds: float


@dataclass(frozen=True)
class DatabaseDeployment(Record):
    """A database that is migrated and filled. seconds by task."""

    database: str
    server: str
    migration_seconds: float
    seed_seconds: float


@dataclass(frozen=True)
class Findings(Record):
    """Verdicts by the name of the check that they belong to; every name that was promised is there.

    A check without a verdict is inconclusive, so a check that silently did nothing is never green.
    """

    verdicts: Mapping[str, Sequence[Verdict]] = field(default_factory=dict)

    def outcome(self, check: str) -> Outcome:
        return worst(self.verdicts.get(check, ()))

    @property
    def overall(self) -> Outcome:
        outcomes = {self.outcome(check) for check in self.verdicts}
        for outcome in (Outcome.FAILED, Outcome.INCONCLUSIVE, Outcome.PASSED):
            if outcome in outcomes:
                return outcome
        return Outcome.INCONCLUSIVE

    def to_metadata(self) -> dict[str, Any]:
        return {check: [each.as_dict() for each in found] for check, found in self.verdicts.items()}
