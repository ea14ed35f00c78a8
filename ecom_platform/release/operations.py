"""What people ask of releases: start, go on, abort, roll back, contract. Each returns when the release rests.

Not here: how a release is driven (driver.py), and how any of this is shown.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from ecom_platform.errors import BusyError, ConfigurationError, DeadlineExceeded, PermanentError, RefusedError
from ecom_platform.platforms.protocol import Colour, Document, Platform
from ecom_platform.release import machine, versions
from ecom_platform.release.driver import Actions, Driver, answered
from ecom_platform.release.effects import Effects
from ecom_platform.release.lease import Held, leased, why_held, written
from ecom_platform.release.machine import Phase, Release
from ecom_platform.release.state import (
    DOCUMENT,
    Ask,
    Definition,
    Journal,
    Live,
    Moment,
    State,
    filed,
    noted,
    parsed,
)
from ecom_platform.release.versions import Wanted
from ecom_platform.spec import Service, Shop

ASKED_SECONDS = 900.0
"""How long an abort waits for the driver that it asked: its step may be a deployment, then it goes back."""
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Operator:
    """Somebody who operates the releases of a shop. who: as the state shall name them.

    actions: instead of the platform's own, for tests. to: the namespace that the shop moves to (migration.py).
    """

    platform: Platform
    shop: Shop
    who: str
    progress: Callable[[str], None]
    actions: Actions | None = None
    to: str = ""

    @property
    def document(self) -> Document:
        return self.platform.shared_document(DOCUMENT)

    def read(self) -> State:
        return parsed(self.document.read()[0])

    def start(self, asked: Wanted) -> Journal:
        """Release that version, or go on with its release where the driver died.

        A release of another version gives way to a newer one. Raises BusyError with who and since when for
        the same or an older one while somebody drives, ConfigurationError, RefusedError.
        """
        wanted = asked.definition
        self.make_way(wanted, ask=True)
        with leased(self.document, self.who) as held:
            state = self._mine(held.read())
            if state.unfinished and state.journal is not None:
                self.progress(f"finds the release of {state.journal.release.version} unfinished")
                if state.journal.after == wanted and state.journal.release.phase is Phase.FORWARD:
                    return self._drive(held)
                why = f"superseded by {versions.label(wanted)}"
                held.write(lambda now: answered(now, self._ask("supersede", why)))
                self._drive(held)
            journal = self._new(held.read(), asked)
            held.write(lambda now: _begun(now, journal))
            return self._drive(held)

    def resume(self) -> Journal:
        """Go on with a release that nobody drives. Raises RefusedError if there is none, BusyError."""
        with leased(self.document, self.who) as held:
            state = self._mine(held.read())
            if not state.unfinished:
                raise RefusedError("go on with a release", "none is unfinished", "See `ecom release status`.")
            return self._drive(held)

    def abort(self, why: str = "a person asked for it") -> Journal:
        """Turn the release back, by the one who drives it or, if nobody does, by this process."""
        state = self._mine(self.read())
        if state.journal is None or not state.unfinished:
            raise RefusedError("abort a release", "none is under way", "See `ecom release status`.")
        if state.journal.release.promoted:
            machine.turn_back(state.journal.release, why)
        if state.lease is not None and why_held(state.lease, datetime.now(UTC)):
            return self._ask_and_wait(self._ask("abort", why))
        with leased(self.document, self.who) as held:
            held.write(lambda now: answered(now, self._ask("abort", why)))
            return self._drive(held)

    def roll_back(self) -> Journal:
        """Lead people back to the version before the newest release."""
        return self._turned("roll back", machine.roll_back)

    def contract(self) -> Journal:
        """Apply the contract migrations of the newest release; afterwards there is no way back."""
        return self._turned("contract", machine.contract)

    def _turned(self, what: str, turn: Callable[[Release], Release]) -> Journal:
        journal = self._mine(self.read()).journal
        if journal is None:
            raise RefusedError(f"{what} a release", "the shop never had one", "See `ecom release start --help`.")
        with leased(self.document, self.who) as held:

            def change(state: State) -> State:
                assert state.journal is not None
                moment = Moment(at=datetime.now(UTC), step="-", event=what, said=f"asked by {self.who}")
                after = state.journal.model_copy(update={"release": turn(state.journal.release)})
                return state.model_copy(update={"journal": noted(after, moment)})

            held.write(change)
            return self._drive(held)

    def came_about(self, action: str, journal: Journal) -> Journal:
        """The journal, if what was asked for is what came of it; else raises PermanentError."""
        release = journal.release
        wanted = {
            "start": release.phase is Phase.PROMOTED,
            "abort": release.phase in (Phase.REVERTED, Phase.REFUSED),
            "rollback": release.phase is Phase.ROLLED_BACK,
            "contract": release.phase is Phase.PROMOTED and release.contract == "done",
            "finish": release.phase is Phase.PROMOTED and release.contract == "done",
        }
        if not wanted.get(action, True):
            raise PermanentError(
                f"{action} {release.version}", f"it is {release.phase}: {release.reason}", "See `ecom release status`."
            )
        return journal

    def _drive(self, held: Held) -> Journal:
        return Driver(held, self._actions(), self.progress).drive()

    def _actions(self) -> Actions:
        return self.actions or Effects(self.platform, self.shop, self.progress)

    def _mine(self, state: State) -> State:
        """Raises RefusedError for a migration in a release's hands, and the other way round."""
        journal = state.journal
        if journal is None or journal.to == self.to:
            return state
        if not state.unfinished and not (journal.to and journal.release.promoted):
            return state
        moves = "has moved" if journal.release.promoted else "moves"
        seen = f"the shop {moves} to the namespace {journal.to}" if journal.to else "a version is being released"
        verb = "migrate" if journal.to else "release"
        told = f"See `ecom {verb} status` with the spec that it began with."
        raise RefusedError(f"change the releases of {self.shop.shop}", seen, told)

    def make_way(self, wanted: Definition, *, ask: bool) -> None:
        """Raises BusyError while a release is driven that need not give way to this version; one that must is
        asked to, and waited for.
        """
        state = self.read()
        if state.journal is None or state.lease is None or not why_held(state.lease, datetime.now(UTC)):
            return
        running = state.journal
        newer = versions.is_newer(wanted, running.after)
        if state.unfinished and running.release.phase in (Phase.FORWARD, Phase.REVERTING) and newer:
            self.progress(f"{running.release.version} gives way to {versions.label(wanted)}")
            if ask:
                self._ask_and_wait(self._ask("supersede", f"superseded by {versions.label(wanted)}"))
            return
        raise BusyError(
            f"release {versions.label(wanted)}",
            f"{running.release.version} is being released by {why_held(state.lease, datetime.now(UTC))}",
            "Follow it with `ecom release status`; `ecom release abort` turns it back; only a newer version "
            "takes its place.",
        )

    def _ask(self, kind: str, why: str) -> Ask:
        return Ask(kind="abort" if kind == "abort" else "supersede", by=self.who, at=datetime.now(UTC), why=why)

    def _ask_and_wait(self, ask: Ask) -> Journal:
        """Leave word for the driver, and wait until the release rests and nobody drives."""
        state = written(self.document, lambda now: now.model_copy(update={"ask": ask}) if now.lease else now)
        deadline = time.monotonic() + ASKED_SECONDS
        while state.lease is not None and why_held(state.lease, datetime.now(UTC)):
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"{ask.kind} a release", f"its driver goes on: {state.lease.holder}")
            time.sleep(POLL_SECONDS)
            state = self.read()
        assert state.journal is not None
        return self.abort(ask.why) if state.unfinished and not state.journal.release.promoted else state.journal

    def _new(self, state: State, asked: Wanted) -> Journal:
        wanted = asked.definition
        old = self._live_colour(wanted)
        before = self._before(state, old, wanted)
        missing = {each.name for each in before.services} ^ {each.name for each in wanted.services}
        if missing:
            raise RefusedError(
                f"release {versions.label(wanted)}",
                f"{', '.join(sorted(missing))}: a service that only one of the two versions has",
                "Deploy a new service with `ecom launch deploy` first.",
            )
        now = datetime.now(UTC)
        tasks = wanted.tasks
        release = Release(
            id=f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}",
            version=versions.label(wanted),
            old=old,
            new="green" if old == "blue" else "blue",
            services=versions.in_order(self.shop.model_copy(update={"services": wanted.services})),
            backed_up=tuple(each.name for each in self.shop.databases),
            expanded=tuple(name for name, each in tasks.items() if each.expand),
            contracted=tuple(name for name, each in tasks.items() if each.contract),
        )
        return self._begun_as(
            Journal(
                release=release,
                before=before,
                after=wanted,
                spec=asked.said,
                started_at=now,
                started_by=self.who,
            )
        )

    def _before(self, state: State, old: Colour, wanted: Definition) -> Definition:
        """What is live. Raises RefusedError if that is what is wanted."""
        before = state.live.definition if state.live is not None else self._from_instances(old)
        if before == wanted:
            raise RefusedError(
                f"release {versions.label(wanted)}", "it is live already", "Change the spec, or name a --version."
            )
        return before

    def _begun_as(self, journal: Journal) -> Journal:
        return journal

    def _live_colour(self, wanted: Definition) -> Colour:
        colours = {each.name: self.platform.live_colour(each) for each in wanted.services}
        seen = set(colours.values())
        tried = f"release {versions.label(wanted)}"
        if not colours or seen <= {None}:
            raise ConfigurationError(tried, "nothing is live yet", "Bring the shop up, or run `ecom launch deploy`.")
        if None in seen or len(seen) > 1:
            told = ", ".join(f"{name} {colour}" for name, colour in colours.items())
            raise RefusedError(tried, f"the services are not of one colour: {told}", "Run `ecom launch deploy`.")
        return next(each for each in seen if each is not None)

    def _from_instances(self, colour: Colour) -> Definition:
        """What runs, where nobody has written it down: the spec's services, if their instances say the same."""
        for service in self.shop.services:
            running = {each.version for each in self.platform.instances(service, colour)}
            if running != {service.version}:
                raise RefusedError(
                    "find out what is live",
                    f"{service.name} runs as {sorted(running) or 'nothing'}, the spec says {service.version}",
                    "Run `ecom launch deploy` with the spec of what runs, once.",
                )
        return versions.of_spec(self.shop)


