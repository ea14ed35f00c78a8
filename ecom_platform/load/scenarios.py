"""What customers do, without sending anything: a journey yields requests and is given the answers.

A journey looks at each answer's content and raises WrongAnswer when it is not what a customer came
for. Journeys of the shop are in shop_journeys.py.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from itertools import repeat
from typing import TypeAlias
from urllib.parse import urlsplit

from ecom_platform.load.plan import LoadPlan


@dataclass(frozen=True, slots=True)
class Request:
    """One request. name: its class in the results. path: with the query."""

    name: str
    path: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer; a body over a server's own Content-Length never gets here."""

    status: int
    body: bytes


class WrongAnswer(Exception):
    """The answer came, and is not the one that the customer came for. kind: as in the results."""

    def __init__(self, kind: str, seen: str) -> None:
        self.kind = kind
        super().__init__(seen[:300])


Journey: TypeAlias = Generator[Request, Answer, None]
NewJourney: TypeAlias = Callable[[], Journey]


def expect_status(answer: Answer, *statuses: int) -> None:
    if answer.status not in statuses:
        start = answer.body[:160].decode(errors="replace")
        raise WrongAnswer(f"status_{answer.status}", f"status {answer.status}: {start}")


def expect(holds: object, seen: str) -> None:
    """The answer's content is right, or WrongAnswer."""
    if not holds:
        raise WrongAnswer("wrong_content", seen)


@dataclass
class Visitor:
    """A customer: goes on one journey after the other, and leaves a journey that went wrong."""

    new_journey: NewJourney
    _journey: Journey | None = field(default=None, repr=False)
    _next: Request | None = field(default=None, repr=False)

    def next_request(self) -> Request:
        """The request that this customer sends next."""
        if self._next is None:
            self._journey = self.new_journey()
            self._next = next(self._journey)
        return self._next

    @property
    def between_journeys(self) -> bool:
        return self._journey is None

    def take(self, answer: Answer) -> None:
        """Look at the answer to next_request(). Raises WrongAnswer; the journey is over then."""
        assert self._journey is not None
        self._next = None
        try:
            self._next = self._journey.send(answer)
        except StopIteration:
            self._journey = None
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            # A journey reads an answer as the contract says; one of another shape ends it here.
            raise WrongAnswer("wrong_content", f"the answer has another shape: {error!r}") from error

    def leave(self) -> None:
        """The request got no answer: give the journey up."""
        if self._journey is not None:
            self._journey.close()
        self._journey = self._next = None


def plain_get(plan: LoadPlan) -> NewJourney:
    """GET of the target's path, again and again; a 2xx with the promised text is right."""
    parts = urlsplit(plan.target)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    request = Request(f"GET {parts.path or '/'}", path)
    promised = plan.contains.encode()

    def journey() -> Journey:
        for each in repeat(request):
            answer = yield each
            if not 200 <= answer.status <= 299:
                expect_status(answer)
            expect(promised in answer.body, f"the answer does not hold {plan.contains!r}")

    return journey


def journeys_of(plan: LoadPlan, part: int) -> NewJourney:
    """What the plan's customers do; part: which worker process this is."""
    if plan.scenario == "get":
        return plain_get(plan)
    from ecom_platform.load.shop_journeys import Shoppers

    return Shoppers(f"{plan.run}-{part}", random.Random(f"{plan.run} {part}")).new_journey  # noqa: S311  # a mix
