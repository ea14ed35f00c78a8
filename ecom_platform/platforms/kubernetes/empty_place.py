"""A namespace in which a shop is made anew: only an empty one, marked while it is unfinished, and emptied again when
what was to be made there turned out to be damaged.

The mark is a ConfigMap in the namespace, so that a recovery may go on after a crash from wherever it is called, and a
shop that is finished is never taken for one that is not.
"""

from __future__ import annotations

import time

from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.errors import DeadlineExceeded, RefusedError
from ecom_platform.platforms.kubernetes.names import MANAGED, selector
from ecom_platform.platforms.kubernetes.release import GONE_SECONDS, Release, ensure_namespace
from ecom_platform.platforms.kubernetes.rollout import POLL_SECONDS

MARK = "ecom-recovering"
LIVES = ("persistentvolumeclaims", "statefulsets", "deployments")
"""What a shop has and an empty namespace has not. An operator may have put Secrets there before."""


def begin(release: Release) -> None:
    """The namespace, there and marked. Raises RefusedError if it has a shop, or anything else that runs or is kept."""
    cluster, namespace = release.cluster, release.names.namespace
    ensure_namespace(cluster, namespace, {}, only_new=True)
    if cluster.find("configmaps", MARK, namespace) is not None:
        return
    there = [f"{kind}/{each['metadata']['name']}" for kind in LIVES for each in cluster.list(kind, namespace)]
    there += [f"the release {release.names.release}"] if release.state() is not None else []
    if there:
        raise RefusedError(
            f"recover into the namespace {namespace}",
            f"it has {', '.join(there[:5])}",
            "Nothing is overwritten: name an empty namespace in the spec, and give the spec with --spec.",
        )
    metadata = {"name": MARK, "labels": dict(MANAGED)}
    body: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"unfinished": "yes"}}
    cluster.create("configmaps", body, namespace)


def end(release: Release) -> None:
    release.cluster.delete("configmaps", MARK, release.names.namespace)


def undo(release: Release) -> None:
    """Take away all that was made since begin(): the release, volumes, Secrets; namespaces that were made too."""
    cluster, namespace = release.cluster, release.names.namespace
    release.remove()
    for kind, labels in (("persistentvolumeclaims", ""), ("secrets", selector(MANAGED)), ("pods", selector(MANAGED))):
        for each in cluster.list(kind, namespace, labels=labels):
            cluster.delete(kind, each["metadata"]["name"], namespace)
    _wait_until_gone(cluster, namespace)
    end(release)
    release.remove_namespace()


def _wait_until_gone(cluster: Cluster, namespace: str) -> None:
    deadline = time.monotonic() + GONE_SECONDS
    while any(cluster.list(kind, namespace) for kind in ("pods", *LIVES)):
        if time.monotonic() > deadline:
            raise DeadlineExceeded(f"empty the namespace {namespace}", f"not within {GONE_SECONDS:g} s")
        time.sleep(POLL_SECONDS)
