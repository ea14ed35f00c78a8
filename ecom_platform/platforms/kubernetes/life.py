"""The life of a shop and of its platform in a cluster: installed, brought up to date, taken away; and their keys.

Not here: what a release does with the services (platform.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from ecom_platform.clients.kubernetes_api import Cluster
from ecom_platform.platforms.kubernetes import inside, platform_secrets, rollout
from ecom_platform.platforms.kubernetes.data import Data
from ecom_platform.platforms.kubernetes.installation import Installation
from ecom_platform.platforms.kubernetes.names import COLOUR, DATABASE, names_of, selector
from ecom_platform.platforms.kubernetes.reach import Reach
from ecom_platform.platforms.kubernetes.release import Release
from ecom_platform.platforms.local.locks import held
from ecom_platform.platforms.protocol import Colour
from ecom_platform.platforms.run_secrets import RUN_SECRETS, Use
from ecom_platform.spec import Service, Shop

DEPLOY_WAIT_SECONDS = 300.0
"""How long one change of the release waits for another one of this state folder."""

DATABASE_SECONDS = 180.0
"""A new server makes its files and starts within half a minute; the image may have to be pulled."""

PULL_SECONDS = 120.0
"""Beside the start itself: scheduling and pulling the image."""


class Life(Data):
    """The half of the platform that makes and removes things."""

    def __init__(self, shop: Shop, state: Path) -> None:
        super().__init__(shop, state)
        self.names = names_of(shop)

    @cached_property
    def cluster(self) -> Cluster:
        return Cluster(self.names.context)

    @cached_property
    def release(self) -> Release:
        return Release(self.shop, self.cluster)

    @cached_property
    def reach(self) -> Reach:
        return Reach(self.cluster, self.names.namespace)

    @cached_property
    def installation(self) -> Installation:
        return Installation(self.shop, self.cluster)

    @property
    def operated_inside(self) -> bool:
        """Whether runs are pods of the cluster."""
        return bool(self.shop.kubernetes.platform_image)

    def install(self) -> bool:
        """Namespaces, Secrets and the release as far as they are not there; waits for the database alone.

        Gives whether it was installed now. In a pod of the platform nothing: its account may not.
        """
        if self.cluster.inside:
            return False
        with self._changing():
            new = self.release.ensure()
        self._wait_for_database()
        if new:
            self.release.guard()
        return new

    def refresh(self) -> bool:
        """An installed release at the spec's values and the chart of today, every colour at the version that runs,
        with no moment without service. True if anything was new.
        """
        with self._changing():
            new = self.release.refresh()
        for service in self.shop.services:
            colour = self.live_colour(service)
            if colour is not None:
                self._rolled_out_as_it_is(service, colour)
        self._wait_for_database()
        self.release.guard()
        return new

    def _rolled_out_as_it_is(self, service: Service, colour: Colour) -> None:
        name = deployment_name(service, colour)
        replicas = self.cluster.read("deployments", name, self.names.namespace)["spec"].get("replicas", 1)
        tried = f"bring {name} to the form of the spec"
        seconds = start_seconds(service, replicas)
        rollout.wait_for_deployment(self.cluster, self.names.namespace, name, seconds=seconds, tried=tried)

    def live_colour(self, service: Service) -> Colour | None:
        found = self.cluster.find("services", service.name, self.names.namespace)
        return colour_of((found or {}).get("spec", {}).get("selector") or {})

    def install_platform(self) -> bool:
        """The platform's own release, at the spec and the chart of today, and all of it up; True if it was new."""
        with self._changing():
            keys = platform_secrets.keys_of(self.signing_key(), "\n".join(self.identities()))
            new = self.installation.ensure(self.recipients(), keys)
        self.installation.wait()
        return new

    def webserver(self) -> str | None:
        """The address of the platform's webserver in the cluster, or None where none is up."""
        return self.installation.webserver()

    def _wait_for_database(self) -> None:
        where = self.names.database_namespace
        labels, tried = selector(self.names.labels(DATABASE)), f"start the database in {where}"
        rollout.wait_for_pod(self.cluster, where, labels, seconds=DATABASE_SECONDS, tried=tried)

    def down(self) -> None:
        """Uninstall the releases; the volumes, the Secrets and the namespaces stay, and so do the backups."""
        with self._changing():
            if self.operated_inside:
                self.installation.remove()
            self.release.remove()

    def reset(self) -> None:
        """Uninstall, and remove the namespaces that were made here, with the database's volume and passwords."""
        self.down()
        self.release.remove_namespace()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with held(self.lock("release"), "a change of the release", seconds=DEPLOY_WAIT_SECONDS):
            yield

    # Keys

    def identities(self) -> tuple[str, ...]:
        self._adopt("identity", inside.IDENTITY, self.layout.secrets / "age-identity")
        return super().identities()

    def recipients(self) -> tuple[str, ...]:
        self._adopt("identity", inside.IDENTITY, self.layout.secrets / "age-identity")
        return super().recipients()

    def signing_key(self) -> Path:
        if self.cluster.inside:
            return RUN_SECRETS / "signing" / inside.SIGNING_KEY
        self._adopt("signing", inside.SIGNING_KEY, self.layout.secrets / "signing-key")
        return super().signing_key()

    def _adopt(self, use: Use, key: str, path: Path) -> None:
        """The key that the cluster has, if this machine has none yet."""
        if self.operated_inside and not self.cluster.inside:
            platform_secrets.kept_alike(path, self.cluster, self.names, use, key)


def start_seconds(service: Service, replicas: int) -> float:
    """The longest that a rollout of so many copies may take, one after the other."""
    return (service.probes.start_timeout.total_seconds() + PULL_SECONDS) * max(1, replicas)


def deployment_name(service: Service, colour: Colour) -> str:
    return f"{service.name}-{colour}"


def colour_of(labels: dict[str, str]) -> Colour | None:
    seen = labels.get(COLOUR)
    return "blue" if seen == "blue" else "green" if seen == "green" else None
