"""How busy the shop's pods are, by the cluster's metrics API (metrics-server)."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ecom_platform.clients.kubernetes_api import Cluster
from ecom_platform.errors import EcomError
from ecom_platform.load.resources import Usage

EVERY_SECONDS = 5.0
"""metrics-server itself looks at the nodes every 15 s; asking more often gives the same figures."""


class PodsOfShop:
    """CPU and memory of the shop's pods as shares of their limits together."""

    of = "the shop's pods, as shares of their limits"

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._began = self._asked = 0.0
        self._newest = ""

    def begin(self, generator: Sequence[int]) -> None:
        del generator  # it runs in no pod of the shop
        self._began = time.monotonic()
        self._asked = 0.0

    def sample(self) -> Usage | None:
        """Raises nothing where there is no metrics API: no figures are no evidence, and count as such."""
        now = time.monotonic()
        if now - self._asked < EVERY_SECONDS:
            return None
        self._asked = now
        try:
            found = self._cluster.list("metrics", self._namespace, labels="app.kubernetes.io/name=shop")
            pods = self._cluster.list("pods", self._namespace, labels="app.kubernetes.io/name=shop")
        except EcomError:
            return None
        newest = max((each["timestamp"] for each in found), default="")
        if not newest or newest == self._newest:
            return None
        self._newest = newest
        used = [each["usage"] for pod in found for each in pod["containers"]]
        may = [each["resources"]["limits"] for pod in pods if _runs(pod) for each in pod["spec"]["containers"]]
        shares = [_share(used, may, kind) for kind in ("cpu", "memory")]
        return Usage(now - self._began, shares[0], shares[1])


def _runs(pod: dict[str, dict[str, object]]) -> bool:
    return pod["status"].get("phase") == "Running"


def _share(used: Sequence[dict[str, str]], may: Sequence[dict[str, str]], kind: str) -> float:
    whole = sum(quantity(each[kind]) for each in may if kind in each)
    return sum(quantity(each[kind]) for each in used) / whole if whole else 0.0


_UNITS = {
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
}


def quantity(text: str) -> float:
    """Kubernetes' way to write numbers: 500m is 0.5, 512Mi is bytes."""
    for unit in sorted(_UNITS, key=len, reverse=True):
        if text.endswith(unit):
            return float(text.removesuffix(unit)) * _UNITS[unit]
    return float(text)
