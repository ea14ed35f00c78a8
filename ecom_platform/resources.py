"""Dagster resources: each holds only configuration and hands out a plain object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from ecom_platform.platforms.opening import open_platform
from ecom_platform.platforms.protocol import Platform
from ecom_platform.spec import Shop


@dataclass(frozen=True)
class Platforms:
    """Where each shop runs. of: the platform of a shop; it does not start anything."""

    of: Callable[[Shop], Platform]


class PlatformsResource(dg.ConfigurableResource[Platforms]):
    """state: the folder below which each shop keeps its local state, in a folder of its name."""

    state: str

    def create_resource(self, context: dg.InitResourceContext) -> Platforms:
        del context
        return Platforms(of=lambda shop: open_platform(shop, Path(self.state)))


@dataclass(frozen=True)
class Notifier:
    """tell: send (title, body) to every target of a shop's spec; raises TransientError if none took it."""

    tell: Callable[[Shop, str, str], None]


class NotifierResource(dg.ConfigurableResource[Notifier]):
    """Reads the targets' secrets when a notice is sent, not before."""

    def create_resource(self, context: dg.InitResourceContext) -> Notifier:
        del context
        return Notifier(tell=_tell)


def _tell(shop: Shop, title: str, body: str) -> None:
    from ecom_platform.clients.notices import notify
    from ecom_platform.secret_values import resolve

    if shop.notify.targets:
        notify([resolve(each, f"notify target of {shop.shop}") for each in shop.notify.targets], title, body)
