"""Every pod is what its chart says, as the kernel tells it from inside; and a soft pod is told apart."""

from __future__ import annotations

from typing import Any

import pytest

from tests.charts.matrix import SHOP
from tests.cluster.conftest import LISTENING, Release
from tests.cluster.facts import broken, cpu, memory, read
from tests.cluster.tools import Cluster, hardened_pod

SHOP_PODS = {"deployment/backend-blue": 1000, "deployment/frontend-blue": 1000, "pod/database-0": 999}
PLATFORM_PODS = {
    "deployment/webserver": 1000,
    "deployment/daemon": 1000,
    "deployment/code-location": 1000,
    "pod/database-0": 999,
}


@pytest.mark.parametrize(("pod", "user"), SHOP_PODS.items())
def test_a_pod_of_the_shop_keeps_every_rule(cluster: Cluster, shop: Release, pod: str, user: int) -> None:
    facts = read(cluster.script(shop.namespace, pod, "facts.sh"))
    assert broken(facts, user=user) == []


@pytest.mark.parametrize(("pod", "user"), PLATFORM_PODS.items())
def test_a_pod_of_the_platform_keeps_every_rule(cluster: Cluster, platform: Release, pod: str, user: int) -> None:
    facts = read(cluster.script(platform.namespace, pod, "facts.sh"))
    assert broken(facts, user=user, token=pod == "deployment/daemon") == []


def test_the_backends_limits_stand_in_its_cgroup(cluster: Cluster, shop: Release) -> None:
    facts = read(cluster.script(shop.namespace, "deployment/backend-blue", "facts.sh"))
    assert (cpu(facts), memory(facts)) == (0.5, 512 * 2**20)


def soft_pod(namespace: str, image: str) -> dict[str, Any]:
    """As pods are when nobody says anything: root, everything allowed, a token."""
    pod = hardened_pod("soft", namespace, image, labels={}, command=(*LISTENING, "8080"))
    pod["spec"] |= {"securityContext": {"runAsUser": 0}, "automountServiceAccountToken": True}
    container = pod["spec"]["containers"][0]
    for field in ("securityContext", "resources", "readinessProbe"):
        del container[field]
    return pod


def test_a_soft_pod_breaks_every_rule(cluster: Cluster) -> None:
    with cluster.namespaces("soft", restricted=False) as names:
        cluster.apply(soft_pod(names["soft"], cluster.image("backend")))
        cluster.wait_ready(names["soft"], "soft")
        found = broken(read(cluster.script(names["soft"], "soft", "facts.sh")))
    assert len(found) == 10, found


@pytest.mark.parametrize("softened", ["root", "privileged", "host network", "capabilities", "no seccomp"])
def test_the_shops_namespace_refuses_a_soft_pod(
    cluster: Cluster, shop: Release, namespaces: dict[str, str], softened: str
) -> None:
    pod = hardened_pod("soft", namespaces[SHOP], cluster.image("backend"), labels={}, command=("true",))
    spec, container = pod["spec"], pod["spec"]["containers"][0]
    {
        "root": lambda: spec["securityContext"].update(runAsNonRoot=False, runAsUser=0),
        "privileged": lambda: container["securityContext"].update(privileged=True, allowPrivilegeEscalation=True),
        "host network": lambda: spec.update(hostNetwork=True),
        "capabilities": lambda: container["securityContext"].update(capabilities={"drop": ["ALL"], "add": ["NET_RAW"]}),
        "no seccomp": lambda: spec["securityContext"].pop("seccompProfile"),
    }[softened]()
    done = dry_run(cluster, pod)
    assert "violates PodSecurity" in done


def test_the_shops_namespace_takes_the_same_pod_hardened(
    cluster: Cluster, shop: Release, namespaces: dict[str, str]
) -> None:
    pod = hardened_pod("hard", namespaces[SHOP], cluster.image("backend"), labels={}, command=("true",))
    assert dry_run(cluster, pod) == ""


def test_the_quota_refuses_what_is_too_much(cluster: Cluster, shop: Release, namespaces: dict[str, str]) -> None:
    pod = hardened_pod("large", namespaces[SHOP], cluster.image("backend"), labels={}, command=("true",))
    pod["spec"]["containers"][0]["resources"]["limits"]["memory"] = "64Gi"
    assert "maximum memory usage" in dry_run(cluster, pod)


def dry_run(cluster: Cluster, pod: dict[str, Any]) -> str:
    """What the API server says against the pod; empty if it would take it. Nothing is made."""
    import yaml

    done = cluster.kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(pod), check=False)
    return done.stderr if done.code else ""
