"""The Helm release of the shop: installed once with everything as blue, then changed colour by colour."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
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
    selector,
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
        self._ensure_surroundings()
        if self._settled() is not None:
            return False
        self.helm.upgrade(self.chart, values.base(self.shop), description=self._digest)
        return True

    def refresh(self) -> bool:
        """Upgrade to the spec's values and this chart, with every colour as it runs; True if there was anything new."""
        running, state = self.values(), self._settled()
        wanted = values.refreshed(self.shop, running)
        same = state is not None and state.status == "deployed" and state.description == self._digest
        if same and self.helm.values() == wanted:
            return False
        self.helm.upgrade(self.chart, wanted, description=self._digest)
        return True

    @cached_property
    def _digest(self) -> str:
        return f"chart {digest_of(self.chart)}"

    def _ensure_surroundings(self) -> None:
        ensure_namespace(self.cluster, self.names.namespace, RESTRICTED if self.hardened else {}, only_new=True)
        ensure_namespace(self.cluster, self.names.platform_namespace, RESTRICTED)
        if self.walled:
            self._wall_platform()
        secrets.ensure(self.cluster, self.names, values.base(self.shop)["database"]["name"])

    @property
    def hardened(self) -> bool:
        return bool(self.shop.kubernetes.values.get("hardened", True))

    @property
    def walled(self) -> bool:
        return bool(self.shop.kubernetes.values.get("networkPolicies", {}).get("enabled", True))

    def guard(self) -> None:
        """Let the namespace refuse what is not hardened: when every pod is, for the others could not start anew."""
        if self.hardened:
            ensure_namespace(self.cluster, self.names.namespace, RESTRICTED)

    def _wall_platform(self) -> None:
        """The least of the platform's walls, for where its own chart is not installed; policies add up."""
        for policy in platform_policies(self.names):
            if self.cluster.find("networkpolicies", policy["metadata"]["name"], self.names.platform_namespace) is None:
                self.cluster.create("networkpolicies", policy, self.names.platform_namespace)

    def change(self, wanted: Mapping[str, Any]) -> bool:
        """Upgrade to these values; nothing happens where they are in force already. True if it did."""
        state = self._settled()
        if state is not None and state.status == "deployed" and self.helm.values() == wanted == self.values():
            return False
        self.helm.upgrade(self.chart, wanted, description=self._digest)
        return True

    def values(self) -> dict[str, Any]:
        """The newest revision's values, with tag, version and replicas of each colour as they run: releases from
        inside the cluster change those past Helm.
        """
        labels = selector({"app.kubernetes.io/name": "shop", "app.kubernetes.io/instance": self.names.release})
        found = self.cluster.list("deployments", self.names.namespace, labels=labels)
        return values.as_running(self.helm.values(), {each["metadata"]["name"]: each for each in found})

    def _settled(self) -> ReleaseState | None:
        return settled(self.helm)

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


def settled(helm: Helm) -> ReleaseState | None:
    """The release's state, after mending what an interrupted Helm left. Raises BusyError while one is at work."""
    state = helm.state()
    if state is None or not (state.status.startswith("pending") or state.status == "uninstalling"):
        return state
    age = (datetime.now(UTC) - state.updated).total_seconds()
    if age < PENDING_SECONDS:
        raise BusyError(f"change the release {helm.release}", f"it is {state.status} since {age:.0f} s", "Wait for it.")
    if state.status in ("pending-install", "uninstalling"):
        helm.uninstall(seconds=GONE_SECONDS)
        return None
    good = [each for each in helm.history() if each.status in ("deployed", "superseded")]
    helm.rollback(max(each.revision for each in good))
    return helm.state()


def digest_of(chart: Path) -> str:
    """Of every file of a chart, so that a changed chart is another upgrade."""
    whole = hashlib.sha256()
    for path in sorted(each for each in chart.rglob("*") if each.is_file()):
        whole.update(f"{path.relative_to(chart)}\0".encode() + path.read_bytes() + b"\0")
    return whole.hexdigest()[:12]


def ensure_namespace(cluster: Cluster, name: str, labels: Mapping[str, str], *, only_new: bool = False) -> None:
    """The namespace, made with the labels if it is not there; one that is there gets them, unless only_new."""
    found = cluster.find("namespaces", name)
    if found is None:
        body: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        body["metadata"]["labels"] = {**MANAGED, **labels}
        try:
            cluster.create("namespaces", body)
        except BusyError:
            return  # somebody else made it meanwhile
    elif not only_new and not labels.items() <= (found["metadata"].get("labels") or {}).items():
        cluster.patch("namespaces", name, {"metadata": {"labels": dict(labels)}})


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