def _begun(state: State, journal: Journal) -> State:
    """The journal in place of the one before. From now on the spec's version waits for this release's outcome."""
    live = Live(definition=journal.before, spec=journal.spec, since=journal.started_at, by="the version before")
    live = live if state.live is None else live.model_copy(update={"since": state.live.since, "by": state.live.by})
    return state.model_copy(update={"journal": journal, "live": live, "past": filed(state)})


def as_released(platform: Platform, shop: Shop) -> Shop:
    """The shop as it is to run now; see versions.as_released."""
    return versions.as_released(shop, parsed(platform.shared_document(DOCUMENT).read()[0]))


def note_deployed(platform: Platform, shop: Shop, service: Service) -> None:
    """Remember what a deployment made live; a release that is under way keeps its own book."""
    spec = shop.service(service.name)

    def change(state: State) -> State:
        if state.unfinished:
            return state
        known = state.live.definition.services if state.live else ()
        services = (*(each for each in known if each.name != service.name), service)
        ordered = tuple(each for name in (s.name for s in shop.services) for each in services if each.name == name)
        definition = Definition(services=ordered, tasks={each.name: each.tasks for each in shop.databases})
        said = {**(state.live.spec if state.live else {}), service.name: (spec.version, spec.image)}
        if state.live and state.live.definition == definition and state.live.spec == said:
            return state
        live = Live(definition=definition, spec=said, since=datetime.now(UTC), by="deploy")
        return state.model_copy(update={"live": live})

    written(platform.shared_document(DOCUMENT), change)
