"""What the shop's chart calls things: labels, Services, Secrets. Pure; the chart's `_helpers.tpl` says the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ecom_platform.platforms.protocol import Colour
from ecom_platform.settings import ROOT
from ecom_platform.spec import Kubernetes, Shop

COLOUR = "ecom/colour"
DOOR = "ecom/door"
"""On what passes requests on: the namespace that it leads to."""
COMPONENT = "app.kubernetes.io/component"
VERSION = "app.kubernetes.io/version"
SETTINGS = "ecom/settings"
"""An annotation of a colour's Deployment: the names of the settings that its spec gave it."""
MANAGED = {"app.kubernetes.io/managed-by": "ecom"}
RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/warn": "restricted",
    "pod-security.kubernetes.io/audit": "restricted",
}
SHOP_ACCESS = {"ecom/shop-access": "yes", "app.kubernetes.io/name": "dagster"}
"""Carried by the platform's pods that may call the shop: its policies and those of the platform's chart agree."""

HTTP_PORT = 8080
DATABASE_PORT = 5432
DATABASE = "database"
MIGRATION = "migration"
CHART = ROOT / "k8s" / "charts" / "shop"
PLATFORM_CHART = ROOT / "k8s" / "charts" / "platform"

WEBSERVER, WEBSERVER_PORT, WEBSERVER_TARGET = "webserver", 80, 3000
SEAWEEDFS, S3_PORT = "seaweedfs", 8333
LOAD_WORKER, LOAD_WORKER_PORT = "load-worker", 9470


@dataclass(frozen=True)
class Names:
    """The names of one shop's things. context: of the kubeconfig."""

    namespace: str
    database_namespace: str
    platform_namespace: str
    release: str
    platform_release: str
    context: str

    def labels(self, component: str, colour: Colour | None = None) -> dict[str, str]:
        """What selects the pods of a component, as the chart's Services and policies do."""
        own = {
            "app.kubernetes.io/name": "shop",
            "app.kubernetes.io/instance": self.release,
            COMPONENT: component,
        }
        return own | ({COLOUR: colour} if colour else {})

    def platform_labels(self, component: str) -> dict[str, str]:
        """What selects the pods of a component of the platform's chart."""
        own = {"app.kubernetes.io/name": "ecom-platform", "app.kubernetes.io/instance": self.platform_release}
        return own | {COMPONENT: component}

    def secret(self, role: str) -> str:
        return f"shop-database-{role}"


def names_of(shop: Shop) -> Names:
    where: Kubernetes = shop.kubernetes
    own = where.namespace or shop.shop
    return Names(
        own,
        where.database_namespace or own,
        where.platform_namespace,
        where.release,
        where.platform_release,
        where.context,
    )


def selector(labels: Mapping[str, str]) -> str:
    """Labels as the API server's query writes them."""
    return ",".join(f"{name}={value}" for name, value in labels.items())
