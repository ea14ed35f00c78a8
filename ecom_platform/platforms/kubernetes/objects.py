"""The objects of namespaces as somebody set them: without what the cluster adds, decides and derives, and without
the values of Secrets.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from ecom_platform.backup.sources.configuration import ACCEPTED
from ecom_platform.clients.kubernetes_api import Cluster, Object, api_version
from ecom_platform.errors import BusyError, ConfigurationError, EcomError, MissingError
from ecom_platform.verdicts import Verdict, failed, holds, inconclusive

KINDS = {
    "serviceaccounts": "ServiceAccount",
    "roles": "Role",
    "rolebindings": "RoleBinding",
    "configmaps": "ConfigMap",
    "persistentvolumeclaims": "PersistentVolumeClaim",
    "services": "Service",
    "deployments": "Deployment",
    "statefulsets": "StatefulSet",
    "daemonsets": "DaemonSet",
    "cronjobs": "CronJob",
    "horizontalpodautoscalers": "HorizontalPodAutoscaler",
    "poddisruptionbudgets": "PodDisruptionBudget",
    "ingresses": "Ingress",
    "networkpolicies": "NetworkPolicy",
    "limitranges": "LimitRange",
    "resourcequotas": "ResourceQuota",
}
"""Kinds that hold configuration, in the order in which they may be made again. Pods, ReplicaSets, Jobs and
endpoints follow from others."""

_KEPT_METADATA = ("name", "labels", "annotations")
_DECIDED_ANNOTATIONS = (
    "deployment.kubernetes.io/",
    "kubectl.kubernetes.io/last-applied-configuration",
    "pv.kubernetes.io/",
    "volume.kubernetes.io/",
    "volume.beta.kubernetes.io/",
    "autoscaling.alpha.kubernetes.io/",
)
_DECIDED_SPEC = {
    "services": ("clusterIP", "clusterIPs", "healthCheckNodePort"),
    "persistentvolumeclaims": ("volumeName",),
}
_MADE_BY_CLUSTER = {("configmaps", "kube-root-ca.crt"), ("serviceaccounts", "default")}
_DERIVED_SECRETS = ("helm.sh/release.v1", "kubernetes.io/service-account-token")
_PUBLIC_KEYS = ("user", "username", "host", "port", "database", "dbname", "ca.crt", "tls.crt", "namespace")
"""Keys of Secrets whose values are no secrets, and may stand elsewhere."""


def documents(cluster: Cluster, namespaces: Sequence[str]) -> dict[str, object]:
    """By path kubernetes/NAMESPACE/KIND/NAME.json.

    What this account may not read is said in kubernetes/NAMESPACE/not-read.json.
    Raises ConfigurationError if it may read nothing of a namespace.
    """
    found: dict[str, object] = {}
    for namespace in namespaces:
        refused: dict[str, str] = {}
        for kind in (*KINDS, "secrets"):
            try:
                listed = cluster.list(kind, namespace)
            except ConfigurationError as error:
                refused[kind] = error.seen
                continue
            found |= {
                _path(namespace, kind, each): _document(kind, each) for each in listed if not _derived(kind, each)
            }
        if len(refused) > len(KINDS):
            raise ConfigurationError(f"read the objects of {namespace}", refused["secrets"], "Allow it, or do without.")
        if refused:
            found[f"kubernetes/{namespace}/not-read.json"] = refused
    return found


def _document(kind: str, item: Object) -> Object:
    return without_values(item) if kind == "secrets" else without_state(kind, item)


def _path(namespace: str, kind: str, item: Object) -> str:
    return f"kubernetes/{namespace}/{kind}/{item['metadata']['name']}.json"


def _derived(kind: str, item: Object) -> bool:
    """Whether something else makes it: an owner, or the cluster for each namespace."""
    if kind == "secrets" and item.get("type") in _DERIVED_SECRETS:
        return True
    return bool(item["metadata"].get("ownerReferences")) or (kind, item["metadata"]["name"]) in _MADE_BY_CLUSTER


def without_state(kind: str, item: Object) -> Object:
    """The object as it would be created: no status, no identities, nothing that the cluster decided."""
    kept = copy.deepcopy({name: value for name, value in item.items() if name not in ("status", "metadata")})
    for field in _DECIDED_SPEC.get(kind, ()):
        if kept["spec"].get(field) not in ("None", ["None"]):
            kept["spec"].pop(field, None)
    if kind == "services":
        for port in kept["spec"].get("ports") or ():
            port.pop("nodePort", None)
    if kind == "serviceaccounts":
        kept.pop("secrets", None)
    return {**kept, "apiVersion": api_version(kind), "kind": KINDS[kind], "metadata": _metadata(item)}


def without_values(secret: Object) -> Object:
    """A Secret's name, type and keys."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": _metadata(secret),
        "type": secret.get("type", "Opaque"),
        "keys": sorted(secret.get("data") or {}),
    }


