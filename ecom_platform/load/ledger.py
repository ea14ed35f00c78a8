"""The request ledger: numbered requests, and for each the answer and the instance that gave it.

It runs across a cut-over and says of each single request whether it was lost and who answered it. Bounded in
rate and time. The verdicts below are pure.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from ecom_platform.clients.line_programs import LinePrograms
from ecom_platform.errors import ConfigurationError, DeadlineExceeded
from ecom_platform.load.judge import P95_SAMPLES, wilson_lower
from ecom_platform.load.plan import OUR_LIMIT
from ecom_platform.load.results import rule_of_three
from ecom_platform.verdicts import Verdict, at_most, failed, inconclusive, passed

READY_SECONDS = 30.0
TIMEOUT_SECONDS = 10.0
MOST_RATE = 2000.0
MOST_SECONDS = 86_400.0
OVERLAP_SECONDS = 1.0
"""How long both colours may answer during a cut-over."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One request. path: which of the ledger's. due, began, ended: seconds of the monotonic clock, which all
    processes of this machine share. instance, colour, version: of whoever answered, where the answer says so.
    problem: why it counts as lost; empty if it does not.
    """

    number: int
    path: int
    due: float
    began: float
    ended: float
    status: int
    instance: str
    colour: str
    version: str
    problem: str

    @property
    def latency_ms(self) -> float:
        """From the intended start."""
        return (self.ended - self.due) * 1000


class Ledger:
    """Sends `rate` GETs per second to target (http://host:port) while its context is open.

    paths: each with a text that its answer must hold, in turn. seconds: the longest it may run.
    fresh: a new connection for each request, where a kept one would stay with the instance it once met.
    """

    def __init__(
        self,
        target: str,
        paths: Sequence[tuple[str, str]],
        *,
        rate: float,
        seconds: float,
        fresh: bool = False,
    ) -> None:
        if not (0 < rate <= MOST_RATE and 0 < seconds <= MOST_SECONDS and paths):
            raise ConfigurationError("keep a ledger of requests", f"{rate:g} requests/s for {seconds:g} s", "")
        self.paths = tuple(paths)
        self._order: dict[str, Any] = {"target": target, "paths": [list(each) for each in paths], "rate": rate}
        self._order |= {"seconds": seconds, "timeout": TIMEOUT_SECONDS, "fresh": fresh}
        self._found: list[Answered] = []
        self._sent: int | None = None

    def __enter__(self) -> Self:
        self._programs = LinePrograms([sys.executable, "-m", "ecom_platform.load.ledger_worker"], 1)
        self._programs.__enter__()
        self._programs.programs[0].send(json.dumps(self._order))
        self._hear(lambda said: "ready" in said, READY_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._programs.__exit__(kind, error, trace)

    def so_far(self) -> list[Answered]:
        """All that were answered or given up until now, in the order of their ends."""
        while (line := self._programs.next_line(0.0)) is not None and line.text is not None:
            self._take(json.loads(line.text))
        return self._found

    def finish(self) -> list[Answered]:
        """Send no more, wait for what is under way, and give all. Raises DeadlineExceeded if some are missing."""
        if self._sent is None:
            self._programs.programs[0].send("stop")
            self._hear(lambda said: "end" in said, TIMEOUT_SECONDS + READY_SECONDS)
        if self._sent != len(self._found):
            raise DeadlineExceeded("keep a ledger of requests", f"{self._sent} sent, {len(self._found)} have an end")
        return self._found

    def _hear(self, wanted: Any, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            line = self._programs.next_line(left)
            if line is None:
                break
            if line.text is None:
                raise DeadlineExceeded(
                    "keep a ledger of requests", f"its process ended: {self._programs.programs[0].ending()}"
                )
            said = json.loads(line.text)
            self._take(said)
            if wanted(said):
                return
        raise DeadlineExceeded("keep a ledger of requests", f"its process said nothing for {seconds:g} s")

    def _take(self, said: dict[str, Any]) -> None:
        self._found += [Answered(*each) for each in said.get("answers", ())]
        self._sent = said.get("end", self._sent)


def lost(answers: Sequence[Answered]) -> list[Answered]:
    return [each for each in answers if each.problem]


def nothing_lost(answers: Sequence[Answered], *, minimum: int) -> Verdict:
    """Not one request was lost, of at least `minimum`."""
    claim = "no request was lost"
    gone = lost(answers)
    numbers = {"requests": float(len(answers)), "lost": float(len(gone))}
    ours = [each for each in gone if each.problem.startswith(OUR_LIMIT)]
    if ours:
        return inconclusive(claim, f"this machine could not send {len(ours)}: {ours[0].problem}", **numbers)
    if gone:
        first = gone[0]
        return failed(claim, f"{len(gone)} of {len(answers)}; number {first.number}: {first.problem}", **numbers)
    if len(answers) < minimum:
        return inconclusive(claim, f"{len(answers)} requests, this claim needs {minimum}", **numbers)
    return passed(claim, f"{len(answers)} requests, each answered as it should be", **numbers)


def none_by_the_old(answers: Sequence[Answered], confirmed: float, new: Collection[str], *, minimum: int) -> Verdict:
    """Every request that began after the switch was confirmed was answered by one of the new instances."""
    claim = "no request that began after the switch was confirmed was answered by the old colour"
    after = [each for each in answers if each.began > confirmed and each.instance]
    others = [each for each in after if each.instance not in new]
    numbers = {"requests": float(len(after)), "by_others": float(len(others))}
    if others:
        return failed(claim, f"{len(others)} of {len(after)}, first by {others[0].instance}", **numbers)
    if len(after) < minimum:
        return inconclusive(claim, f"{len(after)} began after it, this claim needs {minimum}", **numbers)
    return passed(claim, f"all {len(after)} by {', '.join(sorted({each.instance for each in after}))}", **numbers)


def overlap(answers: Sequence[Answered], new: Collection[str]) -> float | None:
    """Seconds from the first request that the new instances answered to the last that others did, by when they
    began; nothing if none overlapped, None if one side is missing.
    """
    of_new = [each.began for each in answers if each.instance in new]
    of_old = [each.began for each in answers if each.instance and each.instance not in new]
    return max(0.0, max(of_old) - min(of_new)) if of_new and of_old else None


def short_overlap(answers: Sequence[Answered], new: Collection[str]) -> Verdict:
    return at_most("both colours answered for a short time", overlap(answers, new), OVERLAP_SECONDS, unit="s")


def few_errors(answers: Sequence[Answered], limit: float, *, final: bool) -> Verdict | None:
    """The share of requests that went wrong stays below the limit. Before the end (final false) only a share
    that is surely above it is a verdict.
    """
    claim = f"errors stay below {limit:.2%} of requests"
    wrong, total = len(lost(answers)), len(answers)
    if total == 0:
        return inconclusive(claim, "no request was answered") if final else None
    numbers = {"observed": wrong / total, "limit": limit, "samples": float(total)}
    seen = f"{wrong} of {total}" + (f"; {lost(answers)[0].problem}" if wrong else "")
    if wilson_lower(wrong, total) >= limit:
        return failed(claim, seen, **numbers)
    if not final:
        return None
    if total < rule_of_three(limit):
        return inconclusive(claim, f"{seen}; this claim needs {rule_of_three(limit)} requests", **numbers)
    return (passed if wrong / total < limit else failed)(claim, seen, **numbers)


def quick(answers: Sequence[Answered], limit_ms: float, what: str = "p95") -> Verdict:
    """p95 from the intended start stays below the limit."""
    right = sorted(each.latency_ms for each in answers if not each.problem)
    p95 = right[min(len(right) - 1, int(len(right) * 0.95))] if right else None
    return at_most(
        f"{what} stays below {limit_ms:g} ms", p95, limit_ms, unit="ms", samples=len(right), minimum=P95_SAMPLES
    )
