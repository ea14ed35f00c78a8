"""Namespaces into which a backup is restored to be looked at: they can touch nothing, and are gone afterwards.

Found again by their labels, so that the next proof takes away what a killed one left.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.errors import DeadlineExceeded
from ecom_platform.platforms.kubernetes.names import MANAGED, selector
from ecom_platform.platforms.kubernetes.rollout import POLL_SECONDS

GONE_SECONDS = 240.0
"""Pods get their grace period, then their volumes go."""

RESTORE_SECONDS = 60.0
"""Velero takes what it wrote of a Restore out of the bucket first."""

RESTORER = "ecom-velero-restore"
"""The ClusterRole of k8s/velero with which Velero may write; bound in a scratch namespace and nowhere else."""

_POD_SECURITY = "pod-security.kubernetes.io/"


@dataclass(frozen=True)
class Scratch:
    """Where the scratch namespaces of one source are made. velero: the namespace of Velero itself."""

    cluster: Cluster
    velero: str
    shop: str
    source: str

    @property
    def labels(self) -> dict[str, str]:
        return {**MANAGED, "ecom/scratch": "velero", "ecom/shop": self.shop, "ecom/source": self.source}

    @contextmanager
    def namespace(self, *, runs: bool) -> Iterator[str]:
        """A new namespace. runs: whether pods may run there; they reach each other and name servers, nothing else.

        Without `runs` no pod is admitted, so that objects can come back without anything being done by them.
        """
        name = f"proof-{self.source[:36]}-{'data' if runs else 'objects'}-{secrets.token_hex(3)}"
        body: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        body["metadata"]["labels"] = {**self._pod_security(), **self.labels}
        self.cluster.create("namespaces", body)
        try:
            if runs:
                self.cluster.create("networkpolicies", self._wall(), name)
            else:
                self.cluster.create("resourcequotas", self._no_pods(), name)
            self._let_velero_in(name)
            yield name
        finally:
            self.sweep([name])

    def _pod_security(self) -> dict[str, str]:
        found = self.cluster.find("namespaces", self.source) or {"metadata": {}}
        labels = found["metadata"].get("labels") or {}
        return {key: value for key, value in labels.items() if key.startswith(_POD_SECURITY)}

    def _wall(self) -> Object:
        names = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
        ports = [{"protocol": each, "port": 53} for each in ("UDP", "TCP")]
        return {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "ecom-scratch-wall", "labels": self.labels},
            "spec": {
                "podSelector": {},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": [{"podSelector": {}}]}],
                "egress": [{"to": [{"podSelector": {}}]}, {"to": [names], "ports": ports}],
            },
        }

    def _no_pods(self) -> Object:
        metadata = {"name": "ecom-scratch-no-pods", "labels": self.labels}
        spec = {"hard": {"pods": "0"}}
        return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": spec}

    def _let_velero_in(self, name: str) -> None:
        """Where Velero has the small rights of k8s/velero; one that may do everything needs no more."""
        if self.cluster.find("clusterroles", RESTORER) is None:
            return
        server = self.cluster.read("deployments", "velero", self.velero)
        account = server["spec"]["template"]["spec"].get("serviceAccountName", "default")
        binding: Object = {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "ecom-scratch-velero", "labels": self.labels},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": RESTORER},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": self.velero}],
        }
        self.cluster.create("rolebindings", binding, name)

    def left(self) -> list[str]:
        """Scratch namespaces and Restores of this source that are there."""
        labels = selector(self.labels)
        namespaces = self.cluster.list("namespaces", labels=labels)
        restores = self.cluster.list("restores", self.velero, labels=labels)
        return [
            *(f"namespace {each['metadata']['name']}" for each in namespaces),
            *(f"restore {each['metadata']['name']}" for each in restores),
        ]

    def sweep(self, names: list[str] | None = None) -> list[str]:
        """Take away these namespaces, or all of this source, with the Restores into them; gives what was taken.

        Raises DeadlineExceeded for a namespace that does not go. A Restore goes only while Velero reaches its bucket;
        one that stays is in `left`, and the next sweep's.
        """
        labels = selector(self.labels)
        restores = [
            each
            for each in self.cluster.list("restores", self.velero, labels=labels)
            if names is None or set(each["spec"].get("namespaceMapping", {}).values()) & set(names)
        ]
        if names is None:
            names = [each["metadata"]["name"] for each in self.cluster.list("namespaces", labels=labels)]
        # Restores first: Velero would go on to fill a namespace, and make it again.
        for each in restores:
            self.cluster.delete("restores", each["metadata"]["name"], self.velero)
        for name in names:
            self.cluster.delete("namespaces", name)
        taken = [*names, *(each["metadata"]["name"] for each in restores)]
        if not self._gone("namespaces", names, "", GONE_SECONDS):
            raise DeadlineExceeded(f"take away {', '.join(names)}", f"still there after {GONE_SECONDS:g} s")
        self._gone("restores", [each["metadata"]["name"] for each in restores], self.velero, RESTORE_SECONDS)
        return taken

    def _gone(self, kind: str, names: list[str], namespace: str, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while any(self.cluster.find(kind, each, namespace) for each in names):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True