def _metadata(item: Object) -> Object:
    kept = {name: copy.deepcopy(item["metadata"][name]) for name in _KEPT_METADATA if item["metadata"].get(name)}
    annotations = kept.get("annotations") or {}
    kept["annotations"] = {
        name: value for name, value in annotations.items() if not name.startswith(_DECIDED_ANNOTATIONS)
    }
    return {name: value for name, value in kept.items() if value}


def secret_values(cluster: Cluster, namespaces: Sequence[str]) -> dict[str, bytes]:
    """By NAMESPACE/SECRET/KEY; without what names a place or an account, and without those of namespaces
    whose Secrets this account may not read.
    """
    return {
        f"{namespace}/{each['metadata']['name']}/{key}": base64.b64decode(value)
        for namespace in namespaces
        for each in _secrets(cluster, namespace)
        if each.get("type") not in _DERIVED_SECRETS
        for key, value in (each.get("data") or {}).items()
        if key not in _PUBLIC_KEYS
    }


def _secrets(cluster: Cluster, namespace: str) -> list[Object]:
    try:
        return cluster.list("secrets", namespace)
    except ConfigurationError:
        return []  # documents() says so


def restored(folder: Path) -> list[tuple[str, Object]]:
    """The objects (kind, object) of a restored folder of documents, in the order in which they may be made.

    Secrets are not among them: there are no values to make them of.
    """
    found = [(path.parent.name, json.loads(path.read_bytes())) for path in sorted(folder.glob("kubernetes/*/*/*.json"))]
    order = list(KINDS)
    return sorted((each for each in found if each[0] in KINDS), key=lambda each: order.index(each[0]))


def rehearse(cluster: Cluster, scratch: str, restored: Sequence[tuple[str, Object]]) -> Verdict:
    """Offer each object (kind, object) to the API server in the scratch namespace, to be checked and not kept, and
    compare what it would make of it.
    """
    wrong, untried = [], []
    for kind, item in restored:
        name = f"{kind}/{item['metadata']['name']}"
        try:
            made = without_state(kind, cluster.create(kind, item, scratch, dry_run=True))
        except (ConfigurationError, BusyError, MissingError) as error:
            wrong.append(f"{name}: {error.seen}")
        except EcomError as error:
            untried.append(f"{name}: {error.seen}")
        else:
            wrong += [f"{name}: {each}" for each in differences(item, made)]
    if wrong:
        return failed(ACCEPTED, "; ".join(wrong[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else ""))
    if untried:
        return inconclusive(ACCEPTED, "; ".join(untried[:5]))
    return holds(ACCEPTED, restored, f"{len(restored)} objects, in {scratch}")


def differences(expected: object, observed: object, place: str = "") -> Iterator[str]:
    """Paths at which they differ, with both values."""
    if isinstance(expected, dict) and isinstance(observed, dict):
        for name in sorted({*expected, *observed}):
            yield from differences(expected.get(name), observed.get(name), f"{place}.{name}".lstrip("."))
    elif isinstance(expected, list) and isinstance(observed, list) and len(expected) == len(observed):
        for number, (one, other) in enumerate(zip(expected, observed, strict=True)):
            yield from differences(one, other, f"{place}[{number}]")
    elif expected != observed:
        yield f"{place}: was {str(expected)[:80]!r}, would be {str(observed)[:80]!r}"
