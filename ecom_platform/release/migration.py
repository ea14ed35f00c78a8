"""A shop moves to another namespace by the same machine as a release: that namespace is the other colour.

Not here: what a namespace as a colour is (platforms/kubernetes/moving.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from ecom_platform.errors import RefusedError
from ecom_platform.platforms.protocol import Colour, Platform
from ecom_platform.release import versions
from ecom_platform.release.driver import Actions, Seen
from ecom_platform.release.effects import Effects
from ecom_platform.release.machine import Phase
from ecom_platform.release.operations import Operator
from ecom_platform.release.state import Definition, Journal, State
from ecom_platform.spec import Service, Shop


class Moving(Platform, Protocol):
    """A platform whose other colour is another namespace."""

    @property
    def to(self) -> str: ...

    def as_it_runs(self, colour: Colour) -> tuple[Service, ...]:
        """The services as they run where the shop comes from."""


class MigrationEffects(Effects):
    """As a release's, but that the end takes the old form's workloads away instead of a part of the schema."""

    def _contract(self, journal: Journal, name: str) -> Seen:
        """The Deployment and what belongs to it. The database, its volume and the namespace stay."""
        return self._remove(journal.before.service(name), journal.release.old)


@dataclass(frozen=True)
class Migration(Operator):
    """Somebody who moves a shop. shop: by the spec of where it moves to."""

    def finish(self) -> Journal:
        """Take the old form away. Raises RefusedError before the validation period is over."""
        live, period = self.read().live, self.shop.release.validation_period
        journal = self.read().journal
        if live is None or journal is None or journal.release.phase not in (Phase.PROMOTED, Phase.CONTRACTING):
            raise RefusedError("take the old form away", "the new one is not live for good", "`ecom migrate status`.")
        left = live.since + period - datetime.now(UTC)
        if left.total_seconds() > 0:
            raise RefusedError(
                f"take the old form of {self.shop.shop} away",
                f"the new one is live since {live.since:%Y-%m-%d %H:%M:%S} UTC, and the validation period is {period}",
                f"Wait until {live.since + period:%Y-%m-%d %H:%M} UTC; until then `ecom migrate rollback` works.",
            )
        return self.contract()

    def start_moving(self) -> Journal:
        """Move the shop as its spec has it, or go on where the driver died."""
        journal = self.read().journal
        if journal is not None and journal.to == self.to and journal.release.promoted:
            raise RefusedError(f"move {self.shop.shop} to {self.to}", "it is there already", "`ecom migrate status`.")
        return self.start(versions.wanted(self.shop))

    def _before(self, state: State, old: Colour, wanted: Definition) -> Definition:
        """What runs in the old namespace, whatever was written down; the same version may move too."""
        del state, wanted
        platform: Moving = self.platform  # type: ignore[assignment]  # `moving` makes these
        return Definition(services=platform.as_it_runs(old), tasks=versions.of_spec(self.shop).tasks)

    def _begun_as(self, journal: Journal) -> Journal:
        ends = tuple(reversed(journal.release.services))
        release = journal.release.model_copy(update={"contracted": ends})
        return journal.model_copy(update={"release": release, "to": self.to})

    def _actions(self) -> Actions:
        return self.actions or MigrationEffects(self.platform, self.shop, self.progress)


def moving(platform: Moving, shop: Shop, who: str, progress: Callable[[str], None]) -> Migration:
    return Migration(platform, shop, who, progress, to=platform.to)


def carried_out(migration: Migration, action: str) -> Journal:
    """Do what people ask by name. Raises EcomError where it is refused or did not come about."""
    actions = {
        "start": migration.start_moving,
        "resume": migration.resume,
        "abort": migration.abort,
        "rollback": migration.roll_back,
        "finish": migration.finish,
    }
    return migration.came_about(action, actions[action]())
