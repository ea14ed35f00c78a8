"""The example shop in namespaces of its own of the cluster that KUBECONFIG names, small, and gone afterwards."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest

from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.platforms.kubernetes import KubernetesPlatform
from ecom_platform.platforms.kubernetes.names import MANAGED
from ecom_platform.spec import Kubernetes, Service, Shop
from ecom_platform.spec_file import read_spec

SPEC = Path(__file__).resolve().parents[2] / "specs" / "ecommerce-kubernetes.yaml"
SMALL: dict[str, Any] = {
    "backend": {"drainSeconds": 1},
    "frontend": {"drainSeconds": 1},
    "database": {"persistence": {"size": "1Gi", "whenDeleted": "Delete"}},
}


def missing(what: str) -> NoReturn:
    """Skips the test with a reason; in CI, where nothing may be missing, fails it."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@dataclass(frozen=True)
class ClusterPlace:
    """A shop that is installed; blue of both services runs."""

    platform: KubernetesPlatform
    shop: Shop

    @property
    def cluster(self) -> Cluster:
        return self.platform.cluster

    @property
    def namespace(self) -> str:
        return self.platform.names.namespace

    def service(self, name: str = "backend", **changes: object) -> Service:
        """The shop's service; changes: of its fields, SETTINGS added to its environment."""
        service = self.shop.service(name)
        settings = changes.pop("settings", {})
        assert isinstance(settings, dict)
        return service.model_copy(update={"environment": {**service.environment, **settings}, **changes})

    def with_values(self, **values: object) -> KubernetesPlatform:
        """The platform of the same shop with other values of the chart in its spec."""
        changed = self.shop.kubernetes.model_copy(update={"values": {**self.shop.kubernetes.values, **values}})
        return self.sharing(self.shop.model_copy(update={"kubernetes": changed}))

    def sharing(self, shop: Shop) -> KubernetesPlatform:
        """The platform of a changed shop, over the connections of this one, which are closed with it."""
        platform = KubernetesPlatform(shop, self.platform.layout.state)
        platform.cluster = self.cluster
        return platform


def shop_in_cluster(suffix: str) -> Shop:
    if not os.environ.get("KUBECONFIG"):
        missing("KUBECONFIG names no cluster")
    tag = os.environ.get("ECOM_TEST_TAG", "")
    if not tag:
        missing("ECOM_TEST_TAG does not say which images to test: build some with k8s/images/build")
    repository = os.environ.get("ECOM_TEST_REPOSITORY", "ecom")
    shop = read_spec(SPEC)
    services = [
        each.model_copy(update={"image": f"{repository}/{each.name}:{tag}", "replicas": 1}) for each in shop.services
    ]
    where = Kubernetes(namespace=f"shop-{suffix}", platform_namespace=f"platform-{suffix}", values=SMALL)
    return shop.model_copy(update={"services": tuple(services), "kubernetes": where})


@contextmanager
def in_cluster(folder: Path) -> Iterator[ClusterPlace]:
    shop = shop_in_cluster(f"test-{secrets.token_hex(3)}")
    place = ClusterPlace(KubernetesPlatform(shop, folder / "state"), shop)
    try:
        place.platform.install()
        for name in ("backend", "frontend"):
            place.platform.deploy(place.service(name), "blue")
        yield place
    finally:
        place.platform.reset()
        place.cluster.close()


@contextmanager
def unguarded_namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace that admits every pod."""
    name = f"unguarded-test-{secrets.token_hex(3)}"
    body: Object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(MANAGED)}}
    cluster.create("namespaces", body)
    try:
        yield name
    finally:
        cluster.delete("namespaces", name)
