"""A shop that was deployed plainly becomes the hardened one by an upgrade, while people buy; then it goes away."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.charts.matrix import OUTSIDE, PLATFORM, SHOP, shop_sets
from tests.cluster.conftest import SMALL, Place, make_shop_secrets, shop_images
from tests.cluster.facts import broken, read
from tests.cluster.tools import CHARTS, RESTRICTED, SCRIPTS, Cluster, eventually, hardened_pod

FEWEST_VISITS = 50


@pytest.fixture
def place(cluster: Cluster) -> Iterator[str]:
    with cluster.namespaces("basic", restricted=False) as names:
        yield names["basic"]


def start_visits(cluster: Cluster, customer: Place, address: str) -> str:
    """A pod that visits the shop until it is told to stop."""
    program = (SCRIPTS / "visit.py").read_text(encoding="utf-8")
    command = ("python", "-c", program, address)
    image = cluster.image("backend")
    pod = hardened_pod("visitor", customer.namespace, image, labels={"role": "client"}, command=command)
    pod["spec"]["restartPolicy"] = "Never"
    cluster.apply(pod)
    eventually("the visits begin", lambda: True if "visiting" in logs(cluster, customer) else None, 60)
    return "visitor"


def logs(cluster: Cluster, customer: Place) -> str:
    return cluster.kubectl("logs", "visitor", "-n", customer.namespace, check=False).stdout


def end_visits(cluster: Cluster, customer: Place) -> dict[str, int]:
    """What the visits were answered, by answer."""
    cluster.execute(customer.namespace, "visitor", "touch", "/tmp/enough")

    def told() -> dict[str, int] | None:
        lines = [each for each in logs(cluster, customer).splitlines() if each.startswith("{")]
        return json.loads(lines[-1]) if lines else None

    answers = eventually("the visitor tells", told, 60)
    cluster.kubectl("delete", "pod", "visitor", "-n", customer.namespace, seconds=90)
    return answers


def plain_pods(cluster: Cluster, namespace: str) -> list[str]:
    """Pods of the shop that are not of the hardened form; also those that are still ending."""
    found = cluster.get("pods", namespace, "-l", "app.kubernetes.io/component in (backend, frontend)")
    return [each["metadata"]["name"] for each in found if not each["spec"]["securityContext"].get("runAsNonRoot")]


def test_a_basic_shop_becomes_the_enhanced_one_and_nobody_notices(
    cluster: Cluster, namespaces: dict[str, str], customer: Place, place: str
) -> None:
    make_shop_secrets(cluster, place)
    walls = shop_sets({SHOP: place, PLATFORM: namespaces[PLATFORM], OUTSIDE: namespaces[OUTSIDE]})
    sets = (*shop_images(cluster), *SMALL, *walls)
    cluster.install("shop", "shop", place, sets, "--values", str(CHARTS / "shop" / "values-basic.yaml"))
    assert broken(read(cluster.script(place, "deployment/backend-blue", "facts.sh"))) != []
    assert cluster.get("networkpolicies", place) == []
    database = cluster.get("pod/database-0", place)["metadata"]["uid"]

    start_visits(cluster, customer, f"http://frontend.{place}.svc.cluster.local")
    cluster.install("shop", "shop", place, sets)
    eventually("the plain pods are gone", lambda: True if not plain_pods(cluster, place) else None, 120)
    cluster.kubectl("label", "namespace", place, *(f"{key}={value}" for key, value in RESTRICTED.items()))
    answers = end_visits(cluster, customer)

    assert set(answers) == {"200"}, answers
    assert answers["200"] >= FEWEST_VISITS
    for pod, user in (("deployment/backend-blue", 1000), ("deployment/frontend-blue", 1000), ("pod/database-0", 999)):
        assert broken(read(cluster.script(place, pod, "facts.sh")), user=user) == []
    assert "default-deny" in {each["metadata"]["name"] for each in cluster.get("networkpolicies", place)}
    assert cluster.get("pod/database-0", place)["metadata"]["uid"] == database

    cluster.helm("uninstall", "shop", "-n", place, "--wait", "--timeout", "3m")
    left = cluster.get("deployments,statefulsets,services,jobs,networkpolicies,poddisruptionbudgets,roles", place)
    assert [f"{each['kind']}/{each['metadata']['name']}" for each in left] == []
    assert {each["metadata"]["name"] for each in cluster.get("secrets", place)} >= {"shop-database-app"}
