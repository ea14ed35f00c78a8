"""SeaweedFS of the platform's chart: S3 for those who have its key, and nothing else from outside its pod."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from tests.charts.matrix import KINDS
from tests.cluster.conftest import LISTENING, Place, Release
from tests.cluster.facts import broken, read
from tests.cluster.tools import Cluster, hardened_pod


@pytest.fixture(autouse=True)
def _store(platform: Release) -> None:
    if not os.environ.get("ECOM_TEST_SEAWEEDFS"):
        pytest.skip("ECOM_TEST_SEAWEEDFS names no image")


@pytest.fixture
def run_pod(cluster: Cluster, platform: Release) -> Iterator[Place]:
    """A pod with the labels of a run, and the platform's image."""
    place = Place(platform.namespace, "store-probe")
    labels = KINDS["run"][1]
    pod = hardened_pod(
        place.pod, place.namespace, cluster.image("platform"), labels=labels, command=(*LISTENING, "8080")
    )
    del pod["spec"]["containers"][0]["readinessProbe"]
    pod["spec"]["containers"][0]["resources"]["limits"]["memory"] = "256Mi"
    cluster.apply(pod)
    cluster.wait_ready(place.namespace, place.pod)
    yield place
    cluster.kubectl("delete", "pod", place.pod, "-n", place.namespace, seconds=90)


def test_a_run_stores_and_reads_an_object_and_finds_no_other_door(cluster: Cluster, run_pod: Place) -> None:
    said = json.loads(cluster.script(run_pod.namespace, run_pod.pod, "store.py", "seaweedfs", seconds=90))
    assert said == {"said": "content", "open": [8333]}


def test_its_other_servers_listen_to_their_own_pod_only(cluster: Cluster, platform: Release) -> None:
    lines = cluster.execute(platform.namespace, "seaweedfs-0", "cat", "/proc/net/tcp", "/proc/net/tcp6").splitlines()
    listening = [each.split()[1] for each in lines if len(each.split()) > 3 and each.split()[3] == "0A"]
    loopback = ("0100007F", "0" * 24 + "01000000", "0" * 16 + "FFFF0000" + "0100007F")
    open_to_all = {int(each.split(":")[1], 16) for each in listening if not each.startswith(loopback)}
    assert 8333 in open_to_all
    # The gRPC port of S3 follows its bind address; the policy admits nobody to it.
    assert open_to_all <= {8333, 18333}


def test_its_pod_keeps_every_rule(cluster: Cluster, platform: Release) -> None:
    assert broken(read(cluster.script(platform.namespace, "seaweedfs-0", "facts.sh"))) == []
