"""What a release proved, by the names of its checks, and what it leaves behind. Pure: a journal in, facts out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ecom_platform.records import Findings, Record
from ecom_platform.release.machine import Kind, Phase
from ecom_platform.release.state import Journal, Moment, State, summary
from ecom_platform.verdicts import Verdict, failed, from_dict, inconclusive, passed

CHECKS = {
    "backed_up": "a verified backup inside the recovery point was there before anything was touched",
    "new_instances": "what answers at the preview is what was deployed: colour, version and instances",
    "validated": "the new version passes the validation at the preview address",
    "load": "it carries the load at the preview, and is not slower than the live version by more than allowed",
    "cut_over": "the cut-over lost no request, and nobody was answered by the old colour after it",
    "confirmed": "after the cut-over the new instances alone answer, and pass the validation",
    "watched": "errors and latency stayed inside the limits for the whole dwell",
    "promoted": "the new version is live for good",
}

_OF = {
    "backed_up": Kind.BACKUP,
    "new_instances": Kind.PROVE,
    "validated": Kind.VALIDATE,
    "load": Kind.LOAD,
    "cut_over": Kind.CUT_OVER,
    "confirmed": Kind.CONFIRM,
    "watched": Kind.WATCH,
}


@dataclass(frozen=True)
class ReleaseRecord(Record):
    """A release that rests. facts: figures of its steps; seconds: from its start to its end."""

    release: str
    version: str
    phase: str
    colour: str
    seconds: float
    started_by: str
    facts: dict[str, float]
    timeline: tuple[Moment, ...]

    def to_metadata(self) -> dict[str, Any]:
        own = {"release": self.release, "version": self.version, "phase": self.phase, "colour": self.colour}
        return {**own, "started_by": self.started_by, "seconds": self.seconds, **self.facts}


def record_of(journal: Journal) -> ReleaseRecord:
    release = journal.release
    ended = journal.ended_at or (journal.timeline[-1].at if journal.timeline else journal.started_at)
    return ReleaseRecord(
        release.id,
        release.version,
        str(release.phase),
        release.live or "-",
        round((ended - journal.started_at).total_seconds(), 1),
        journal.started_by,
        dict(journal.facts),
        journal.timeline,
    )


def findings_of(journal: Journal | None) -> Findings:
    """Every check of CHECKS; one whose step was not reached is inconclusive."""
    if journal is None:
        return Findings({name: [inconclusive(text, "there was no release yet")] for name, text in CHECKS.items()})
    found: dict[str, Sequence[Verdict]] = {name: _judged(journal, name, kind) for name, kind in _OF.items()}
    return Findings({**found, "promoted": [_promoted(journal)]})


def _judged(journal: Journal, name: str, kind: Kind) -> list[Verdict]:
    mine = [each for each in journal.judged if _is(each.step, kind)]
    verdicts = [from_dict(verdict) for each in mine for verdict in each.verdicts]
    if verdicts:
        return verdicts
    if kind is Kind.BACKUP and not journal.release.backed_up:
        return [passed(CHECKS[name], "the spec has no database")]
    return [inconclusive(CHECKS[name], f"not reached: the release is {journal.release.phase}")]


def _is(step: str, kind: Kind) -> bool:
    return step == str(kind) or (step.startswith(f"{kind} ") and not step.startswith(f"{kind} the old"))


def _promoted(journal: Journal) -> Verdict:
    release = journal.release
    claim = f"{release.version} is live for good"
    seconds = record_of(journal).seconds
    if release.phase is Phase.PROMOTED:
        return passed(claim, f"promoted after {seconds:g} s", seconds=seconds)
    if release.ended:
        return failed(claim, f"{release.phase}: {release.reason}", seconds=seconds)
    return inconclusive(claim, f"{release.phase}, at {_where(journal)}")


def _where(journal: Journal) -> str:
    return journal.timeline[-1].step if journal.timeline else "its beginning"


def timeline_table(timeline: Sequence[Moment]) -> str:
    """Markdown for the UI."""
    rows = [
        f"| {each.at:%H:%M:%S} | {each.step} | {each.event} | {_seconds(each)} | {_cell(each.said)} |"
        for each in timeline
    ]
    return "\n".join(["| UTC | step | what | s | said |", "|---|---|---|---|---|", *rows])


def _seconds(moment: Moment) -> str:
    return "" if moment.seconds is None else f"{moment.seconds:.1f}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")[:200]


def as_json(state: State, now: datetime) -> dict[str, Any]:
    """What `ecom release status --json` prints."""
    live = state.live
    content: dict[str, Any] = {
        "live": {"versions": live.definition.versions(), "since": f"{live.since:%Y-%m-%dT%H:%M:%SZ}", "by": live.by}
        if live
        else None,
        "release": None,
        "driver": state.lease.holder if state.lease else None,
        "asked": state.ask.kind if state.ask else None,
        "past": [each.model_dump(mode="json") for each in reversed(state.past)],
    }
    if journal := state.journal:
        release = journal.release
        content["release"] = {
            **summary(journal).model_dump(mode="json"),
            "step": _where(journal),
            "ended": release.ended,
            "colours": {"old": release.old, "new": release.new, "live": release.live},
            "contract": release.contract,
            "started_by": journal.started_by,
            "facts": dict(journal.facts),
            "timeline": [each.model_dump(mode="json") for each in journal.timeline],
        }
        if not release.ended:
            content["release"]["seconds"] = round((now - journal.started_at).total_seconds(), 1)
    return content
