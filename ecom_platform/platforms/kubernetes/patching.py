"""Changes of a colour from inside the cluster: its Deployment, which the chart has made, is patched by name.

For an account that may do this and not use Helm (docs/decisions/operated-inside.md). `ecom up` reads what runs
before it upgrades the release, so neither undoes the other's work.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.errors import BusyError, ConfigurationError, MissingError
from ecom_platform.platforms.kubernetes.names import SETTINGS, VERSION, Names
from ecom_platform.platforms.kubernetes.values import image, settings
from ecom_platform.platforms.protocol import Colour
from ecom_platform.spec import Service

TRIES = 5
"""Somebody else may change the Deployment between reading and patching (its controller does not: it writes the
status)."""


def run_as(cluster: Cluster, names: Names, service: Service, colour: Colour) -> None:
    """The colour's Deployment at the service's image, version, settings and replicas; nothing if it is so.

    Settings that left the spec go, as far as the Deployment says which were the spec's; those that the chart's
    values give every colour stay. Raises ConfigurationError if there is no such Deployment.
    """
    _change(cluster, names, f"{service.name}-{colour}", lambda found: changed(found, service))


def scale(cluster: Cluster, names: Names, service: Service, colour: Colour, replicas: int) -> None:
    """Nothing happens to a colour that is not there and is to have none."""
    name = f"{service.name}-{colour}"
    if replicas or cluster.find("deployments", name, names.namespace) is not None:
        _change(cluster, names, name, lambda _: {"spec": {"replicas": replicas}})


def _change(cluster: Cluster, names: Names, name: str, change: Callable[[Object], Object]) -> None:
    for last in (*[False] * (TRIES - 1), True):
        try:
            found = cluster.read("deployments", name, names.namespace)
        except MissingError as error:
            raise ConfigurationError(
                f"change {name} in {names.namespace}",
                "there is no such Deployment, and this account may not make one",
                "Bring the shop up with `ecom up`: its chart makes both colours.",
            ) from error
        wanted = change(found)
        if holds(found, wanted):
            return
        wanted["metadata"] = {**wanted.get("metadata", {}), "resourceVersion": found["metadata"]["resourceVersion"]}
        try:
            cluster.patch("deployments", name, wanted, names.namespace)
        except BusyError:
            if last:
                raise
        else:
            return


def changed(deployment: Object, service: Service) -> Object:
    """The merge patch that makes the Deployment the service's."""
    repository, tag = image(service)
    containers = copy.deepcopy(deployment["spec"]["template"]["spec"]["containers"])
    own = containers[0]
    own["image"] = f"{repository}:{tag}"
    wanted = {"VERSION": service.version, **settings(service)}
    before = (deployment["metadata"].get("annotations") or {}).get(SETTINGS, "")
    gone = set(before.split(",")) - wanted.keys()
    present = [each for each in own.get("env") or [] if each["name"] not in gone]
    # In the old order, so that what is the same makes no new pods.
    own["env"] = [
        {"name": each["name"], "value": wanted[each["name"]]} if each["name"] in wanted else each for each in present
    ]
    known = {each["name"] for each in present}
    own["env"] += [{"name": name, "value": value} for name, value in wanted.items() if name not in known]
    labels = {VERSION: service.version}
    return {
        "metadata": {"labels": labels, "annotations": {SETTINGS: ",".join(sorted(settings(service)))}},
        "spec": {
            "replicas": service.replicas,
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }


def holds(found: Object, wanted: Object) -> bool:
    """Whether everything that a merge patch wants is so."""
    return all(
        holds(found.get(key) or {}, value) if isinstance(value, dict) else found.get(key) == value
        for key, value in wanted.items()
    )
