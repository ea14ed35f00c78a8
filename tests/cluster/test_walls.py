"""The matrix with real packets: what must pass passes, all else does not; without the policies the probes see it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from tests.charts.matrix import KINDS, OUTSIDE, PASSES, PORTS, S3
from tests.cluster.conftest import LISTENING, Release
from tests.cluster.tools import Cluster, eventually, hardened_pod

pytestmark = pytest.mark.timeout(900)
API, DNS = ("api", 443), ("dns", 53)
MAY_RESOLVE = {
    "frontend-blue", "frontend-green", "backend-blue", "backend-green", "migration",
    "webserver", "daemon", "code-location", "metrics", "run", "load-worker", "client", "stranger-outside",
}  # fmt: skip
MAY_CALL_THE_API = {"daemon", "run", "client", "stranger-outside"}
INSIDE = [kind for kind, (where, _) in KINDS.items() if where != OUTSIDE]

Seen = dict[tuple[str, str, int], str]


def expected() -> set[tuple[str, str, int]]:
    without = set() if os.environ.get("ECOM_TEST_SEAWEEDFS") else {("run", "seaweedfs", S3)}
    return {
        *(PASSES - without),
        *((kind, *DNS) for kind in MAY_RESOLVE),
        *((kind, *API) for kind in MAY_CALL_THE_API),
    }


@pytest.fixture(scope="module")
def probes(cluster: Cluster, namespaces: dict[str, str], shop: Release, platform: Release) -> Iterator[dict[str, str]]:
    """A pod of each kind, with the labels of the real ones, listening on every port; their addresses."""
    command = (*LISTENING, *(str(each) for each in PORTS))
    pods = {
        kind: hardened_pod(f"probe-{kind}", namespaces[where], cluster.image("backend"), labels=labels, command=command)
        for kind, (where, labels) in KINDS.items()
    }
    for each in pods.values():
        listens = {"tcpSocket": {"port": PORTS[-1]}, "periodSeconds": 1, "failureThreshold": 120}
        each["spec"]["containers"][0]["startupProbe"] = listens
    cluster.apply(*pods.values())

    def addresses() -> dict[str, str] | None:
        found = {
            each["metadata"]["name"].removeprefix("probe-"): each["status"].get("podIP", "")
            for namespace in set(namespaces.values())
            for each in cluster.get("pods", namespace)
            if each["metadata"]["name"].startswith("probe-")
            if any(container["started"] for container in each["status"].get("containerStatuses", []))
        }
        return found if found.keys() == KINDS.keys() and all(found.values()) else None

    yield eventually("a pod of each kind runs", addresses, 120)
    for namespace in set(namespaces.values()):
        names = [each["metadata"]["name"] for each in pods.values() if each["metadata"]["namespace"] == namespace]
        cluster.kubectl("delete", "pod", "-n", namespace, *names, "--wait=true", seconds=120)


def probe(
    cluster: Cluster, namespaces: dict[str, str], addresses: dict[str, str], sources: Iterable[str] = KINDS
) -> Seen:
    """What these kinds of pods see of every other, of the API server and of DNS."""
    api = cluster.get("service/kubernetes", "default")["spec"]["clusterIP"]

    def of(source: str) -> Seen:
        pairs = [(target, port) for target, port in product(INSIDE, PORTS) if target != source]
        places = [*((addresses[target], port) for target, port in pairs), (api, 443)]
        namespace = namespaces[KINDS[source][0]]
        said = json.loads(cluster.script(namespace, f"probe-{source}", "probe.py", json.dumps(places)))
        return {(source, *where): answer for where, answer in zip([*pairs, API, DNS], said, strict=True)}

    with ThreadPoolExecutor(4) as pool:
        return {pair: answer for seen in pool.map(of, sources) for pair, answer in seen.items()}


def deviations(seen: Seen) -> Seen:
    """Pairs that passed and must not, or did not and must; and answers that are neither."""
    wanted = expected()
    return {
        pair: answer
        for pair, answer in seen.items()
        if (answer == "open") != (pair in wanted) or answer not in ("open", "timeout", "refused")
    }


def test_exactly_the_pairs_of_the_matrix_pass(
    cluster: Cluster, namespaces: dict[str, str], probes: dict[str, str]
) -> None:
    seen = until(cluster, namespaces, probes, deviations)
    blocked = {answer for pair, answer in seen.items() if pair not in expected() and pair[1:] != DNS}
    assert blocked == {"timeout"}, "a refused connection would mean that the packet arrived"


def test_without_the_policies_the_same_probes_turn_red(
    cluster: Cluster, namespaces: dict[str, str], probes: dict[str, str], shop: Release, platform: Release
) -> None:
    for release in (shop, platform):
        cluster.kubectl("delete", "networkpolicy", "--all", "-n", release.namespace)
    try:
        seen = until(cluster, namespaces, probes, lambda seen: {p: a for p, a in seen.items() if a != "open"})
        assert set(deviations(seen)) == set(seen) - expected()
    finally:
        for release in (shop, platform):
            cluster.install(release.chart, release.name, release.namespace, release.sets)
    until(cluster, namespaces, probes, deviations)


def until(
    cluster: Cluster, namespaces: dict[str, str], addresses: dict[str, str], wrong: Callable[[Seen], Seen]
) -> Seen:
    """What is seen once nothing of it is wrong. Policies reach the nodes a little after they are made, and on a
    busy machine a connection that passes may take longer than the probe waits: sources that saw something
    wrong look again.
    """
    seen = probe(cluster, namespaces, addresses)

    def nothing_wrong() -> bool | None:
        found = wrong(seen)
        if found:
            seen.update(probe(cluster, namespaces, addresses, {source for source, _, _ in found}))
        return True if not found else None

    try:
        eventually("the walls stand as written", nothing_wrong, 240)
    except AssertionError as error:
        raise AssertionError(f"{error}: {wrong(seen)}") from error
    return seen
