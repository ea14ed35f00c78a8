"""Looks at a cluster before a shop is brought there, and at the shop that runs there. Changes nothing but probes."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from ecom_platform.clients import helm
from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.errors import EcomError
from ecom_platform.platforms.kubernetes.names import DATABASE, MANAGED, RESTRICTED, selector
from ecom_platform.platforms.kubernetes.platform import KubernetesPlatform
from ecom_platform.platforms.kubernetes.rollout import ready
from ecom_platform.platforms.kubernetes.values import image
from ecom_platform.platforms.protocol import Colour
from ecom_platform.records import Findings
from ecom_platform.spec import Service
from ecom_platform.validation import hardening, network, service_accounts
from ecom_platform.verdicts import Verdict, failed, holds, inconclusive

OLDEST = (1, 30)
"""`preStop.sleep` of the chart is on from here."""

NEEDED = (
    ("create", "", "namespaces"),
    ("create", "", "secrets"),
    ("create", "apps", "deployments"),
    ("create", "apps", "statefulsets"),
    ("create", "batch", "jobs"),
    ("patch", "", "services"),
    ("create", "", "pods/exec"),
    ("create", "", "pods/portforward"),
    ("create", "networking.k8s.io", "networkpolicies"),
    ("create", "rbac.authorization.k8s.io", "roles"),
    ("create", "rbac.authorization.k8s.io", "rolebindings"),
    ("create", "", "serviceaccounts"),
    ("create", "", "configmaps"),
    ("patch", "apps", "deployments"),
    ("create", "", "serviceaccounts/token"),
    ("create", "authorization.k8s.io", "subjectaccessreviews"),
)


def examine(platform: KubernetesPlatform) -> list[Verdict]:
    """A verdict for each thing that the platform needs of the cluster; it stops where nothing answers."""
    cluster = platform.cluster
    try:
        version = cluster.version()
    except EcomError as error:
        return [failed("the API server answers", str(error))]
    seen = tuple(int(each) for each in re.findall(r"\d+", version)[:2])
    return [
        holds(f"Kubernetes is {OLDEST[0]}.{OLDEST[1]} or newer", seen >= OLDEST, version),
        _helm(platform),
        *(_may(cluster, platform.names.namespace, *each) for each in NEEDED),
        _storage(cluster, platform),
    ]


def _helm(platform: KubernetesPlatform) -> Verdict:
    claim = f"Helm is {'.'.join(map(str, helm.OLDEST))} or newer, or 4"
    try:
        version = platform.release.helm.version()
    except EcomError as error:
        return failed(claim, str(error))
    return holds(claim, helm.accepted(version), version)


def _may(cluster: Cluster, namespace: str, verb: str, group: str, resource: str) -> Verdict:
    claim = f"this account may {verb} {resource}"
    kind, _, part = resource.partition("/")
    wish = {"verb": verb, "group": group, "resource": kind, "subresource": part, "namespace": namespace}
    review: Object = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": wish},
    }
    try:
        status = cluster.create("selfsubjectaccessreviews", review)["status"]
    except EcomError as error:
        return inconclusive(claim, str(error))
    return holds(claim, status.get("allowed"), f"allowed: {status.get('allowed', False)}")


def _storage(cluster: Cluster, platform: KubernetesPlatform) -> Verdict:
    """The database's volume finds a storage class: the one of the values, or the cluster's default."""
    claim = "there is a storage class for the database"
    wanted = platform.shop.kubernetes.values.get("database", {}).get("persistence", {}).get("storageClass", "")
    try:
        classes = cluster.list("storageclasses")
    except EcomError as error:
        return inconclusive(claim, str(error))
    names = {each["metadata"]["name"] for each in classes}
    mark = "storageclass.kubernetes.io/is-default-class"
    default = [e["metadata"]["name"] for e in classes if (e["metadata"].get("annotations") or {}).get(mark) == "true"]
    return holds(claim, wanted in names if wanted else default, wanted or ", ".join(default) or "no default class")


def checks(service: Service) -> dict[str, str]:
    """The checks of a service in a cluster, beside those of every platform."""
    whole = {**network.CHECKS, **service_accounts.CHECKS}
    return {**hardening.CHECKS, **(whole if service.front_door else {})}


def validate(platform: KubernetesPlatform, service: Service) -> Findings:
    """Verdicts for each of `checks(service)`; for the front door also those of the whole shop."""
    colour = platform.live_colour(service)
    if colour is None:
        nothing = inconclusive(f"{service.name} is deployed", "it has no live colour; run `ecom launch deploy`")
        return Findings({check: [nothing] for check in checks(service)})
    cluster, names = platform.cluster, platform.names
    found: dict[str, list[Verdict]] = {
        "hardened": [each for pod in platform.pods(service, colour) for each in hardening.hardened(cluster, pod)],
        "admission": hardening.admission(cluster, names.namespace, ":".join(image(service))),
    }
    if service.front_door:
        found["hardened"] += _database_hardened(platform)
        found["walled_off"] = _walled_off(platform, colour)
        found["least_rights"] = (
            service_accounts.own_rights(cluster, _itself(platform))
            if cluster.inside
            else service_accounts.least_rights(cluster, accounts(platform))
        )
    return Findings(found)


def _walled_off(platform: KubernetesPlatform, colour: Colour) -> list[Verdict]:
    """From inside, by an account that may make no namespace, without the outsider."""
    cluster, probe = platform.cluster, platform.shop.kubernetes.probe_image
    if cluster.inside:
        return network.walled_off(cluster, platform.names, colour, probe, None)
    with elsewhere(cluster) as stranger:
        return network.walled_off(cluster, platform.names, colour, probe, stranger)


def proved_from_outside(platform: KubernetesPlatform) -> list[Verdict]:
    """What takes an operator's rights to try: every pair of the network, and the rights of every account."""
    colour = platform.live_colour(platform.shop.front_door)
    if colour is None:
        return [inconclusive("the front door is deployed", "it has no live colour")]
    rights = service_accounts.least_rights(platform.cluster, accounts(platform))
    return [*_walled_off(platform, colour), *rights]


def _itself(platform: KubernetesPlatform) -> service_accounts.Account:
    """The account of this very process, a run."""
    found = service_accounts.of_platform(platform.names.platform_namespace, platform.names.namespace)
    return next(each for each in found if each.name == "run")


def _database_hardened(platform: KubernetesPlatform) -> list[Verdict]:
    """The database's own pods, whose image has a user of its own."""
    where = platform.names.database_namespace
    pods = platform.cluster.list("pods", where, labels=selector(platform.names.labels(DATABASE)))
    return [
        each
        for pod in pods
        if ready(pod)
        for each in hardening.hardened(
            platform.cluster, pod, user=int(pod["spec"]["securityContext"].get("runAsUser") or hardening.USER)
        )
    ]


def accounts(platform: KubernetesPlatform) -> list[service_accounts.Account]:
    """The shop's accounts, and the platform's where its chart is installed."""
    names = platform.names
    mine = service_accounts.of_shop(names.namespace)
    if platform.cluster.find("serviceaccounts", "run", names.platform_namespace) is None:
        return mine
    return mine + service_accounts.of_platform(names.platform_namespace, names.namespace)


@contextmanager
def elsewhere(cluster: Cluster) -> Iterator[str]:
    """A namespace that is not the shop's, for as long as the block takes."""
    name = f"ecom-elsewhere-{secrets.token_hex(4)}"
    body: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    body["metadata"]["labels"] = {**MANAGED, **RESTRICTED}
    cluster.create("namespaces", body)
    try:
        yield name
    finally:
        cluster.delete("namespaces", name)
