"""Looks at a namespace: its objects, the files in its volumes, its databases. It changes nothing.

The same look is taken at the source when a backup is made, and at what came back from it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ecom_platform.backup import fingerprints
from ecom_platform.backup.signing import SigningKey
from ecom_platform.clients import sql
from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.errors import EcomError
from ecom_platform.platforms.kubernetes import objects
from ecom_platform.platforms.kubernetes.names import DATABASE, DATABASE_PORT, MANAGED, Names
from ecom_platform.platforms.kubernetes.reach import Reach
from ecom_platform.platforms.kubernetes.rollout import ready
from ecom_platform.platforms.protocol import DatabaseAccess
from ecom_platform.velero.evidence import Moment

CLAIM_KIND = "persistentvolumeclaims"
OPEN_DOORS = ("ingresses",)
"""Kinds that are neither restored nor compared: a second Ingress would take people from the live one."""

_VELERO_MARK = "velero.io/"
_SCRATCH_MARK = "ecom/scratch"

# lost+found belongs to the file system, and .velero is what Velero leaves in a restored volume. Anything said on the
# other channel means that something was not read.
_SKIPPED = r"\( -name lost+found -o -path ./.velero \) -prune"
_DIGEST = (
    f'cd "$1" && {{ find . {_SKIPPED} -o -type f -exec sha256sum {{}} +; '
    f"find . {_SKIPPED} -o ! -type f -print; }} | LC_ALL=C sort | sha256sum"
)


def all_objects(cluster: Cluster, namespace: str, key: SigningKey, *, called: str = "") -> dict[str, object]:
    """Documents by KIND/NAME; `called` stands for the namespace's own name in them, for comparison with another one.

    Without what Velero and the platform add for a restore.
    """
    found: dict[str, Any] = {}
    for path, document in objects.documents(cluster, [namespace]).items():
        kind, name = path.removesuffix(".json").split("/")[-2:]
        plain = compared(document, namespace, called or namespace)
        if kind not in OPEN_DOORS and _SCRATCH_MARK not in plain["metadata"].get("labels", {}):
            found[f"{kind}/{name}"] = plain
    for path, value in objects.secret_values(cluster, [namespace]).items():
        _, name, entry = path.split("/", 2)
        if f"secrets/{name}" in found:
            found[f"secrets/{name}"].setdefault("digests", {})[entry] = key.keyed_digest(value)
    return found


def compared(document: object, namespace: str, called: str) -> Any:
    """A copy as it is compared: under the name of the other namespace, without what Velero puts on what it restores."""
    return _unmarked(json.loads(json.dumps(_renamed(document, namespace, called))))


def _unmarked(document: Object) -> Object:
    for field in ("labels", "annotations"):
        kept = {name: it for name, it in (document["metadata"].get(field) or {}).items() if _VELERO_MARK not in name}
        document["metadata"].pop(field, None)
        if kept:
            document["metadata"][field] = kept
    return document


def _renamed(value: object, old: str, new: str) -> object:
    if isinstance(value, dict):
        return {name: _renamed(it, old, new) for name, it in value.items()}
    if isinstance(value, list):
        return [_renamed(it, old, new) for it in value]
    return new if value == old else value


def claims(cluster: Cluster, namespace: str) -> tuple[str, ...]:
    return tuple(sorted(each["metadata"]["name"] for each in cluster.list(CLAIM_KIND, namespace)))


def running_pods(cluster: Cluster, namespace: str) -> list[Object]:
    """Without the platform's own throw-away pods."""
    pods = cluster.list("pods", namespace)
    return [
        each
        for each in pods
        if each["status"].get("phase") not in ("Succeeded", "Failed")
        and not MANAGED.items() <= (each["metadata"].get("labels") or {}).items()
    ]


def contents(cluster: Cluster, namespace: str, skipped: Sequence[str], *, seconds: float) -> dict[str, str]:
    """A digest of the files of each claim, read by a container that mounts it; empty where none could read it all."""
    pods = running_pods(cluster, namespace)
    return {
        each: _content(cluster, namespace, each, pods, seconds)
        for each in claims(cluster, namespace)
        if each not in skipped
    }


def _content(cluster: Cluster, namespace: str, claim: str, pods: Sequence[Object], seconds: float) -> str:
    for pod in pods:
        if not (mount := mount_of(pod, claim)) or not ready_to_run(pod):
            continue
        container, path = mount
        command = ["sh", "-c", _DIGEST, "digest", path]
        name = pod["metadata"]["name"]
        try:
            done = cluster.execute(name, namespace, command, container=container, timeout=seconds)
        except EcomError:
            continue  # it has no shell, or went away: an empty digest is inconclusive
        if done.code == 0 and not done.stderr.strip():
            return done.stdout.split()[0]
    return ""


def ready_to_run(pod: Object) -> bool:
    return any("running" in each.get("state", {}) for each in pod["status"].get("containerStatuses") or ())


def mount_of(pod: Object, claim: str) -> tuple[str, str] | None:
    """Container and path where a pod has the whole claim."""
    names = [
        each["name"]
        for each in pod["spec"].get("volumes") or ()
        if (each.get("persistentVolumeClaim") or {}).get("claimName") == claim
    ]
    for container in pod["spec"]["containers"]:
        for mount in container.get("volumeMounts") or ():
            if mount["name"] in names and not mount.get("subPath") and not mount.get("subPathExpr"):
                return container["name"], mount["mountPath"]
    return None


def database_claims(cluster: Cluster, names: Names, namespace: str) -> tuple[str, ...]:
    """The claims of the shop's database, whose files change by themselves; its content is compared by fingerprint."""
    mine = names.labels(DATABASE).items()
    return tuple(
        volume["persistentVolumeClaim"]["claimName"]
        for pod in cluster.list("pods", namespace)
        if mine <= (pod["metadata"].get("labels") or {}).items()
        for volume in pod["spec"].get("volumes") or ()
        if "persistentVolumeClaim" in volume
    )


def database_ready(cluster: Cluster, names: Names, namespace: str) -> bool:
    mine = names.labels(DATABASE).items()
    pods = [it for it in cluster.list("pods", namespace) if mine <= (it["metadata"].get("labels") or {}).items()]
    return any(ready(each) for each in pods)


def fingerprint(
    cluster: Cluster,
    namespace: str,
    database: str,
    user: str,
    password: str,
    *,
    like: fingerprints.Fingerprint | None = None,
) -> dict[str, object]:
    """Of the database behind the Service `database` of a namespace, in one snapshot. like: to compare it with."""
    host, _, port = Reach(cluster, namespace).service(DATABASE, DATABASE_PORT, DATABASE_PORT).rpartition(":")
    access = DatabaseAccess(sql.url(user=user, host=host, port=port, dbname=database), password)
    with sql.connect(access, settings={"statement_timeout": "0"}) as connection, connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        return fingerprints.fingerprint(connection, like=like).model_dump(mode="json")


def moment(
    cluster: Cluster,
    namespace: str,
    key: SigningKey,
    *,
    skipped: Sequence[str],
    databases: dict[str, object],
    seconds: float,
) -> Moment:
    return Moment(
        objects=all_objects(cluster, namespace, key),
        contents=contents(cluster, namespace, skipped, seconds=seconds),
        databases=databases,
    )
