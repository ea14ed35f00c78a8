"""The blue-green release as data: phases, steps, and how each event moves it. Pure: no I/O, no clock.

    FORWARD     backup, expand, deploy, prove, validate, load | cut over, confirm, watch
                every step passed                          -> PROMOTED
                one failed, was inconclusive, or abort     -> REVERTING (or REFUSED if nothing was touched)
    REVERTING   bring the old colour back, switch back (if the cut-over was begun), remove the new one -> REVERTED
    PROMOTED    retire the old colour; then it rests
                rollback asked  -> RETURNING               contract asked -> CONTRACTING
    RETURNING   bring the old colour back, prove, validate, switch back, remove the new one -> ROLLED_BACK
                one failed before the switch -> PROMOTED
    CONTRACTING retire the old colour, contract the schema -> PROMOTED

Write-ahead: `begin` is persisted before an effect and `passed` or `failed` after it. An effect that was begun
may have happened not at all, in part or whole; what undoes it is planned by what was begun.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ecom_platform.errors import RefusedError
from ecom_platform.platforms.protocol import Colour


class Phase(StrEnum):
    FORWARD = "forward"
    REVERTING = "reverting"
    PROMOTED = "promoted"
    RETURNING = "returning"
    CONTRACTING = "contracting"
    REVERTED = "reverted"
    ROLLED_BACK = "rolled back"
    REFUSED = "refused"


class Kind(StrEnum):
    """What an effect does. Each is idempotent."""

    BACKUP = "backup"
    """A verified snapshot of the database is inside its recovery point."""
    EXPAND = "expand"
    DEPLOY = "deploy"
    """The new version as the new colour, beside the live one."""
    PROVE = "prove"
    """The instances that answer at the preview are those that were deployed."""
    VALIDATE = "validate"
    LOAD = "load"
    CUT_OVER = "cut over"
    CONFIRM = "confirm"
    """After the cut-over: people are answered by the new instances alone, and lost nothing."""
    WATCH = "watch"
    RETIRE = "retire"
    """The old colour scaled to nothing."""
    BRING_BACK = "bring back"
    """The old colour as it was before the release, ready."""
    PROVE_OLD = "prove the old"
    VALIDATE_OLD = "validate the old"
    SWITCH_BACK = "switch back"
    REMOVE = "remove"
    """The new colour ended."""
    CONTRACT = "contract"


JUDGING = frozenset({Kind.BACKUP, Kind.PROVE, Kind.VALIDATE, Kind.LOAD, Kind.CONFIRM, Kind.WATCH})
"""Forward steps that look and judge. One that was interrupted is done again from its beginning."""


class _Data(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Step(_Data):
    """An effect. subject: a service or database; empty for the whole shop."""

    kind: Kind
    subject: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}".strip()


class Release(_Data):
    """Where a release stands.

    services: in the order of dependence, so that a service's callers come after it.
    backed_up, expanded, contracted: databases with something to do at that step.
    step: index in the phase's plan. begun: whether that step's effect was begun.
    touched: steps whose effect was ever begun. contract: whether the schema was or may have been contracted.
    reason: why it left its way; empty while all is well.
    """

    id: str
    version: str
    old: Colour
    new: Colour
    services: tuple[str, ...]
    backed_up: tuple[str, ...] = ()
    expanded: tuple[str, ...] = ()
    contracted: tuple[str, ...] = ()
    phase: Phase = Phase.FORWARD
    step: int = 0
    begun: bool = False
    touched: frozenset[str] = frozenset()
    contract: Literal["", "begun", "done"] = ""
    reason: str = ""

    @property
    def ended(self) -> bool:
        """Nothing is left to do, unless somebody asks."""
        return next_step(self) is None

    @property
    def promoted(self) -> bool:
        return self.phase in (Phase.PROMOTED, Phase.RETURNING, Phase.CONTRACTING)

    @property
    def live(self) -> Colour | None:
        """The colour that people are led to; None while that is being changed."""
        if self.phase in (Phase.REFUSED, Phase.REVERTED, Phase.ROLLED_BACK):
            return self.old
        if self.phase in (Phase.PROMOTED, Phase.CONTRACTING):
            return self.new
        if self.phase is Phase.RETURNING:
            return None if str(Step(kind=Kind.SWITCH_BACK)) in self.touched else self.new
        return None if str(Step(kind=Kind.CUT_OVER)) in self.touched else self.old


def plan(release: Release) -> tuple[Step, ...]:
    """The steps of the phase that the release is in."""
    services, turned = release.services, tuple(reversed(release.services))
    match release.phase:
        case Phase.FORWARD:
            return (
                *_each(Kind.BACKUP, release.backed_up),
                *_each(Kind.EXPAND, release.expanded),
                *_each(Kind.DEPLOY, services),
                *_each(Kind.PROVE, services),
                *_each(Kind.VALIDATE, services),
                *_each(Kind.LOAD),
                *_each(Kind.CUT_OVER),
                *_each(Kind.CONFIRM),
                *_each(Kind.WATCH),
            )
        case Phase.PROMOTED:
            return _each(Kind.RETIRE, turned)
        case Phase.REVERTING:
            # All or none: of a colour that is there in part, a caller may stand without its callee.
            begun = any(str(each) in release.touched for each in _each(Kind.DEPLOY, services))
            switched = str(Step(kind=Kind.CUT_OVER)) in release.touched
            back = (*_each(Kind.BRING_BACK, services), *_each(Kind.SWITCH_BACK)) if switched else ()
            return (*back, *_each(Kind.REMOVE, turned if begun else ()))
        case Phase.RETURNING:
            proofs = (*_each(Kind.PROVE_OLD, services), *_each(Kind.VALIDATE_OLD, services))
            back = (*_each(Kind.BRING_BACK, services), *proofs, *_each(Kind.SWITCH_BACK))
            return (*back, *_each(Kind.REMOVE, turned))
        case Phase.CONTRACTING:
            return (*_each(Kind.RETIRE, turned), *_each(Kind.CONTRACT, release.contracted))
        case _:
            return ()


def _each(kind: Kind, subjects: Sequence[str] = ("",)) -> tuple[Step, ...]:
    return tuple(Step(kind=kind, subject=each) for each in subjects)


def next_step(release: Release) -> Step | None:
    """The effect that is due, again if it was begun and not settled; None when the release rests."""
    steps = plan(release)
    return steps[release.step] if release.step < len(steps) else None


def begin(release: Release) -> Release:
    """To be persisted before the effect of next_step() is carried out."""
    step = _due(release)
    contract = "begun" if step.kind is Kind.CONTRACT else release.contract
    touched = release.touched | {str(step)}
    return release.model_copy(update={"begun": True, "touched": touched, "contract": contract})


def passed(release: Release) -> Release:
    """The effect of next_step() was carried out, and what it judges was found good."""
    _due(release, begun=True)
    moved = release.model_copy(update={"step": release.step + 1, "begun": False})
    return _arrived(moved) if next_step(moved) is None else moved


def failed(release: Release, why: str) -> Release:
    """The effect failed, or what it judges was not found good: an inconclusive judgement is not a good one."""
    step = _due(release, begun=True)
    match release.phase:
        case Phase.FORWARD:
            return _turned(release, f"{step}: {why}")
        case Phase.RETURNING if str(Step(kind=Kind.SWITCH_BACK)) not in release.touched:
            return _to(release, Phase.PROMOTED, f"no rollback: {step}: {why}")
        case Phase.CONTRACTING:
            return _to(release, Phase.PROMOTED, f"not contracted: {step}: {why}")
        case _:
            # There is no other way to go: what remains is to try again.
            return release.model_copy(update={"begun": False, "reason": f"{step}: {why}"})


def turn_back(release: Release, why: str) -> Release:
    """Abort, for a person or for a newer version. Raises RefusedError when the release is past that."""
    if release.phase is Phase.FORWARD:
        return _turned(release, why)
    if release.phase is Phase.REVERTING:
        return release
    if release.promoted:
        raise RefusedError(
            f"abort the release of {release.version}", "it is promoted already", "Use `ecom release rollback`."
        )
    raise RefusedError(f"abort the release of {release.version}", f"it is {release.phase} already")


def roll_back(release: Release) -> Release:
    """Lead people back to the version before. Raises RefusedError with the reason when that cannot be."""
    tried = f"roll {release.version} back"
    if release.contract:
        raise RefusedError(
            tried,
            f"the contract migration {'was applied' if release.contract == 'done' else 'was begun'}: "
            "the version before cannot work with this schema",
            "Release a version that mends the fault, or restore a backup.",
        )
    if release.phase is Phase.FORWARD:
        raise RefusedError(tried, "its release is under way", "Use `ecom release abort`.")
    if release.phase is Phase.RETURNING:
        return release
    if release.phase is not Phase.PROMOTED:
        raise RefusedError(tried, f"its release is {release.phase}", "There is nothing to roll back.")
    undone = str(Step(kind=Kind.SWITCH_BACK))
    return _to(release.model_copy(update={"touched": release.touched - {undone}}), Phase.RETURNING, "")


def contract(release: Release) -> Release:
    """Take away what only the old version needs. Raises RefusedError with the reason when that cannot be."""
    tried = f"contract the schema for {release.version}"
    if release.phase is Phase.CONTRACTING:
        return release
    if release.phase is not Phase.PROMOTED:
        raise RefusedError(tried, f"its release is {release.phase}", "Only a promoted release may contract.")
    if release.contract == "done":
        raise RefusedError(tried, "it is contracted already")
    if not release.contracted:
        raise RefusedError(tried, "no database of the spec has a `contract` task")
    return _to(release, Phase.CONTRACTING, "")


def _due(release: Release, *, begun: bool = False) -> Step:
    step = next_step(release)
    if step is None or (begun and not release.begun):
        raise RefusedError(f"go on with the release of {release.version}", f"nothing was begun while {release.phase}")
    return step


def _turned(release: Release, why: str) -> Release:
    """On the way back. A release that touched nothing has nowhere to go back from."""
    changing = {str(each) for each in plan(release) if each.kind not in JUDGING}
    if not changing & release.touched:
        return _to(release, Phase.REFUSED, why)
    moved = _to(release, Phase.REVERTING, why)
    return _arrived(moved) if next_step(moved) is None else moved


def _to(release: Release, phase: Phase, why: str) -> Release:
    return release.model_copy(update={"phase": phase, "step": 0, "begun": False, "reason": why})


def _arrived(release: Release) -> Release:
    """The phase's plan is done."""
    match release.phase:
        case Phase.FORWARD:
            return _to(release, Phase.PROMOTED, "")
        case Phase.REVERTING:
            return _to(release, Phase.REVERTED, release.reason)
        case Phase.RETURNING:
            return _to(release, Phase.ROLLED_BACK, release.reason)
        case Phase.CONTRACTING:
            retired = len(release.services)
            return release.model_copy(
                update={"phase": Phase.PROMOTED, "step": retired, "begun": False, "contract": "done", "reason": ""}
            )
        case _:
            return release
