"""A document of the shop's as a ConfigMap in its namespace; see Document in the protocol."""

from __future__ import annotations

from dataclasses import dataclass

from ecom_platform.clients.kubernetes_api import Cluster
from ecom_platform.errors import BusyError
from ecom_platform.platforms.kubernetes.names import MANAGED
from ecom_platform.platforms.protocol import Conflict

_KEY = "document"


@dataclass(frozen=True)
class ConfigMapDocument:
    """A ConfigMap; its revision is the API server's resourceVersion."""

    cluster: Cluster
    namespace: str
    name: str

    def read(self) -> tuple[str, str]:
        found = self.cluster.find("configmaps", self.name, self.namespace)
        if found is None:
            return "", ""
        return (found.get("data") or {}).get(_KEY, ""), found["metadata"]["resourceVersion"]

    def write(self, text: str, revision: str) -> str:
        metadata = {"name": self.name, "labels": dict(MANAGED)}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {_KEY: text}}
        try:
            if not revision:
                made = self.cluster.create("configmaps", body, self.namespace)
            else:
                seen = {"metadata": {"resourceVersion": revision}, "data": {_KEY: text}}
                made = self.cluster.patch("configmaps", self.name, seen, self.namespace)
        except BusyError as error:
            raise Conflict(f"write the ConfigMap {self.namespace}/{self.name}", error.seen) from error
        return str(made["metadata"]["resourceVersion"])
