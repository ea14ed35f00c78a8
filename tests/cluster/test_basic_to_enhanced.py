"""A shop that was deployed plainly becomes the hardened one by `ecom up`, while people buy; then it goes away."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from ecom_platform.clients.commands import Completed, run
from ecom_platform.platforms.kubernetes import KubernetesPlatform
from ecom_platform.platforms.kubernetes.inside import as_values
from ecom_platform.platforms.kubernetes.values import merged
from ecom_platform.settings import ROOT
from ecom_platform.spec import Shop, Stage, Store
from tests.charts.matrix import OUTSIDE
from tests.cluster.conftest import Place
from tests.cluster.facts import broken, read
from tests.cluster.tools import CHARTS, RESTRICTED, SCRIPTS, Cluster, eventually, hardened_pod
from tests.platforms.cluster import SMALL, shop_in_cluster

FEWEST_VISITS = 50

DRAINING = {"drainSeconds": 5}
"""As the chart's own values have it: nobody is lost as long as every node hears in time that a pod goes."""


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


def ecom(folder: Path, shop: Shop, verb: str) -> Completed:
    """The command, with that spec."""
    spec = folder / "shop.yaml"
    spec.write_text(yaml.safe_dump(as_values(shop), sort_keys=False), encoding="utf-8")
    argv = [sys.executable, "-m", "ecom_platform.cli", "--spec", str(spec), verb]
    environment = {**os.environ, "ECOM_STATE": str(folder)}
    return run(argv, timeout=500, check=False, environment=environment, folder=ROOT, keep=None)


def both_forms(cluster: Cluster, place: str, outside: str) -> tuple[Shop, Shop]:
    """The same shop plainly and hardened: the chart's values are all that differs, and what may be validated."""
    shop = shop_in_cluster(f"basic-{secrets.token_hex(3)}")
    clients = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": outside}}}]
    values = merged(SMALL, {"networkPolicies": {"clients": clients}, "backend": DRAINING, "frontend": DRAINING})
    basic = yaml.safe_load((CHARTS / "shop" / "values-basic.yaml").read_text(encoding="utf-8"))
    for each in ("backend", "frontend"):
        basic[each]["colours"]["blue"]["tag"] = cluster.tag  # that file names a release's; ours are of this build
    where = shop.kubernetes.model_copy(update={"namespace": place, "values": values})
    stages: tuple[Stage, ...] = ("backups", "restores", "benchmarks", "releases", "drills", "reports")
    (database,) = shop.databases
    tasks = database.tasks.model_copy(update={"seed": ("python", "-m", "shop.seed", "--orders", "100")})
    few = database.model_copy(update={"tasks": tasks})
    common = {"stores": {"disk": Store(url="file:backups")}, "databases": (few,)}
    enhanced = shop.model_copy(update={**common, "kubernetes": where, "leave_out": stages})
    plainly = where.model_copy(update={"values": merged(basic, values)})
    return enhanced.model_copy(update={"kubernetes": plainly, "leave_out": ("validations", *stages)}), enhanced


@pytest.mark.alone
def test_a_basic_shop_becomes_the_enhanced_one_by_the_same_command_and_nobody_notices(
    cluster: Cluster, namespaces: dict[str, str], customer: Place, place: str, tmp_path: Path
) -> None:
    basic, enhanced = both_forms(cluster, place, namespaces[OUTSIDE])
    platform = KubernetesPlatform(enhanced, tmp_path / enhanced.shop)
    try:
        up = ecom(tmp_path, basic, "up")
        assert up.code == 0, up.stderr
        assert broken(read(cluster.script(place, "deployment/backend-blue", "facts.sh"))) != []
        assert cluster.get("networkpolicies", place) == []
        database = cluster.get("pod/database-0", place)["metadata"]["uid"]

        start_visits(cluster, customer, f"http://frontend.{place}.svc.cluster.local")
        up = ecom(tmp_path, enhanced, "up")
        assert up.code == 0, up.stderr
        answers = end_visits(cluster, customer)

        assert set(answers) == {"200"}, answers
        assert answers["200"] >= FEWEST_VISITS
        eventually("the plain pods are gone", lambda: True if not plain_pods(cluster, place) else None, 120)
        rooms = (("deployment/backend-blue", 1000), ("deployment/frontend-blue", 1000), ("pod/database-0", 999))
        for pod, user in rooms:
            assert broken(read(cluster.script(place, pod, "facts.sh")), user=user) == []
        assert "default-deny" in {each["metadata"]["name"] for each in cluster.get("networkpolicies", place)}
        labels = json.loads(cluster.kubectl("get", "namespace", place, "-o", "json").stdout)["metadata"]["labels"]
        assert RESTRICTED["pod-security.kubernetes.io/enforce"] == labels["pod-security.kubernetes.io/enforce"]
        assert cluster.get("pod/database-0", place)["metadata"]["uid"] == database

        down = ecom(tmp_path, enhanced, "down")
        assert down.code == 0, down.stderr
        left = cluster.get("deployments,statefulsets,services,jobs,networkpolicies,poddisruptionbudgets,roles", place)
        assert [f"{each['kind']}/{each['metadata']['name']}" for each in left] == []
        assert {each["metadata"]["name"] for each in cluster.get("secrets", place)} >= {"shop-database-app"}
    finally:
        platform.reset()
        platform.cluster.close()
