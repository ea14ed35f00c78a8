"""The Helm release of the shop: installed once with everything as blue, then changed colour by colour."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ecom_platform.clients.helm import Helm, ReleaseState
from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.errors import BusyError, DeadlineExceeded
from ecom_platform.platforms.kubernetes import secrets, values
from ecom_platform.platforms.kubernetes.names import (
    CHART,
    DATABASE_PORT,
    HTTP_PORT,
    MANAGED,
    RESTRICTED,
    SHOP_ACCESS,
    Names,
    names_of,
)
from ecom_platform.platforms.kubernetes.rollout import POLL_SECONDS
from ecom_platform.spec import Shop

PENDING_SECONDS = 60.0
"""Helm hands its objects over in seconds; a release that is pending for longer was left by one that died."""

GONE_SECONDS = 180.0


class Release:
    """One shop's release in its namespace."""

    def __init__(self, shop: Shop, cluster: Cluster) -> None:
        self.shop = shop
        self.names = names_of(shop)
        self.cluster = cluster
        self.chart = Path(shop.kubernetes.chart) if shop.kubernetes.chart else CHART
        self.helm = Helm(self.names.release, self.names.namespace, self.names.context)

    def state(self) -> ReleaseState | None:
        return self.helm.state()

    def ensure(self) -> bool:
        """Namespaces, Secrets and the release, as far as they are not there; True if it was installed now."""
        hardened = bool(self.shop.kubernetes.values.get("hardened", True))
        self._ensure_namespace(self.names.namespace, restricted=hardened)
        self._ensure_namespace(self.names.platform_namespace, restricted=True)
        if self.shop.kubernetes.values.get("networkPolicies", {}).get("enabled", True):
            self._wall_platform()
        secrets.ensure(self.cluster, self.names, values.base(self.shop)["database"]["name"])
        state = self._settled()
        if state is not None:
            return False
        self.helm.upgrade(self.chart, values.base(self.shop))
        return True

    def _wall_platform(self) -> None:
        """The least of the platform's walls, for where its own chart is not installed; policies add up."""
        for policy in platform_policies(self.names):
            if self.cluster.find("networkpolicies", policy["metadata"]["name"], self.names.platform_namespace) is None:
                self.cluster.create("networkpolicies", policy, self.names.platform_namespace)

    def change(self, wanted: Mapping[str, Any]) -> bool:
        """Upgrade to these values; nothing happens where they are in force already. True if it did."""
        state = self._settled()
        if state is not None and state.status == "deployed" and self.helm.values() == wanted:
            return False
        self.helm.upgrade(self.chart, wanted)
        return True

    def values(self) -> dict[str, Any]:
        return self.helm.values()

    def _settled(self) -> ReleaseState | None:
        """The state, after mending what an interrupted Helm left. Raises BusyError while one is at work."""
        state = self.helm.state()
        if state is None or not (state.status.startswith("pending") or state.status == "uninstalling"):
            return state
        age = (datetime.now(UTC) - state.updated).total_seconds()
        if age < PENDING_SECONDS:
            raise BusyError(
                f"change the release {self.names.release}", f"it is {state.status} since {age:.0f} s", "Wait for it."
            )
        if state.status in ("pending-install", "uninstalling"):
            self.remove()
            return None
        good = [each for each in self.helm.history() if each.status in ("deployed", "superseded")]
        self.helm.rollback(max(each.revision for each in good))
        return self.helm.state()

    def remove(self) -> None:
        """Uninstall. Volumes, Secrets and the namespace stay."""
        self.helm.uninstall(seconds=GONE_SECONDS)

    def remove_namespace(self) -> None:
        """Remove the namespaces that the platform made, with all that is in them."""
        own = [each for each in (self.names.namespace, self.names.platform_namespace) if self._is_ours(each)]
        for name in own:
            self.cluster.delete("namespaces", name)
        deadline = time.monotonic() + GONE_SECONDS
        while any(self.cluster.find("namespaces", name) for name in own):
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"remove the namespaces {', '.join(own)}", "they are still there")
            time.sleep(POLL_SECONDS)

    def _is_ours(self, name: str) -> bool:
        found = self.cluster.find("namespaces", name)
        labels = (found or {}).get("metadata", {}).get("labels") or {}
        return found is not None and MANAGED.items() <= labels.items()

    def _ensure_namespace(self, name: str, *, restricted: bool) -> None:
        """The namespace, made if it is not there; one that is there gets the pod-security labels."""
        guard = RESTRICTED if restricted else {}
        found = self.cluster.find("namespaces", name)
        if found is None:
            body: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
            body["metadata"]["labels"] = {**MANAGED, **guard}
            try:
                self.cluster.create("namespaces", body)
            except BusyError:
                return  # somebody else made it meanwhile
        elif not guard.items() <= (found["metadata"].get("labels") or {}).items():
            self.cluster.patch("namespaces", name, {"metadata": {"labels": guard}})


def platform_policies(names: Names) -> list[Object]:
    """Default deny in the platform's namespace, and the way from its pods with access to the shop's pods."""
    to_shop = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": names.namespace}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "shop"}},
    }
    ports = [{"protocol": "TCP", "port": port} for port in (HTTP_PORT, DATABASE_PORT)]
    specs: dict[str, Object] = {
        "ecom-default-deny": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
        f"ecom-access-{names.namespace}": {
            "podSelector": {"matchLabels": dict(SHOP_ACCESS)},
            "policyTypes": ["Egress"],
            "egress": [{"to": [to_shop], "ports": ports}],
        },
    }
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": name, "labels": dict(MANAGED)},
            "spec": spec,
        }
        for name, spec in specs.items()
    ]
