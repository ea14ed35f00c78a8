"""The table of trainings: what each teaches, to whom, for how long, and what sets, judges and removes its scene.

Titles, durations, audiences and forms are those of the document that was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from ecom_platform.spec import Shop

if TYPE_CHECKING:
    from ecom_platform.platforms.protocol import Platform
    from ecom_platform.verdicts import Verdict

Progress = Callable[[str], None]


class Driver(Protocol):
    """What a module of this package offers for one training."""

    def build(self, live: Platform, shop: Shop, folder: Path, progress: Progress) -> Mapping[str, Any]:
        """Set the scene in an empty folder; gives the facts that its judge needs, JSON-able."""

    def task(self, shop: Shop, folder: Path, facts: Mapping[str, Any]) -> str:
        """What the learner is to do, with hints."""

    def look(self, shop: Shop, folder: Path, facts: Mapping[str, Any]) -> list[Verdict]:
        """Observe and judge; the verdicts say what is not right yet, not how it is made right."""

    def remove(self, shop: Shop, folder: Path) -> None:
        """End whatever the scene runs; idempotent, also for one that was half made."""


@dataclass(frozen=True)
class Module:
    name: str
    title: str
    duration: str
    audience: str
    form: str
    driver_module: str

    def driver(self) -> Driver:
        return cast("Driver", import_module(f"ecom_platform.training.{self.driver_module}"))

    def as_dict(self) -> dict[str, str]:
        return {key: getattr(self, key) for key in ("name", "title", "duration", "audience", "form")}


MODULES = {
    each.name: each
    for each in (
        Module("security", "Enhanced Security Features", "2 hours", "All Teams", "Workshop", "security"),
        Module(
            "performance-testing", "Performance Testing Tools", "3 hours", "Development Team", "Hands-on Lab",
            "performance",
        ),
        Module(
            "disaster-recovery", "Disaster Recovery Procedures", "4 hours", "Operations Team", "Simulation Exercise",
            "disaster",
        ),
        Module("pipelines", "CI/CD Pipeline Management", "2 hours", "Development Team", "Workshop", "pipelines"),
    )
}  # fmt: skip
