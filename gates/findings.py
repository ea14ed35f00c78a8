"""Pure judgement of findings: each needs a written reason, and each reason a finding. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from pydantic import BaseModel, ConfigDict, Field

from ecom_platform.verdicts import Outcome, Verdict, failed, inconclusive, passed

SHOWN = 20  # findings told in one verdict: enough to mend, few enough to read


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that a tool did not like. place: which file and which object, as `FILE:OBJECT`."""

    tool: str
    rule: str
    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.tool} {self.rule} at {self.place}: {self.text}"


class Reason(BaseModel):
    """Why findings of some rules at some places stay. places: shell patterns."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tool: str
    rules: tuple[str, ...] = Field(min_length=1)
    places: tuple[str, ...] = Field(min_length=1)
    reason: str = Field(min_length=30)

    def covers(self, finding: Finding, place: str, rule: str) -> bool:
        return finding.tool == self.tool and finding.rule == rule and fnmatchcase(finding.place, place)


@dataclass(frozen=True, slots=True)
class Judged:
    """open: findings without a reason. stale: reasons (their rule and place) without a finding."""

    open: tuple[Finding, ...]
    stale: tuple[str, ...]


def judge(findings: Iterable[Finding], reasons: Sequence[Reason]) -> Judged:
    """Pairs findings with reasons. Every rule and every place of a reason must meet a finding, else it is stale."""
    every = sorted(set(findings))
    rows = [(reason, rule, place) for reason in reasons for rule in reason.rules for place in reason.places]
    met = [any(reason.covers(each, place, rule) for each in every) for reason, rule, place in rows]
    covered = {each for each in every for reason, rule, place in rows if reason.covers(each, place, rule)}
    stale = [
        f"{reason.tool} {rule} at {place}" for (reason, rule, place), hit in zip(rows, met, strict=True) if not hit
    ]
    return Judged(tuple(each for each in every if each not in covered), tuple(stale))


def verdicts(claim: str, judged: Judged, *, looked_at: int) -> list[Verdict]:
    """looked_at: how many objects the tools saw; none is inconclusive, whatever they found."""
    if looked_at == 0:
        return [inconclusive(claim, "the tools saw nothing to look at")]
    found = [failed(claim, str(each)) for each in judged.open[:SHOWN]]
    if len(judged.open) > SHOWN:
        found.append(failed(claim, f"and {len(judged.open) - SHOWN} more"))
    found += [failed("no reason is stale", f"{each}: nothing there any more; remove it") for each in judged.stale]
    return found or [passed(claim, f"{looked_at} looked at, none without a written reason", looked_at=float(looked_at))]


def exit_code(found: Iterable[Verdict]) -> int:
    """0 passed, 1 failed, 3 inconclusive."""
    outcomes = {each.outcome for each in found}
    if Outcome.FAILED in outcomes:
        return Outcome.FAILED.exit_code
    return (Outcome.PASSED if outcomes == {Outcome.PASSED} else Outcome.INCONCLUSIVE).exit_code
