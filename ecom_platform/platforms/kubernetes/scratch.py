"""Scratch namespaces, in which restored objects are offered to the cluster; gone afterwards, also after a kill."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.platforms.kubernetes.names import MANAGED, selector
from ecom_platform.platforms.kubernetes.objects import rehearse
from ecom_platform.verdicts import Verdict

SCRATCH = {**MANAGED, "ecom/scratch": "yes"}
LEFTOVER_AGE = timedelta(hours=1)
"""A rehearsal takes seconds; a namespace that old was left by one that was killed."""


def rehearsed(cluster: Cluster, objects: Sequence[tuple[str, Object]]) -> Verdict:
    """Whether the cluster would take every object as it was; nothing is kept of them."""
    with scratch_namespace(cluster) as name:
        return rehearse(cluster, name, objects)


@contextmanager
def scratch_namespace(cluster: Cluster) -> Iterator[str]:
    """A new namespace; leftovers of killed processes are removed first."""
    sweep(cluster, datetime.now(UTC))
    name = f"ecom-scratch-{secrets.token_hex(4)}"
    body: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(SCRATCH)}}
    cluster.create("namespaces", body)
    try:
        yield name
    finally:
        cluster.delete("namespaces", name)


def sweep(cluster: Cluster, now: datetime) -> list[str]:
    """Begins the removal of scratch namespaces that nobody can use any more; their names."""
    old = [
        each["metadata"]["name"]
        for each in cluster.list("namespaces", labels=selector(SCRATCH))
        if now - datetime.fromisoformat(each["metadata"]["creationTimestamp"]) > LEFTOVER_AGE
    ]
    for name in old:
        cluster.delete("namespaces", name)
    return old
