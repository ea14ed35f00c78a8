"""What is kept of a shop's releases: the newest one with its timeline, what is live, who works on it.

Only data, and its text in the document. release/machine.py says what may follow what.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from ecom_platform.errors import PermanentError
from ecom_platform.platforms.protocol import Platform
from ecom_platform.release.machine import Phase, Release
from ecom_platform.spec import Service, Tasks

DOCUMENT = "release"
FORMAT = 1
TIMELINE = 200
"""Entries kept of one release; a release has about forty."""
SUMMARIES = 20
_SAID = 600


class _Kept(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Moment(_Kept):
    """A line of the timeline. event: begun, passed, failed, inconclusive, or what somebody asked for."""

    at: AwareDatetime
    step: str
    event: str
    said: str = ""
    seconds: float | None = None


class Judged(_Kept):
    """The verdicts of one step, as dictionaries (verdicts.py)."""

    step: str
    verdicts: tuple[Mapping[str, Any], ...]


class Definition(_Kept):
    """A version of the shop: its services, and what its databases' tasks are. Secrets are references."""

    services: tuple[Service, ...]
    tasks: Mapping[str, Tasks] = {}

    def service(self, name: str) -> Service:
        return next(each for each in self.services if each.name == name)

    def versions(self) -> dict[str, str]:
        return {each.name: each.version for each in self.services}


class Journal(_Kept):
    """One release: where it stands, from what to what, and what happened. spec: as in Live.

    to: the namespace that the shop moves to by it; empty for a release in its place.
    """

    release: Release
    before: Definition
    after: Definition
    spec: Mapping[str, tuple[str, str]]
    started_at: AwareDatetime
    started_by: str
    to: str = ""
    ended_at: AwareDatetime | None = None
    timeline: tuple[Moment, ...] = ()
    judged: tuple[Judged, ...] = ()
    facts: Mapping[str, float] = {}


class Live(_Kept):
    """What a deployment or a release last made live. spec: what the spec said of each service's version and
    image then; an edit of it is newer than this.
    """

    definition: Definition
    spec: Mapping[str, tuple[str, str]]
    since: AwareDatetime
    by: str


class Lease(_Kept):
    """Who drives the release. started: of the process, so that a number that was used again is another one."""

    token: str
    holder: str
    host: str
    pid: int
    started: float
    since: AwareDatetime
    renewed: AwareDatetime


class Ask(_Kept):
    """What somebody wants of the one who drives."""

    kind: Literal["abort", "supersede"]
    by: str
    at: AwareDatetime
    why: str


class Summary(_Kept):
    """A release that a newer one has replaced in the document."""

    id: str
    version: str
    phase: Phase
    started_at: AwareDatetime
    ended_at: AwareDatetime | None
    reason: str = ""


class State(_Kept):
    """The whole document. revision: counts its writes, so that no text comes twice."""

    format: Literal[1] = 1
    revision: int = 0
    live: Live | None = None
    journal: Journal | None = None
    lease: Lease | None = None
    ask: Ask | None = None
    past: tuple[Summary, ...] = ()

    @property
    def unfinished(self) -> bool:
        return self.journal is not None and not self.journal.release.ended


def parsed(text: str) -> State:
    """Raises PermanentError for a text that this version cannot read."""
    try:
        return State.model_validate_json(text) if text else State()
    except ValidationError as error:
        raise PermanentError(
            "read the state of releases",
            f"it is not of format {FORMAT}: {str(error)[:300]}",
            "A newer version of this program may have written it; use that one.",
        ) from error


def read_state(platform: Platform) -> State:
    """The truth about the shop's releases; a shop that had none has an empty one."""
    return parsed(platform.shared_document(DOCUMENT).read()[0])


def noted(journal: Journal, moment: Moment) -> Journal:
    short = moment.model_copy(update={"said": moment.said[:_SAID]})
    return journal.model_copy(update={"timeline": (*journal.timeline, short)[-TIMELINE:]})


def summary(journal: Journal) -> Summary:
    release = journal.release
    return Summary(
        id=release.id,
        version=release.version,
        phase=release.phase,
        started_at=journal.started_at,
        ended_at=journal.ended_at,
        reason=release.reason[:_SAID],
    )


def filed(state: State) -> tuple[Summary, ...]:
    """The past with the newest release in it."""
    return (*state.past, *((summary(state.journal),) if state.journal else ()))[-SUMMARIES:]


def age_seconds(at: datetime, now: datetime) -> float:
    return (now - at).total_seconds()
