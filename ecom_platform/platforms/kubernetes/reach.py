"""Addresses of the shop's Services and pods: the cluster's own from inside, forwarded ports from outside."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count

from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.clients.kubernetes_forward import Target, forwarded
from ecom_platform.errors import MissingError

_turn = count()
"""Connections to a Service go to its pods in turn."""


@dataclass(frozen=True)
class Reach:
    """Ways into one namespace."""

    cluster: Cluster
    namespace: str

    def service(self, name: str, port: int, target: int) -> str:
        """host:port of a Service. port: the Service's. target: the pods'.

        From outside each new connection goes to a pod that is ready at that moment.
        """
        if self.cluster.inside:
            return f"{name}.{self.namespace}:{port}"

        def choose() -> Target:
            ends = self.endpoints(name)
            if not ends:
                raise MissingError(f"reach the Service {name} in {self.namespace}", "no pod of it is ready")
            chosen = sorted(ends)[next(_turn) % len(ends)]
            return self.namespace, ends[chosen], target

        key = (self.cluster, self.namespace, "service", name)
        return f"127.0.0.1:{forwarded(key, self.cluster, choose)}"

    def pod(self, pod: Object, target: int) -> str:
        """host:port of one pod."""
        name = pod["metadata"]["name"]
        if self.cluster.inside:
            return f"{pod['status']['podIP']}:{target}"
        key = (self.cluster, self.namespace, "pod", name)
        return f"127.0.0.1:{forwarded(key, self.cluster, lambda: (self.namespace, name, target))}"

    def endpoints(self, service: str) -> dict[str, str]:
        """The ready endpoints of a Service: names of pods by address."""
        slices = self.cluster.list("endpointslices", self.namespace, labels=f"kubernetes.io/service-name={service}")
        return {
            each["addresses"][0]: each["targetRef"]["name"]
            for one in slices
            for each in one.get("endpoints") or ()
            if (each.get("conditions") or {}).get("ready") and each.get("targetRef", {}).get("kind") == "Pod"
        }
