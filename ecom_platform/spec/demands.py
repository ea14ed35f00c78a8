"""What is demanded of the shop: limits, load, releases, drills."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field, model_validator

from ecom_platform.spec.words import Duration, Part


class Thresholds(Part):
    """What the load gate and the alerts demand; one place, so that they agree.

    Source: the user's document, appendix C and the alert table. Its two error rates are 1 % of all
    requests, for the shop's own errors, and 5 % for refusals (4xx), which people cause too.
    """

    p95_ms: float = Field(default=500, gt=0)
    error_rate: float = Field(default=0.01, gt=0, lt=1)
    client_error_rate: float = Field(default=0.05, gt=0, lt=1)
    requests_per_second: float = Field(default=100, gt=0)
    utilisation: float = Field(default=0.8, gt=0, le=1)
    database_connections: int = Field(default=100, ge=1)
    certificate_left: Duration = timedelta(days=21)
    key_age: Duration = timedelta(days=365)
    release_stuck: Duration = timedelta(minutes=30)
    machine_recovery: Duration = timedelta(hours=4)
    configuration_recovery: Duration = timedelta(minutes=30)
    folder_recovery: Duration = timedelta(hours=2)


class NodeLoss(Part):
    """How a node of the cluster loses its power for the drill, and gets it back; {node} stands for its name.

    A cluster has a way of its own (a cloud's API, a management board), so the operator says it.
    """

    fail: tuple[str, ...]
    revive: tuple[str, ...]


class Drills(Part):
    """The rehearsals: how much traffic, how long it is steady before the fault, when they run by themselves (UTC)."""

    orders_per_second: float = Field(default=5, gt=0, le=100)
    steady: Duration = timedelta(seconds=3)
    schedule: str = "0 4 * * 0"
    whole_schedule: str = "0 5 1 * *"
    node: NodeLoss | None = None


class Load(Part):
    """The scheduled load test: arrivals per second, held for a time, and the least that counts.

    processes: that make the load. workers: pods that make it instead, where the cluster operates the shop.
    """

    rate: float = Field(default=100, gt=0)
    duration: Duration = timedelta(seconds=10)
    minimum_requests: int = Field(default=500, ge=1)
    processes: int = Field(default=1, ge=1, le=32)
    workers: int = Field(default=0, ge=0, le=32)
    schedule: str = "0 3 * * *"


class Release(Part):
    """How a new version goes live (docs/release.md): what it must show before, and how long it is watched after.

    load: how long the load gate holds `load.rate` at the preview. scenario: what its customers do, as in
    the load test, or GETs of `path`. allowed_slow_down: how much slower than the live version its p95 may
    be, as a share; None leaves that comparison out. dwell: how long it is watched before it is promoted,
    with `probes` requests per second to the front door. validation_period: how long after that the old form of a
    migration stays, at least.
    """

    load: Duration = timedelta(seconds=10)
    scenario: Literal["shop", "get"] = "shop"
    path: str = "/"
    allowed_slow_down: float | None = Field(default=0.25, gt=0)
    dwell: Duration = timedelta(minutes=5)
    validation_period: Duration = timedelta(hours=24)
    probes: float = Field(default=20, gt=0, le=1000)

    @model_validator(mode="after")
    def _long_enough(self) -> Release:
        if self.load < timedelta(seconds=1) or self.load > timedelta(hours=1):
            raise ValueError("release.load is from 1s to 1h")
        if self.dwell > timedelta(hours=24):
            raise ValueError("release.dwell is at most 24h: nobody watches a switch for longer")
        return self
