"""What a load test is asked to do, as data that goes to the worker processes and stays with the result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from ecom_platform.errors import ConfigurationError
from ecom_platform.load.pacing import Schedule, Stage, constant

ScenarioName = Literal["get", "shop"]

OUR_LIMIT = "generator_limit"
"""The kind of an error that is this machine's: no file descriptor or port is left for a connection."""

MOST_REQUESTS = 10_000_000
"""A test is bounded in count; this is 3,000/s for almost an hour."""
LONGEST_SECONDS = 3600.0
"""And in time. A longer soak is several runs, each with its own verdict."""
MOST_PROCESSES = 64
THINK_SECONDS = 0.25
"""Mean over all requests of a visit: a browser asks for a page's files at once, a person takes seconds."""


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """A test of one address.

    target: http(s)://host:port, with a path for the scenario `get`. timeout: seconds that a customer
    waits, from the intended start of the request to the last byte of its answer. think: seconds from
    one request of a customer to the next, on average; rate x think customers are there at a time.
    most_connections: of each process. insecure: accept any TLS certificate.
    contains: text that an answer to the scenario `get` must hold.
    """

    target: str
    schedule: Schedule
    scenario: ScenarioName = "get"
    processes: int = 1
    timeout: float = 10.0
    think: float = THINK_SECONDS
    most_connections: int = 4000
    insecure: bool = False
    contains: str = ""
    run: str = ""

    def __post_init__(self) -> None:
        for wrong, why in self._faults():
            if wrong:
                raise ConfigurationError("plan a load test", why, "See `ecom bench --help`.")

    def _faults(self) -> list[tuple[bool, str]]:
        seconds, expected = self.schedule.seconds, self.schedule.expected
        return [
            (bool(why := _no_address(self.target)), why),
            (not self.schedule.stages, "the schedule has no stage"),
            (seconds > LONGEST_SECONDS, f"{seconds:g} s is longer than {LONGEST_SECONDS:g} s"),
            (expected > MOST_REQUESTS, f"{expected:.0f} requests are more than {MOST_REQUESTS}"),
            (not 1 <= self.processes <= MOST_PROCESSES, f"{self.processes} processes; 1 to {MOST_PROCESSES} are fine"),
            (not (math.isfinite(self.timeout) and 0 < self.timeout <= 120), f"a timeout of {self.timeout:g} s"),
            (not (math.isfinite(self.think) and self.think > 0), f"customers who think for {self.think:g} s"),
            (self.most_connections < 1, "at least 1 connection is needed"),
        ]

    @property
    def rate(self) -> float:
        """Arrivals per second, on average over the whole schedule."""
        return self.schedule.expected / self.schedule.seconds

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """The inverse of as_dict."""
        schedule = stored["schedule"]
        stages = tuple(Stage(**each) for each in schedule["stages"])
        return cls(**{**stored, "schedule": Schedule(stages, schedule["arrivals"], schedule["seed"])})

    def with_target(self, target: str) -> Self:
        return replace(self, target=target)


def _no_address(target: str) -> str:
    """Why nothing can be measured there; empty when it can."""
    try:
        parts = urlsplit(target)
        port = parts.port
    except ValueError as error:
        return f"{target!r} is no http(s) address: {error}"
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        return f"{target!r} is no http(s) address"
    return "the address holds a user or a password" if parts.username or parts.password else ""


def steady(target: str, rate: float, seconds: float, **more: Any) -> LoadPlan:
    """A plan of `rate` requests per second for `seconds`; more: fields of LoadPlan."""
    if not (math.isfinite(rate) and rate > 0 and math.isfinite(seconds) and seconds > 0):
        raise ConfigurationError(
            "plan a load test", f"{rate:g} requests/s for {seconds:g} s", "Both are above nothing."
        )
    return LoadPlan(target, constant(rate, seconds), **more)
