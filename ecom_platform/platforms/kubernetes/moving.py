"""Two namespaces as the two colours of one shop, while it moves from one to the other.

The live colour is the old namespace's own Deployments; the other one is a release of the chart in the new namespace,
and in the old one a door to it. So a switch is what it always is, a Service's selector over pods that are ready, and
a release needs to know nothing of namespaces (docs/decisions/moving.md). The database stays where it is.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from ecom_platform.errors import ConfigurationError, MissingError
from ecom_platform.platforms.kubernetes import rollout, values
from ecom_platform.platforms.kubernetes.life import deployment_name, start_seconds
from ecom_platform.platforms.kubernetes.names import DOOR
from ecom_platform.platforms.kubernetes.platform import KubernetesPlatform
from ecom_platform.platforms.kubernetes.sampling import PodsOfShop
from ecom_platform.platforms.protocol import Colour, Instance
from ecom_platform.spec import Service, Shop


class MovingPlatform(KubernetesPlatform):
    """shop: by the spec of where it moves to; its database_namespace is where it comes from."""

    def __init__(self, shop: Shop, state: Path) -> None:
        super().__init__(as_it_was(shop), state)
        self._wanted = shop

    @property
    def to(self) -> str:
        return self._wanted.kubernetes.namespace or self._wanted.shop

    @cached_property
    def new_colour(self) -> Colour:
        """That of the door, or the one that is not live where there is none yet."""
        front = self.shop.front_door
        colours: tuple[Colour, Colour] = ("blue", "green")
        for colour in colours:
            found = self.cluster.find("deployments", deployment_name(front, colour), self.names.namespace)
            if found is not None and DOOR in found["metadata"]["labels"]:
                return colour
        live = self.live_colour(front)
        if live is None:
            raise MissingError(
                f"move {self.shop.shop} to {self.to}", f"no shop is live in {self.names.namespace}", "Nothing to move."
            )
        return "green" if live == "blue" else "blue"

    @cached_property
    def beside(self) -> KubernetesPlatform:
        """The new namespace's platform; what is installed there is of the new colour."""
        first = values.first_as(self._wanted, self.new_colour)
        where = self._wanted.kubernetes
        where = where.model_copy(update={"values": values.merged(where.values, first)})
        platform = KubernetesPlatform(self._wanted.model_copy(update={"kubernetes": where}), self.layout.state)
        platform.cluster = self.cluster
        return platform

    def as_it_runs(self, colour: Colour) -> tuple[Service, ...]:
        """The services as they run in the old namespace."""
        return values.as_it_runs(self.shop, self.release.values(), colour)

    def deploy(self, service: Service, colour: Colour) -> tuple[Instance, ...]:
        """Beside the old namespace, and a door to it; the door is ready when what is behind it is."""
        if colour != self.new_colour:
            return super().deploy(service, colour)
        with self._changing():
            self.release.change(values.with_sibling(self.release.values(), self.to))
        self.beside.deploy(service, colour)
        with self._changing():
            front = self._wanted.front_door
            self.release.change(values.with_door(self.release.values(), service, front, colour, self.to))
        name, tried = deployment_name(service, colour), f"open the door to {service.name} in {self.to}"
        seconds = start_seconds(service, 1)
        rollout.wait_for_deployment(self.cluster, self.names.namespace, name, seconds=seconds, tried=tried)
        if self.live_colour(service) != colour:
            self._lead(f"{service.name}-preview", colour)
        return self.instances(service, colour)

    def _refuse_doors(self, service: Service) -> None:
        """Doors are this platform's own."""

    def instances(self, service: Service, colour: Colour) -> tuple[Instance, ...]:
        return self.beside.instances(service, colour) if self._is_new(colour) else super().instances(service, colour)

    def scale(self, service: Service, colour: Colour, replicas: int) -> tuple[Instance, ...]:
        if self._is_new(colour):
            return self.beside.scale(service, colour, replicas)
        return super().scale(service, colour, replicas)

    def remove(self, service: Service, colour: Colour) -> None:
        """Of the new colour the door goes, and its pods; what the new namespace has else stays to be looked at."""
        super().remove(service, colour)
        if self._is_new(colour) and self.beside.release.state() is not None:
            self.beside.scale(service, colour, 0)

    def logs(self, service: Service, colour: Colour, lines: int) -> str:
        return (self.beside.logs if self._is_new(colour) else super().logs)(service, colour, lines)

    def load_sampler(self) -> PodsOfShop:
        return self.beside.load_sampler()

    def _is_new(self, colour: Colour) -> bool:
        return colour == self.new_colour


def as_it_was(shop: Shop) -> Shop:
    """The shop in the namespace that it comes from. Raises ConfigurationError where the spec names none."""
    old = shop.kubernetes.database_namespace
    if old is None:
        raise ConfigurationError(
            f"move {shop.shop} to another namespace",
            "the spec does not say from where",
            "Set kubernetes.namespace to the new one and kubernetes.database_namespace to the one where it runs.",
        )
    where = shop.kubernetes.model_copy(update={"namespace": old, "database_namespace": None, "values": {}})
    return shop.model_copy(update={"kubernetes": where})
