"""The Kubernetes platform: the front of this package; it puts the parts together and speaks the protocol."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Literal

from ecom_platform.backup.sources.trees import Tree
from ecom_platform.clients.commands import Completed
from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.clients.web import session
from ecom_platform.errors import ConfigurationError, DeadlineExceeded, MissingError, RefusedError, UnreachableError
from ecom_platform.platforms import replacement
from ecom_platform.platforms.kubernetes import objects, rollout, scratch, secrets, tasks, values
from ecom_platform.platforms.kubernetes.data import Data
from ecom_platform.platforms.kubernetes.document import ConfigMapDocument
from ecom_platform.platforms.kubernetes.names import (
    COLOUR,
    DATABASE,
    DATABASE_PORT,
    HTTP_PORT,
    VERSION,
    names_of,
    selector,
)
from ecom_platform.platforms.kubernetes.pod_tree import PodTree
from ecom_platform.platforms.kubernetes.reach import Reach
from ecom_platform.platforms.kubernetes.release import Release
from ecom_platform.platforms.kubernetes.sampling import PodsOfShop
from ecom_platform.platforms.local.locks import held
from ecom_platform.platforms.protocol import Colour, DatabaseAccess, Document, Instance, Which, managed
from ecom_platform.secret_values import resolve
from ecom_platform.spec import Database, FolderReference, Service, Shop
from ecom_platform.verdicts import Verdict

DEPLOY_WAIT_SECONDS = 300.0
"""How long one change of the release waits for another one of this state folder."""

SWITCH_SECONDS = 30.0
DATABASE_SECONDS = 180.0
"""A new server makes its files and starts within half a minute; the image may have to be pulled."""

PULL_SECONDS = 120.0
"""Beside the start itself: scheduling and pulling the image."""


class KubernetesPlatform(Data):
    """One shop in one namespace. Making it touches nothing. state: for keys, reports and Dagster's records."""

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

    # Life

    def install(self) -> bool:
        """Namespaces, Secrets and the release as far as they are not there; waits for the database alone.

        Gives whether it was installed now.
        """
        with self._changing():
            new = self.release.ensure()
        self._wait_for_database()
        return new

    def _wait_for_database(self) -> None:
        deadline = time.monotonic() + DATABASE_SECONDS
        labels = selector(self.names.labels(DATABASE))
        tried = f"start the database in {self.names.namespace}"
        while True:
            pods = self.cluster.list("pods", self.names.namespace, labels=labels)
            if any(rollout.ready(each) for each in pods):
                return
            rollout.refuse_troubled_pods(self.cluster, self.names.namespace, pods, tried)
            if time.monotonic() > deadline:
                raise DeadlineExceeded(tried, f"not ready after {DATABASE_SECONDS:g} s")
            time.sleep(rollout.POLL_SECONDS)

    def down(self) -> None:
        """Uninstall the release; the volumes, the Secrets and the namespaces stay, and so do the backups."""
        with self._changing():
            self.release.remove()

    def reset(self) -> None:
        """Uninstall, and remove the namespaces that were made here, with the database's volume and passwords."""
        self.down()
        self.release.remove_namespace()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with held(self.lock("release"), "a change of the release", seconds=DEPLOY_WAIT_SECONDS):
            yield

    # Services

    def deploy(self, service: Service, colour: Colour) -> tuple[Instance, ...]:
        self.install()
        with self._changing():
            wanted = values.with_colour(self.shop, self.release.values(), service, colour)
            if self.release.change(wanted):
                self._migrated(service)
            elif self.cluster.find("deployments", _deployment(service, colour), self.names.namespace) is None:
                self.release.helm.upgrade(self.release.chart, wanted)  # somebody took it away
            if self.live_colour(service) != colour:
                self._lead(f"{service.name}-preview", colour)
        return self._rolled_out(service, colour)

    def _migrated(self, service: Service) -> None:
        if values.uses_database(service):
            name = tasks.newest_migration(self.cluster, self.names)["metadata"]["name"]
            tried = f"migrate the database for {service.name} {service.version}"
            rollout.wait_for_job(self.cluster, self.names.namespace, name, seconds=DATABASE_SECONDS, tried=tried)

    def _rolled_out(self, service: Service, colour: Colour) -> tuple[Instance, ...]:
        seconds = (service.probes.start_timeout.total_seconds() + PULL_SECONDS) * max(1, service.replicas)
        tried = f"deploy {service.name} {service.version} as {colour}"
        name = _deployment(service, colour)
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

    def live_colour(self, service: Service) -> Colour | None:
        found = self.cluster.find("services", service.name, self.names.namespace)
        return _colour((found or {}).get("spec", {}).get("selector") or {})

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
        with self._changing():
            own = {"colours": {colour: {"replicas": replicas}}}
            self.release.change(values.merged(self.release.values(), {service.name: own}))
        return self._rolled_out(service.model_copy(update={"replicas": replicas}), colour)

    def remove(self, service: Service, colour: Colour) -> None:
        tried = f"remove {service.name} {colour}"
        if self.release.state() is None:
            return
        live = self.live_colour(service)
        if live == colour:
            raise RefusedError(tried, "it is the live colour", "Switch first.")
        with self._changing():
            if live:
                # Not left to the chart: Helm 4 does not take a field over that somebody else has set.
                self._lead(f"{service.name}-preview", live)
            self.release.change(values.without_colour(self.release.values(), service, colour))
        labels = selector(self.names.labels(service.name, colour))
        rollout.wait_until_gone(self.cluster, self.names.namespace, labels, seconds=DATABASE_SECONDS, tried=tried)

    def logs(self, service: Service, colour: Colour, lines: int) -> str:
        names = [each["metadata"]["name"] for each in self.pods(service, colour)]
        return "\n".join(f"--- {name}\n{self.cluster.logs(name, self.names.namespace, lines=lines)}" for name in names)

    def events(self, service: Service, colour: Colour) -> list[str]:
        """What the cluster says about the colour's Deployment and pods."""
        named = [_deployment(service, colour), *(each["metadata"]["name"] for each in self.pods(service, colour))]
        return [f"{name}: {said}" for name in named for said in self.cluster.events(self.names.namespace, name)]

    def execute(self, pod: str, command: Sequence[str], *, timeout: float = 30.0) -> Completed:
        """Run a command in a pod of the shop; its exit code is an answer."""
        return self.cluster.execute(pod, self.names.namespace, command, timeout=timeout)

    def shared_document(self, name: str) -> Document:
        return ConfigMapDocument(self.cluster, self.names.namespace, f"ecom-{name}")

    def load_sampler(self) -> PodsOfShop:
        return PodsOfShop(self.cluster, self.names.namespace)

    # Data

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

    def documents(self) -> Mapping[str, object]:
        """Objects of the shop's namespaces and the release, without run-time state and secret values."""
        found = objects.documents(self.cluster, self._namespaces())
        state = self.release.state()
        if state is not None:
            release = {"revision": state.revision, "chart": self.release.chart.name, "values": self.release.values()}
            found[f"helm/{self.names.namespace}/{self.names.release}.json"] = release
        return found

    def judge_documents(self, folder: Path) -> list[Verdict]:
        """Offers every restored object to the API server in a scratch namespace, gone afterwards."""
        return [scratch.rehearsed(self.cluster, objects.restored(folder))]

    def secret_values(self) -> Mapping[str, bytes]:
        return {**super().secret_values(), **objects.secret_values(self.cluster, self._namespaces())}

    def _namespaces(self) -> list[str]:
        names = (self.names.namespace, self.names.platform_namespace)
        return [each for each in names if self.cluster.find("namespaces", each) is not None]

    def run_task(self, database: Database, command: Sequence[str], *, timeout: float, image: str = "") -> Completed:
        del database  # the chart has one, and its migration's secrets lead to it
        self.install()
        return tasks.run_task(self.cluster, self.names, command, timeout=timeout, image=image)

    def database(self, database: Database, role: Literal["owner", "app", "backup"]) -> DatabaseAccess:
        from ecom_platform.clients import sql

        if database.url is not None:
            return sql.split_url(resolve(database.url, f"the database {database.name}"))
        return self._access(database.name, role)

    def _access(self, database: str, role: secrets.Role) -> DatabaseAccess:
        from ecom_platform.clients import sql

        if self.cluster.find("services", DATABASE, self.names.namespace) is None:
            raise MissingError(f"reach the database {database}", "the shop is not installed", "Run `ecom up`.")
        host, _, port = self.reach.service(DATABASE, DATABASE_PORT, DATABASE_PORT).rpartition(":")
        url = sql.url(user=secrets.user(role), host=host, port=port, dbname=database)
        return DatabaseAccess(url, secrets.read_password(self.cluster, self.names, role))

    def ensure_server(self, database: Database) -> bool:
        """The cluster itself starts a server that died; one whose volume is gone begins with an empty database."""
        managed(database)
        self._wait_for_database()
        return False

    def fence(self, database: Database, *, closed: bool) -> None:
        replacement.fence(self._superuser(), managed(database).name, closed=closed)

    def replacement(self, database: Database) -> DatabaseAccess:
        owner, users = secrets.user("owner"), (secrets.user("app"), secrets.user("backup"))
        return replacement.make(self._superuser(), managed(database).name, owner=owner, users=users)

    def put_in_place(self, database: Database) -> str:
        return replacement.put_in_place(self._superuser(), managed(database).name)

    def _superuser(self) -> DatabaseAccess:
        return self._access("postgres", "superuser")


def _deployment(service: Service, colour: Colour) -> str:
    return f"{service.name}-{colour}"


def _colour(labels: dict[str, str]) -> Colour | None:
    seen = labels.get(COLOUR)
    return "blue" if seen == "blue" else "green" if seen == "green" else None
