"""The users of one worker process: each arrival gets the first that is free, in the order of arrival.

Locust's User and its request event are the frame, so that anything that listens to Locust hears every
request; what is ours is that arrivals wait in a line whose clock runs from the intended start.
Only worker processes import this: importing locust replaces blocking calls of the standard library.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Any

import gevent
from locust import User
from locust.env import Environment

from ecom_platform.load.connections import Address, Broken, Connection
from ecom_platform.load.plan import OUR_LIMIT
from ecom_platform.load.recorder import TIMEOUT, Recorder
from ecom_platform.load.scenarios import Answer, NewJourney, Request, Visitor, WrongAnswer

MOST_OPENING = 64
"""Connections that are being opened at the same time. A target whose backlog is full drops the rest,
and the kernel tries again only after one second, three, seven: arrivals do not wait for those, they
take the next connection that is free."""
QUIET_SECONDS = 0.05
"""A target that has answered nobody for so long (or five times the pause between arrivals) stands still.
More connections would only fill its backlog and be served out of turn when it goes on; the arrivals
wait in line instead, with their clocks running."""
SWEEP_SECONDS = 0.02  # how often the line is searched for arrivals whose time is over


class OpenLoopUser(User):
    """A Locust user with one connection, who serves one arrival at a time."""

    abstract = True

    def __init__(self, environment: Environment, address: Address) -> None:
        super().__init__(environment)
        self.connection = Connection(address)


@dataclass(slots=True)
class _Tally:
    """Listens to Locust's request event and counts."""

    recorder: Recorder

    def __call__(self, *, name: str, exception: Exception | None, context: dict[str, Any], **_more: object) -> None:
        intended, sent, now = context["intended"], context["sent"], context["ended"]
        if exception is None:
            self.recorder.answered(name, intended, sent, now)
            return
        kind = getattr(exception, "kind", "unreachable")
        self.recorder.went_wrong(name, kind, str(exception), intended=intended, sent=sent, now=now)


