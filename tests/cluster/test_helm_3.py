"""Both charts, and the platform's own calls, by Helm 3: installed, upgraded, rolled back, uninstalled.

Every other test uses the Helm of the PATH; `make manifests` holds that both render the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from ecom_platform.clients.helm import Helm
from ecom_platform.errors import ConfigurationError
from ecom_platform.platforms.kubernetes.names import PLATFORM_CHART
from ecom_platform.settings import ROOT
from tests.charts.matrix import OUTSIDE, PLATFORM, SHOP, shop_sets
from tests.cluster.conftest import SMALL, make_shop_secrets, shop_images
from tests.cluster.tools import CHARTS, Cluster
from tests.platforms.cluster import missing

BOTH_COLOURS = ("backend.colours.green.enabled=true", "frontend.colours.green.enabled=true")


@pytest.fixture
def places(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Namespaces of our own, while the variable HELM names Helm 3."""
    program = ROOT / ".tools" / "bin" / "helm3"
    if not program.exists():
        missing("Helm 3 is not there: `make .tools/bin/helm3`")
    monkeypatch.setenv("HELM", str(program))
    with cluster.namespaces(SHOP, PLATFORM, OUTSIDE) as names:
        yield names


def live_colour(cluster: Cluster, namespace: str) -> str:
    return str(cluster.get("service/backend", namespace)["spec"]["selector"]["ecom/colour"])


def pool(cluster: Cluster, namespace: str) -> str | None:
    container = cluster.get("deployment/backend-green", namespace)["spec"]["template"]["spec"]["containers"][0]
    return next((each["value"] for each in container["env"] if each["name"] == "DATABASE_POOL"), None)


def test_the_shop_lives_by_helm_3_and_no_upgrade_moves_a_customer(cluster: Cluster, places: dict[str, str]) -> None:
    namespace = places[SHOP]
    make_shop_secrets(cluster, namespace)
    sets = (*shop_images(cluster), *SMALL, *BOTH_COLOURS, *shop_sets(places))
    release = Helm("shop", namespace)
    assert release.version().startswith("v3.")
    assert release.state() is None

    cluster.install("shop", "shop", namespace, sets)
    colour = json.dumps({"spec": {"selector": {"ecom/colour": "green"}}})
    cluster.kubectl("patch", "service", "backend", "-n", namespace, "--field-manager=ecom", "-p", colour)
    cluster.install("shop", "shop", namespace, sets, "--set-string", "backend.environment.DATABASE_POOL=4")
    assert (pool(cluster, namespace), live_colour(cluster, namespace)) == ("4", "green")

    values = release.values()
    values["backend"]["environment"] = {}
    release.upgrade(CHARTS / "shop", values, description="without a pool")
    state = release.state()
    assert state is not None
    assert (state.revision, state.status, state.description) == (3, "deployed", "without a pool")
    assert (pool(cluster, namespace), live_colour(cluster, namespace)) == (None, "green")

    release.rollback(2)
    assert (pool(cluster, namespace), live_colour(cluster, namespace)) == ("4", "green")

    with pytest.raises(ConfigurationError, match="migration/tag"):
        release.upgrade(CHARTS / "shop", {**values, "migration": {"tag": "latest"}})

    release.uninstall()
    assert release.state() is None
    assert cluster.get("deployments,statefulsets,services,networkpolicies", namespace) == []
    assert {each["metadata"]["name"] for each in cluster.get("secrets", namespace)} >= {"shop-database-app"}
    release.uninstall()  # what is not there is no error


def test_the_platform_lives_by_helm_3(cluster: Cluster, places: dict[str, str]) -> None:
    """Its objects; that its pods start from them is seen with the other Helm, which renders the same."""
    namespace = places[PLATFORM]
    release = Helm("platform", namespace)
    values: dict[str, object] = {
        "image": {"repository": f"{cluster.repository}/platform", "tag": cluster.tag},
        "database": {"persistence": {"whenDeleted": "Delete"}},
        "shop": {"namespace": places[SHOP]},
    }
    release.upgrade(PLATFORM_CHART, values)
    release.upgrade(PLATFORM_CHART, {**values, "webserver": {"readOnly": False}})
    assert not read_only(cluster, namespace)
    release.rollback(1)
    assert read_only(cluster, namespace)
    assert [each.revision for each in release.history()] == [1, 2, 3]
    release.uninstall()
    assert cluster.get("deployments,statefulsets,services,roles,rolebindings", namespace) == []
    assert cluster.get("roles,rolebindings", places[SHOP]) == []


def read_only(cluster: Cluster, namespace: str) -> bool:
    container = cluster.get("deployment/webserver", namespace)["spec"]["template"]["spec"]["containers"][0]
    return "--read-only" in container["args"]
