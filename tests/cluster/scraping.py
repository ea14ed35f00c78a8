"""A real Prometheus in a pod of a namespace of its own, with the configuration and the rules of the repository."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import yaml

from ecom_platform.clients.kubernetes_api import Cluster as Door
from ecom_platform.platforms.kubernetes.names import Names
from ecom_platform.platforms.kubernetes.reach import Reach
from tests.cluster.tools import Cluster, hardened_pod
from tests.monitoring.prometheus import MONITORING, Prometheus
from tests.platforms.cluster import missing
from tests.waiting import wait_until

PORT = 9090
WATCHER = {"ecom-test/prometheus": "yes"}
"""On its namespace: whom both charts let in by networkPolicies.monitoring."""
PEERS = [{"namespaceSelector": {"matchLabels": WATCHER}}]
HELD = re.compile(r"for: \d+s")


def image() -> str:
    found = os.environ.get("ECOM_TEST_PROMETHEUS", "")
    if not found:
        missing("ECOM_TEST_PROMETHEUS names no image; tests/cluster/images/prometheus is one")
    return found


def configuration(names: Names) -> dict[str, Any]:
    """That of the repository, for these namespaces, quick, with nobody to tell."""
    text = (MONITORING / "prometheus.yaml").read_text(encoding="utf-8")
    text = text.replace("names: [ecommerce]", f"names: [{names.namespace}]")
    content: dict[str, Any] = yaml.safe_load(
        text.replace("names: [ecom-platform]", f"names: [{names.platform_namespace}]")
    )
    content.pop("alerting")
    content["global"] = {"scrape_interval": "3s", "evaluation_interval": "2s"}
    for each in content["scrape_configs"]:
        # The platform's exporter reads whole catalogues before its first answer.
        slow = "scrape_timeout" in each
        each |= {"scrape_interval": "10s" if slow else "3s", "scrape_timeout": "10s" if slow else "3s"}
    return content


def rights(where: str, account: str, names: Names) -> list[Mapping[str, Any]]:
    """To list pods in the two namespaces, as prometheus.yaml says that it needs."""
    found: list[Mapping[str, Any]] = []
    for space in (names.namespace, names.platform_namespace):
        about = {"name": where, "namespace": space}
        rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
        kind = "rbac.authorization.k8s.io"
        subject = {"kind": "ServiceAccount", "name": account, "namespace": where}
        reference = {"apiGroup": kind, "kind": "Role", "name": where}
        found += [
            {"apiVersion": f"{kind}/v1", "kind": "Role", "metadata": about, "rules": rules},
            {
                "apiVersion": f"{kind}/v1",
                "kind": "RoleBinding",
                "metadata": about,
                "roleRef": reference,
                "subjects": [subject],
            },
        ]
    return found


@contextmanager
def prometheus_in(cluster: Cluster, door: Door, names: Names) -> Iterator[Prometheus]:
    """Scrapes the shop and the platform of these names; gone afterwards, with its namespace."""
    chosen, where = image(), f"ecom-test-prometheus-{secrets.token_hex(3)}"
    command = ["prometheus", "--config.file=/etc/prometheus/prometheus.yaml", "--storage.tsdb.path=/tmp/data"]
    pod = hardened_pod("prometheus", where, chosen, labels={"app": "prometheus"}, command=command)
    pod["spec"]["serviceAccountName"], pod["spec"]["automountServiceAccountToken"] = "default", True
    (container,) = pod["spec"]["containers"]
    container["readinessProbe"] = {"httpGet": {"path": "/-/ready", "port": PORT}, "periodSeconds": 1}
    container["resources"]["limits"]["memory"] = "512Mi"
    container["volumeMounts"].append({"name": "rules", "mountPath": "/etc/prometheus"})
    pod["spec"]["volumes"].append({"name": "rules", "configMap": {"name": "rules"}})
    for each in pod["spec"]["volumes"]:
        if "emptyDir" in each:
            each["emptyDir"] = {"sizeLimit": "256Mi"}
    rules = HELD.sub("for: 1s", (MONITORING / "rules.yaml").read_text(encoding="utf-8"))
    data = {"prometheus.yaml": yaml.safe_dump(configuration(names)), "rules.yaml": rules}
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": where, "labels": WATCHER}}
    files = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rules", "namespace": where}, "data": data}
    try:
        cluster.apply(space, files, *rights(where, "default", names))
        wait_until(lambda: bool(cluster.get("serviceaccounts", where)), seconds=30, what="its account is there")
        cluster.apply(pod)
        cluster.wait_ready(where, "prometheus")
        found = door.read("pods", "prometheus", where)
        yield Prometheus(f"http://{Reach(door, where).pod(found, PORT)}")
    finally:
        cluster.kubectl("delete", "namespace", where, "--ignore-not-found", "--timeout=120s", seconds=130)
