"""The Kubernetes platform: the front of this package; it puts the parts together and speaks the protocol."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ecom_platform.backup.sources.trees import Tree
from ecom_platform.clients.commands import Completed
from ecom_platform.clients.kubernetes_api import Object
from ecom_platform.clients.web import session
from ecom_platform.errors import ConfigurationError, DeadlineExceeded, MissingError, RefusedError, UnreachableError
from ecom_platform.platforms.kubernetes import patching, rollout, tasks, values
from ecom_platform.platforms.kubernetes.databases import Databases
from ecom_platform.platforms.kubernetes.document import ConfigMapDocument
from ecom_platform.platforms.kubernetes.life import DATABASE_SECONDS, deployment_name, start_seconds
from ecom_platform.platforms.kubernetes.names import (
    COLOUR,
    DOOR,
    HTTP_PORT,
    LOAD_WORKER,
    LOAD_WORKER_PORT,
    VERSION,
    selector,
)
from ecom_platform.platforms.kubernetes.pod_tree import PodTree
from ecom_platform.platforms.kubernetes.sampling import PodsOfShop
from ecom_platform.platforms.protocol import Colour, Document, Instance, Which
from ecom_platform.spec import FolderReference, Service

SWITCH_SECONDS = 30.0


class KubernetesPlatform(Databases):
    """One shop in one namespace. Making it touches nothing. state: for keys, reports and Dagster's records."""

    # Services

    def deploy(self, service: Service, colour: Colour) -> tuple[Instance, ...]:
        self._refuse_doors(service)
        if self.cluster.inside:
            self._migrate_inside(service)
            patching.run_as(self.cluster, self.names, service, colour)
            if self.live_colour(service) != colour:
                self._lead(f"{service.name}-preview", colour)
            return self._rolled_out(service, colour)
        self.install()
        with self._changing():
            wanted = values.with_colour(self.shop, self.release.values(), service, colour)
            if self.release.change(wanted):
                self._migrated(service)
            elif self.cluster.find("deployments", deployment_name(service, colour), self.names.namespace) is None:
                self.release.helm.upgrade(self.release.chart, wanted)  # somebody took it away
            if self.live_colour(service) != colour:
                self._lead(f"{service.name}-preview", colour)
        return self._rolled_out(service, colour)

    def _refuse_doors(self, service: Service) -> None:
        """A shop that is moving, or has moved, is changed where it moved to."""
        for colour in ("blue", "green"):
            found = self.cluster.find("deployments", f"{service.name}-{colour}", self.names.namespace)
            if found is not None and (door := found["metadata"]["labels"].get(DOOR)):
                raise RefusedError(
                    f"deploy {service.name} in {self.names.namespace}",
                    f"{colour} is a door to the namespace {door}, where the shop moves to",
                    "Use the spec of that namespace; `ecom migrate status` tells where it stands.",
                )

    def _migrated(self, service: Service) -> None:
        if values.uses_database(service):
            name = tasks.newest_migration(self.cluster, self.names)["metadata"]["name"]
            tried = f"migrate the database for {service.name} {service.version}"
            rollout.wait_for_job(self.cluster, self.names.namespace, name, seconds=DATABASE_SECONDS, tried=tried)

    def _migrate_inside(self, service: Service) -> None:
        """The expand migrations of the service's image, where the newest migration had another one."""
        repository, tag = values.image(service)
        image = f"{repository}:{tag}"
        if not values.uses_database(service) or tasks.migration_image(self.cluster, self.names) == image:
            return
        for database in self.shop.databases:
            if database.managed and database.tasks.expand:
                command, seconds = database.tasks.expand, DATABASE_SECONDS
                tasks.run_task(self.cluster, self.names, command, timeout=seconds, image=image)

    def _rolled_out(self, service: Service, colour: Colour) -> tuple[Instance, ...]:
        seconds = start_seconds(service, service.replicas)
        tried = f"deploy {service.name} {service.version} as {colour}"
        name = deployment_name(service, colour)
        rollout.wait_for_deployment(self.cluster, self.names.namespace, name, seconds=seconds, tried=tried)
        found = self.instances(service, colour)
        for each in found:
            self._is_itself(service, each)
        return found

    def _is_itself(self, service: Service, instance: Instance) -> None:
        wanted = {"version": instance.version, "colour": instance.colour, "instance": instance.name}
        with session(instance.url) as client:
            said = client.get(service.probes.version).json()
        seen = {key: said.get(key) for key in wanted} if isinstance(said, dict) else said
        if seen != wanted:
            raise rollout.RolloutFailed(
                f"deploy {service.name} as {instance.colour}",
                f"{instance.name}: {service.probes.version} answers {seen}, not {wanted}",
                "A service repeats there VERSION, COLOUR and INSTANCE of its environment.",
            )

    def instances(self, service: Service, colour: Colour) -> tuple[Instance, ...]:
        pods = sorted(self.pods(service, colour), key=lambda each: str(each["metadata"]["name"]))
        return tuple(
            Instance(
                each["metadata"]["name"],
                service.name,
                colour,
                each["metadata"]["labels"].get(VERSION, ""),
                f"http://{self.reach.pod(each, HTTP_PORT)}",
            )
            for each in pods
            if rollout.ready(each)
        )

    def pods(self, service: Service, colour: Colour) -> list[Object]:
        """The pods that the colour's Deployment made, ready or not."""
        labels = selector(self.names.labels(service.name, colour)) + ",pod-template-hash"
        return self.cluster.list("pods", self.names.namespace, labels=labels)

    def switch(self, service: Service, colour: Colour) -> None:
        tried = f"switch {service.name} to {colour}"
        with self._changing():
            ends = self.reach.endpoints(f"{service.name}-{colour}")
            if not ends:
                raise RefusedError(tried, "that colour has no running instance that is ready", "Deploy it first.")
            self._lead(service.name, colour)
            self._confirm(service, colour, tried)
        with session(self.address(service, "active")) as client:
            said = client.get(service.probes.version).json()
        seen = said.get("colour") if isinstance(said, dict) else None
        if seen != colour:
            raise UnreachableError(tried, f"the active address answers colour {seen}")

    def _lead(self, name: str, colour: Colour) -> None:
        self.cluster.patch("services", name, {"spec": {"selector": {COLOUR: colour}}}, self.names.namespace)

    def _confirm(self, service: Service, colour: Colour, tried: str) -> None:
        """The endpoints of the active Service are those of the colour, and no others."""
        deadline = time.monotonic() + SWITCH_SECONDS
        while True:
            active, wanted = self.reach.endpoints(service.name), self.reach.endpoints(f"{service.name}-{colour}")
            if active == wanted and active:
                return
            if time.monotonic() > deadline:
                raise DeadlineExceeded(tried, f"it leads to {sorted(active.values())}, not {sorted(wanted.values())}")
            time.sleep(rollout.POLL_SECONDS)

    def address(self, service: Service, which: Which) -> str:
        name = service.name if which == "active" else f"{service.name}-preview"
        found = self.cluster.read("services", name, self.names.namespace)
        port = int(found["spec"]["ports"][0]["port"])
        return f"http://{self.reach.service(name, port, HTTP_PORT)}"

    def scale(self, service: Service, colour: Colour, replicas: int) -> tuple[Instance, ...]:
        if self.cluster.inside:
            patching.scale(self.cluster, self.names, service, colour, replicas)
        else:
            with self._changing():
                own = {"colours": {colour: {"replicas": replicas}}}
                self.release.change(values.merged(self.release.values(), {service.name: own}))
        return self._rolled_out(service.model_copy(update={"replicas": replicas}), colour)

    def remove(self, service: Service, colour: Colour) -> None:
        tried = f"remove {service.name} {colour}"
        if not self.cluster.inside and self.release.state() is None:
            return
        live = self.live_colour(service)
        if live == colour:
            raise RefusedError(tried, "it is the live colour", "Switch first.")
        with self._changing():
            if live:
                # Not left to the chart: Helm 4 does not take a field over that somebody else has set.
                self._lead(f"{service.name}-preview", live)
            if self.cluster.inside:
                patching.scale(self.cluster, self.names, service, colour, 0)
            else:
                self.release.change(values.without_colour(self.shop, self.release.values(), service, colour))
        labels = selector(self.names.labels(service.name, colour))
        rollout.wait_until_gone(self.cluster, self.names.namespace, labels, seconds=DATABASE_SECONDS, tried=tried)

    def logs(self, service: Service, colour: Colour, lines: int) -> str:
        names = [each["metadata"]["name"] for each in self.pods(service, colour)]
        return "\n".join(f"--- {name}\n{self.cluster.logs(name, self.names.namespace, lines=lines)}" for name in names)

    def events(self, service: Service, colour: Colour) -> list[str]:
        """What the cluster says about the colour's Deployment and pods."""
        named = [deployment_name(service, colour), *(each["metadata"]["name"] for each in self.pods(service, colour))]
        return [f"{name}: {said}" for name in named for said in self.cluster.events(self.names.namespace, name)]

    def execute(self, pod: str, command: Sequence[str], *, timeout: float = 30.0) -> Completed:
        """Run a command in a pod of the shop; its exit code is an answer."""
        return self.cluster.execute(pod, self.names.namespace, command, timeout=timeout)

    def shared_document(self, name: str) -> Document:
        return ConfigMapDocument(self.cluster, self.names.namespace, f"ecom-{name}")

    def load_sampler(self) -> PodsOfShop:
        return PodsOfShop(self.cluster, self.names.namespace)

    def load_workers(self) -> tuple[str, ...]:
        """Those of the platform's chart, for pods of runs: from outside, the shop's addresses are forwarded ports."""
        wanted = self.shop.load.workers if self.shop.load and self.cluster.inside else 0
        labels = selector(self.names.platform_labels(LOAD_WORKER))
        pods = self.cluster.list("pods", self.names.platform_namespace, labels=labels) if wanted else []
        found = sorted(f"{each['status']['podIP']}:{LOAD_WORKER_PORT}" for each in pods if rollout.ready(each))
        if len(found) < wanted:
            raise MissingError("make load", f"{len(found)} of {wanted} load workers are ready", "See `ecom status`.")
        return tuple(found[:wanted])

    def folder_tree(self, name: str) -> Tree:
        """Read in a pod of a service that has the folder, by that pod's own Python."""
        tried = f"read the folder {name}"
        for service in self.shop.services:
            for variable, value in service.environment.items():
                if isinstance(value, FolderReference) and value.folder == name:
                    live = self.live_colour(service)
                    ready = self.instances(service, live) if live else ()
                    if not ready:
                        raise MissingError(tried, f"no pod of {service.name} is ready", "Deploy the shop first.")
                    namespace = self.names.namespace
                    return PodTree(
                        self.cluster, ready[0].name, namespace, container=service.name, name=name, place=variable
                    )
        raise ConfigurationError(
            tried, "no service of the spec has it", f"Add `{{folder: {name}}}` to the environment of one that does."
        )
