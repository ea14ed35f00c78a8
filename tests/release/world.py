"""A shop that exists only as numbers, for properties over the machine and its driver: instances, switches, schema.

It looks at its own laws after every effect, and an effect goes wrong as the test says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ecom_platform.errors import CommandFailed, RefusedError, UnreachableError
from ecom_platform.platforms.protocol import Colour, Conflict
from ecom_platform.release.driver import Seen
from ecom_platform.release.lease import written
from ecom_platform.release.machine import JUDGING, Kind, Phase, Step
from ecom_platform.release.state import Ask, Journal, State, parsed
from ecom_platform.verdicts import failed, inconclusive, passed

SERVICES = ("backend", "frontend")


class Killed(BaseException):
    """The driver's process is gone, as after kill -9."""


@dataclass
class Memory:
    """A document in memory. faults: what happens to the writes to come."""

    text: str = ""
    faults: Iterator[str] = field(default_factory=lambda: iter(()))

    def read(self) -> tuple[str, str]:
        return self.text, hashlib.sha256(self.text.encode()).hexdigest() if self.text else ""

    def write(self, text: str, revision: str) -> str:
        fault = next(self.faults, "ok")
        if fault == "killed before":
            raise Killed
        if fault == "never":
            raise UnreachableError("write", "no answer")
        if self.read()[1] != revision:
            raise Conflict("write", "somebody else wrote")
        self.text = text
        if fault == "killed after":
            raise Killed
        if fault == "late":
            raise UnreachableError("write", "the answer was lost")
        return self.read()[1]

    @property
    def state(self) -> State:
        return parsed(self.text)


@dataclass
class World:
    """What there is. contracted: the schema, which the version before cannot use any more."""

    document: Memory = field(default_factory=Memory)
    instances: dict[tuple[str, Colour], int] = field(default_factory=dict)
    versions: dict[tuple[str, Colour], str] = field(default_factory=dict)
    active: dict[str, Colour] = field(default_factory=dict)
    needs: dict[str, int] = field(default_factory=dict)
    schema: int = 0
    faults: Iterator[str] = field(default_factory=lambda: iter(()))
    outcomes: dict[str, str] = field(default_factory=dict)

    def perform(self, step: Step, journal: Journal, interrupted: Callable[[], bool]) -> Seen:
        fault = next(self.faults, "ok")
        if fault == "killed before":
            raise Killed
        if fault == "never":
            raise UnreachableError(str(step), "no answer")
        if fault == "refused":
            raise CommandFailed(str(step), "it cannot be")
        if fault == "abort":
            word = Ask(kind="abort", by="somebody", at=datetime.now(UTC), why="while it is at work")
            written(self.document, lambda now: now.model_copy(update={"ask": word}))
        if step.kind in JUDGING or step.kind in (Kind.PROVE_OLD, Kind.VALIDATE_OLD):
            return self._judge(step, fault)
        try:
            self._act(step, journal, partly=fault == "partly")
        finally:
            self.look(journal)
        if fault == "twice":
            self._act(step, journal, partly=False)
        self.look(journal)
        if fault in ("killed after", "partly"):
            raise Killed
        if fault == "late":
            raise UnreachableError(str(step), "the answer was lost")
        return Seen()

    def _judge(self, step: Step, fault: str) -> Seen:
        if fault in ("killed after", "partly"):
            raise Killed
        judge = {"failed": failed, "inconclusive": inconclusive}.get(fault, passed)
        self.outcomes[str(step)] = fault if fault in ("failed", "inconclusive") else "passed"
        return Seen([] if fault == "nothing" else [judge(str(step), fault)])

    def _act(self, step: Step, journal: Journal, *, partly: bool) -> None:
        release, name = journal.release, step.subject
        match step.kind:
            case Kind.DEPLOY:
                self._refuse_live(name, release.new)
                self._run(name, release.new, journal.after.service(name).version)
            case Kind.BRING_BACK:
                self._run(name, release.old, journal.before.service(name).version)
            case Kind.CUT_OVER | Kind.SWITCH_BACK:
                to = release.new if step.kind is Kind.CUT_OVER else release.old
                for each in release.services[: 1 if partly else None]:
                    if not self.instances.get((each, to)):
                        raise RefusedError(str(step), "no running instance")
                    self.active[each] = to
            case Kind.RETIRE | Kind.REMOVE:
                colour = release.old if step.kind is Kind.RETIRE else release.new
                self._refuse_live(name, colour)
                self.instances[name, colour] = 0
            case Kind.CONTRACT:
                self.schema = self.needs[journal.after.service("backend").version]
            case _:
                return

    def _run(self, name: str, colour: Colour, version: str) -> None:
        self.instances[name, colour], self.versions[name, colour] = 1, version

    def _refuse_live(self, name: str, colour: Colour) -> None:
        if self.active.get(name) == colour:
            raise RefusedError(f"change {name} {colour}", "it is live")

    def look(self, journal: Journal) -> None:
        """The laws."""
        for name, colour in self.active.items():
            assert self.instances.get((name, colour), 0) > 0, f"nobody answers for {name}"
        for (name, colour), count in self.instances.items():
            if count:
                version = self.versions[name, colour]
                assert self.needs[version] >= self.schema, f"{name} {version} writes to a schema that it cannot use"
        if journal.release.phase is Phase.PROMOTED:
            self.look_promoted(journal)

    def look_promoted(self, journal: Journal) -> None:
        for step in ("prove backend", "validate frontend", "load", "confirm", "watch"):
            assert self.outcomes.get(step) == "passed", f"promoted without {step}: {self.outcomes.get(step)}"