class Crew:
    """All users and visitors of the process, and the line of arrivals that wait for a user."""

    def __init__(
        self,
        address: Address,
        new_journey: NewJourney,
        recorder: Recorder,
        *,
        rate: float,
        visitors: int,
        users: int,
        patience: float,
    ) -> None:
        self._environment = Environment(user_classes=[OpenLoopUser])
        self._environment.events.request.add_listener(_Tally(recorder))  # type: ignore[no-untyped-call]  # not typed
        self._address = address
        self._recorder = recorder
        self._patience = patience
        self._new_journey = new_journey
        self._most_users = users
        self._idle: list[OpenLoopUser] = []
        self._line: deque[float] = deque()
        self._most_visitors = visitors
        self._visitors = deque(Visitor(new_journey) for _ in range(visitors))
        self._users = 0
        self._opening = 0
        self._quiet = max(QUIET_SECONDS, 5 / rate)
        self._last_answer: float | None = None

    def prepare(self, users: int) -> None:
        """Open some connections before the clock starts; a target that cannot be reached is met later."""
        found = [OpenLoopUser(self._environment, self._address) for _ in range(min(users, self._most_users))]
        opened = [gevent.spawn(self._try_open, user) for user in found]
        gevent.joinall(opened, timeout=self._patience)
        for user, job in zip(found, opened, strict=True):
            if job.successful() and job.value is None:
                self._idle.append(user)
                self._users += 1
            else:
                job.kill()
                user.connection.close()

    def offer(self, intended: float) -> None:
        """An arrival's time has come: a free user takes it, or it waits in line."""
        if self._idle:
            gevent.spawn(self._serve, self._idle.pop(), intended)
            return
        self._line.append(intended)
        if self._users >= self._most_users:
            self._recorder.crowded += 1
        self._hire_if_it_helps()

    def _hire_if_it_helps(self) -> None:
        """One more user for the line, unless there are enough or the target stands still."""
        if not self._line or self._users >= self._most_users or self._opening >= MOST_OPENING:
            return
        if self._last_answer is not None and time.monotonic() - self._last_answer > self._quiet:
            return
        self._opening += 1
        self._users += 1
        gevent.spawn(self._hire)

    def sweep_until(self, end: float) -> None:
        """Let arrivals go whose time is over; returns when all are done, at the latest at `end`."""
        while time.monotonic() < end and self._recorder.finished < self._recorder.started:
            self.sweep()
            gevent.sleep(SWEEP_SECONDS)

    def sweep(self) -> None:
        now = time.monotonic()
        while self._line and now - self._line[0] >= self._patience:
            self._fail(self._line.popleft(), Broken(TIMEOUT, f"no connection was free for {self._patience:g} s"))
        self._hire_if_it_helps()

    def give_up(self) -> int:
        """How many arrivals never ended, after everything that could be waited for."""
        return self._recorder.started - self._recorder.finished

    def _try_open(self, user: OpenLoopUser) -> Broken | None:
        try:
            user.connection.open()
        except Broken as broken:
            return broken
        return None

    def _hire(self) -> None:
        """Open a connection for the line; one that fails takes one arrival with it."""
        user = OpenLoopUser(self._environment, self._address)
        opened = False
        try:
            while self._line and not opened:
                broken = self._try_open(user)
                opened = broken is None
                if broken is not None and broken.kind == OUR_LIMIT:
                    self._recorder.crowded += 1
                    break
                if broken is not None and self._line:
                    self._fail(self._line.popleft(), broken)
        finally:
            self._opening -= 1
            if not opened:
                self._users -= 1
        if opened:
            self._next_or_idle(user)

    def _next_or_idle(self, user: OpenLoopUser) -> None:
        while self._line:
            self._one(user, self._line.popleft())
        self._idle.append(user)

    def _serve(self, user: OpenLoopUser, intended: float) -> None:
        self._one(user, intended)
        self._next_or_idle(user)

    def _one(self, user: OpenLoopUser, intended: float) -> None:
        """One request of one visitor, from its start to the verdict on its answer."""
        visitor = self._visitors.popleft() if self._visitors else Visitor(self._new_journey)
        request = visitor.next_request()
        sent = time.monotonic()
        answer: Answer | None = None
        problem: Exception | None = None
        with gevent.Timeout(max(0.001, intended + self._patience - sent), False):
            try:
                answer = user.connection.ask(request)
            except Broken as broken:
                problem = broken
        ended = time.monotonic()
        if answer is not None:
            self._last_answer = ended
            try:
                visitor.take(answer)
            except WrongAnswer as wrong:
                problem = wrong
        else:
            problem = problem or Broken(TIMEOUT, f"no answer from {self._address.shown} in {self._patience:g} s")
        if problem is not None:
            visitor.leave()
        self._think(visitor)
        self._report(request, answer, problem, intended=intended, sent=sent, ended=ended)

    def _fail(self, intended: float, problem: Broken) -> None:
        """An arrival that no connection was found for."""
        visitor = self._visitors.popleft() if self._visitors else Visitor(self._new_journey)
        request = visitor.next_request()
        visitor.leave()
        self._think(visitor)
        self._report(request, None, problem, intended=intended, sent=intended, ended=time.monotonic())

    def _think(self, visitor: Visitor) -> None:
        """Back to those who come again; after a crowd the shop empties as journeys end."""
        if visitor.between_journeys and len(self._visitors) >= self._most_visitors:
            return
        self._visitors.append(visitor)

    def _report(
        self,
        request: Request,
        answer: Answer | None,
        problem: Exception | None,
        *,
        intended: float,
        sent: float,
        ended: float,
    ) -> None:
        self._environment.events.request.fire(  # type: ignore[no-untyped-call]  # Locust is not typed here
            request_type=request.method,
            name=request.name,
            response_time=(ended - intended) * 1000,
            response_length=len(answer.body) if answer else 0,
            response=answer,
            context={"intended": intended, "sent": sent, "ended": ended},
            exception=problem,
            start_time=sent,
            url=request.path,
        )
