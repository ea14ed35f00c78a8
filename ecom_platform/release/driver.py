"""Drives a release from step to step until it rests: persists, acts, persists; and goes on where another died.

Not here: what may follow what (machine.py), what a step does (effects.py), who may drive (lease.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from ecom_platform.errors import EcomError, TransientError
from ecom_platform.release import machine
from ecom_platform.release.lease import Held
from ecom_platform.release.machine import Kind, Phase, Step
from ecom_platform.release.state import Ask, Journal, Judged, Live, Moment, State, noted
from ecom_platform.verdicts import Outcome, Verdict, worst

ATTEMPTS = 3
"""Of a step whose API did not answer, or answered late: each step may be carried out again."""
PAUSE_SECONDS = 1.0
WAY_BACK_ATTEMPTS = 10
"""Of a step on the way back: there is no other way to go, and people wait on the new version meanwhile."""

BACK = frozenset({Phase.REVERTING, Phase.RETURNING, Phase.PROMOTED, Phase.CONTRACTING})


@dataclass(frozen=True)
class Seen:
    """What a step saw. verdicts: what it judged; a step that only acts has none. facts: figures by name."""

    verdicts: Sequence[Verdict] = ()
    facts: Mapping[str, float] = field(default_factory=dict)
    said: str = ""


class Actions(Protocol):
    """Carries steps out. Each may be carried out again after an interruption at any point."""

    def perform(self, step: Step, journal: Journal, interrupted: Callable[[], bool]) -> Seen:
        """Raises EcomError. interrupted: true when somebody asks to end; long steps look at it."""


class Interrupted(TransientError):
    """A step ended early because somebody asked for it; that is no judgement."""


class Driver:
    """Drives the release in the document while its lease is held."""

    def __init__(
        self,
        held: Held,
        actions: Actions,
        progress: Callable[[str], None],
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._held = held
        self._actions = actions
        self._progress = progress
        self._pause = pause

    def drive(self) -> Journal:
        """Until the release rests. Raises the error of a step on the way back that does not succeed; what
        was done is kept, and the next drive goes on there.
        """
        while True:
            state = self._answer(self._held.read())
            journal = _journal(state)
            step = machine.next_step(journal.release)
            if step is None:
                return _journal(self._held.write(_rested))
            self._settle(step, self._begin(step))

    def _answer(self, state: State) -> State:
        """Do what somebody asks, as far as the release may still do it."""
        if state.ask is None:
            return state
        ask = state.ask
        self._progress(f"{ask.kind} asked by {ask.by}: {ask.why}")
        state = self._held.write(lambda now: answered(now, ask))
        self._held.asked.clear()
        return state

    def _begin(self, step: Step) -> Journal:
        def change(state: State) -> State:
            journal = _journal(state)
            again = "again" if journal.release.begun else ""
            journal = journal.model_copy(update={"release": machine.begin(journal.release)})
            return _with(state, noted(journal, _moment(step, "begun", again)))

        return _journal(self._held.write(change))

    def _settle(self, step: Step, journal: Journal) -> None:
        self._progress(str(step))
        began = time.monotonic()
        try:
            seen = self._attempted(step, journal)
        except Interrupted as error:
            self._interrupted(step, error, time.monotonic() - began)
            return
        except EcomError as error:
            self._failed(step, str(error), Outcome.FAILED, Seen(), time.monotonic() - began)
            if journal.release.phase in BACK and _journal(self._held.read()).release.phase is journal.release.phase:
                raise
            return
        seconds = time.monotonic() - began
        outcome = _outcome(step, seen)
        if outcome is Outcome.PASSED:
            self._passed(step, seen, seconds)
        else:
            bad = [str(each) for each in seen.verdicts if each.outcome is not Outcome.PASSED]
            self._failed(step, "; ".join(bad[:3]) or "nothing was measured", outcome, seen, seconds)

    def _attempted(self, step: Step, journal: Journal) -> Seen:
        """With further attempts where an API did not answer."""
        most = WAY_BACK_ATTEMPTS if journal.release.phase in BACK else ATTEMPTS
        for attempt in range(1, most + 1):
            try:
                return self._actions.perform(step, journal, self._held.asked.is_set)
            except Interrupted:
                raise
            except TransientError as error:
                if attempt == most:
                    raise
                self._progress(f"{step}, again after: {error}")
                self._note(_moment(step, "again", str(error)))
                self._pause(min(PAUSE_SECONDS * attempt, 5.0))
        raise AssertionError("unreachable")

    def _passed(self, step: Step, seen: Seen, seconds: float) -> None:
        def change(state: State) -> State:
            journal = _kept(_journal(state), step, seen)
            release = machine.passed(journal.release)
            journal = noted(
                journal.model_copy(update={"release": release}), _moment(step, "passed", seen.said, seconds)
            )
            return _with(_made_live(state, journal), journal)

        self._held.write(change)

    def _failed(self, step: Step, why: str, outcome: Outcome, seen: Seen, seconds: float) -> None:
        def change(state: State) -> State:
            journal = _kept(_journal(state), step, seen)
            release = machine.failed(journal.release, why)
            journal = journal.model_copy(update={"release": release})
            journal = noted(journal, _moment(step, outcome.value, why, seconds))
            return _with(_made_live(state, journal), journal)

        self._progress(f"{step} {outcome}: {why}")
        self._held.write(change)

    def _interrupted(self, step: Step, error: Interrupted, seconds: float) -> None:
        self._note(_moment(step, "interrupted", error.seen, seconds))

    def _note(self, moment: Moment) -> None:
        self._held.write(lambda state: _with(state, noted(_journal(state), moment)))


def _outcome(step: Step, seen: Seen) -> Outcome:
    """A step that judges needs verdicts; one that acts has passed when it returned."""
    judging = step.kind in machine.JUDGING or step.kind in (Kind.PROVE_OLD, Kind.VALIDATE_OLD)
    return worst(seen.verdicts) if judging or seen.verdicts else Outcome.PASSED


def answered(state: State, ask: Ask) -> State:
    """The release turned back, where it still can be; else only a line that says so."""
    journal = _journal(state)
    why = f"{ask.kind}: {ask.why} ({ask.by})"
    if journal.release.phase is Phase.FORWARD:
        release = machine.turn_back(journal.release, why)
        journal = journal.model_copy(update={"release": release})
    journal = noted(journal, Moment(at=datetime.now(UTC), step="-", event=ask.kind, said=why))
    return _with(state, journal).model_copy(update={"ask": None})


def _journal(state: State) -> Journal:
    assert state.journal is not None, "a driver has a release"
    return state.journal


def _with(state: State, journal: Journal) -> State:
    return state.model_copy(update={"journal": journal})


def _moment(step: Step, event: str, said: str = "", seconds: float | None = None) -> Moment:
    spent = round(seconds, 3) if seconds is not None else None
    return Moment(at=datetime.now(UTC), step=str(step), event=event, said=said, seconds=spent)


def _kept(journal: Journal, step: Step, seen: Seen) -> Journal:
    """The verdicts of a step in place of those of an earlier attempt, and its figures."""
    others = tuple(each for each in journal.judged if each.step != str(step))
    found = (Judged(step=str(step), verdicts=tuple(each.as_dict() for each in seen.verdicts)),) if seen.verdicts else ()
    return journal.model_copy(update={"judged": (*others, *found), "facts": {**journal.facts, **seen.facts}})


def _made_live(state: State, journal: Journal) -> State:
    """In the same write as the phase: what is live now, where that has just been decided."""
    match _journal(state).release.phase, journal.release.phase:
        case Phase.FORWARD, Phase.PROMOTED:
            made = journal.after
        case Phase.RETURNING, Phase.ROLLED_BACK:
            made = journal.before
        case _:
            return state
    by = f"release {journal.release.id}"
    live = Live(definition=made, spec=journal.spec, since=datetime.now(UTC), by=by)
    return state.model_copy(update={"live": live})


def _rested(state: State) -> State:
    journal = _journal(state)
    if journal.ended_at is not None and journal.timeline and journal.ended_at >= journal.timeline[-1].at:
        return state
    return _with(state, journal.model_copy(update={"ended_at": datetime.now(UTC)}))
