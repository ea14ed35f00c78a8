"""Folders that only a pod can see, and the objects of a namespace: taken, restored, red when not as they were."""

from __future__ import annotations

import base64
import copy
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from ecom_platform.backup.sources.configuration import as_document, refuse_leaks
from ecom_platform.backup.sources.folder import tree_source
from ecom_platform.backup.sources.tree_proof import read_entries
from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.errors import BusyError, EcomError, MissingError, PermanentError, RefusedError, UnreachableError
from ecom_platform.platforms.kubernetes import objects, scratch
from ecom_platform.platforms.kubernetes.pod_tree import PodTree
from ecom_platform.platforms.kubernetes.pods import TemporaryPod, running
from ecom_platform.spec import Kubernetes
from ecom_platform.verdicts import Outcome
from tests.backup.snapshots import KEYS
from tests.backup.sources.trees import Keeper
from tests.platforms.cluster import missing, unguarded_namespace
from tests.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300)]

FILL = """
import os, threading, time
from pathlib import Path
root = Path("/data")
(root / "deep" / "er").mkdir(parents=True)
(root / "empty folder").mkdir()
(root / "plain").write_text("hello")
(root / "deep" / "er" / "Stra\\u00dfe\\n").write_text("odd")
(root / "large").write_bytes(os.urandom(1 << 20) * 48)
(root / "link").symlink_to("plain")
os.chmod(root / "plain", 0o4640)
os.utime(root / "plain", ns=(1_000_000_000_123_456_789,) * 2)
busy = Path("/busy")
(busy / "log").write_text("begin")
Path("/data/.ready").touch()
while True:
    with open("/busy/log", "a") as log:
        log.write("more")
    time.sleep(0.002)
"""


@dataclass(frozen=True)
class PodWithData(TemporaryPod):
    """With two volumes that can be written."""

    def manifest(self) -> Object:
        pod = super().manifest()
        names = ("data", "busy")
        pod["spec"]["volumes"] = [{"name": each, "emptyDir": {}} for each in names]
        pod["spec"]["securityContext"]["fsGroup"] = 1000
        mounts = [{"name": each, "mountPath": f"/{each}"} for each in names]
        pod["spec"]["containers"][0]["volumeMounts"] = mounts
        pod["spec"]["containers"][0]["env"] = [{"name": "MEDIA_DIR", "value": "/data"}]
        return pod


@dataclass(frozen=True)
class Place:
    cluster: Cluster
    namespace: str
    pod: str

    def tree(self, place: str = "MEDIA_DIR", pod: str = "") -> PodTree:
        return PodTree(self.cluster, pod or self.pod, self.namespace, container="main", name="media", place=place)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    if not os.environ.get("KUBECONFIG"):
        missing("KUBECONFIG names no cluster")
    found = Cluster()
    yield found
    found.close()


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[Place]:
    with unguarded_namespace(cluster) as namespace:
        command = ("python3", "-c", FILL)
        pod = PodWithData("data", namespace, Kubernetes().probe_image, command)
        with running(cluster, {"it": pod}) as pods:
            name = pods["it"]["metadata"]["name"]
            there = Place(cluster, namespace, name)
            wait = "import os, time\nwhile not os.path.exists('/data/.ready'): time.sleep(0.05)"
            assert cluster.execute(name, namespace, ["python3", "-c", wait], timeout=60).code == 0
            yield there


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    return Keeper(tmp_path)


def test_a_folder_in_a_pod_comes_back_as_it_is_there(place: Place, keeper: Keeper) -> None:
    before = psutil.Process().memory_info().rss
    most = 0

    def watch(_: str) -> None:
        nonlocal most
        most = max(most, psutil.Process().memory_info().rss)

    keeper.said = type("Watched", (list,), {"append": lambda _, text: watch(text)})()
    manifest = keeper.take_source(tree_source("folder", "media", place.tree()))
    watch("")
    assert most - before < 40e6, "48 MB passed through, and less stayed"
    assert keeper.verify(manifest).outcome is Outcome.PASSED
    entries = read_entries(keeper.store, manifest, KEYS)
    assert set(entries) == {
        ".",
        ".ready",
        "deep",
        "deep/er",
        "deep/er/Straße\n",
        "empty folder",
        "plain",
        "large",
        "link",
    }
    assert (entries["plain"].mode, entries["plain"].mtime) == (0o4640, 1_000_000_000_123_456_789)
    hashed = place.cluster.execute(place.pod, place.namespace, ["sha256sum", "/data/large"])
    assert entries["large"].sha256 == hashed.stdout.split()[0]


def test_a_file_in_a_pod_that_never_holds_still_is_an_error_and_no_snapshot(place: Place, keeper: Keeper) -> None:
    with pytest.raises(BusyError, match="'log' changed during every one"):
        keeper.take_source(tree_source("folder", "media", place.tree("/busy")))
    assert keeper.objects() == []


def test_what_a_pod_lacks_is_said(place: Place, keeper: Keeper) -> None:
    with pytest.raises(PermanentError, match="No such file or directory: /nothing"):
        keeper.take_source(tree_source("folder", "media", place.tree("/nothing")))
    with pytest.raises(MissingError):
        keeper.take_source(tree_source("folder", "media", place.tree(pod="no-such-pod")))
    assert keeper.objects() == []


def test_a_pod_that_goes_while_it_is_read_leaves_no_snapshot(place: Place, keeper: Keeper) -> None:
    pod = PodWithData("going", place.namespace, Kubernetes().probe_image, ("sh", "-c", "sleep 300 & wait"))
    with running(place.cluster, {"it": pod}) as pods:
        name = pods["it"]["metadata"]["name"]
        fill = "open('/data/large', 'wb').write(b'x' * (96 << 20))"
        assert place.cluster.execute(name, place.namespace, ["python3", "-c", fill], timeout=60).code == 0
        tree = place.tree(pod=name)

        def there() -> object:
            return place.cluster.find("pods", name, place.namespace)

        def cut() -> Iterator[bytes]:
            for number, block in enumerate(type(tree).blocks(tree)):
                if number == 8:
                    # With a grace, however short, its name goes when its processes have gone.
                    place.cluster.delete("pods", name, place.namespace, grace=1)
                    wait_until(
                        lambda: not place.cluster.find("pods", name, place.namespace), seconds=60, what="its end"
                    )
                yield block

        tree.blocks = cut  # type: ignore[method-assign]  # the pod's end comes in the middle
        with pytest.raises(EcomError) as ended:
            keeper.take_source(tree_source("folder", "media", tree))
    assert isinstance(ended.value, UnreachableError | PermanentError)
    assert keeper.objects() == []


PASSWORD = secrets.token_hex(16)
OBJECTS: list[tuple[str, Object]] = [
    ("configmaps", {"metadata": {"name": "settings", "labels": {"a": "b"}}, "data": {"key": "value"}}),
    ("serviceaccounts", {"metadata": {"name": "account"}, "automountServiceAccountToken": False}),
    (
        "services",
        {
            "metadata": {"name": "web", "annotations": {"own": "kept"}},
            "spec": {"type": "NodePort", "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    ),
    (
        "deployments",
        {
            "metadata": {"name": "web"},
            "spec": {
                "replicas": 0,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "web", "image": "web:1"}]},
                },
            },
        },
    ),
    (
        "persistentvolumeclaims",
        {
            "metadata": {"name": "media"},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}},
        },
    ),
    ("networkpolicies", {"metadata": {"name": "deny"}, "spec": {"podSelector": {}, "policyTypes": ["Ingress"]}}),
    ("secrets", {"metadata": {"name": "database"}, "stringData": {"password": PASSWORD, "username": "shop_owner"}}),
]


@pytest.fixture(scope="module")
def namespace(cluster: Cluster) -> Iterator[str]:
    with unguarded_namespace(cluster) as name:
        for kind, body in OBJECTS:
            cluster.create(kind, copy.deepcopy(body), name)
        yield name


@pytest.fixture(scope="module")
def documents(cluster: Cluster, namespace: str) -> dict[str, object]:
    return objects.documents(cluster, [namespace])


def test_objects_are_recorded_without_their_run_time_state(namespace: str, documents: dict[str, object]) -> None:
    assert {each.removeprefix(f"kubernetes/{namespace}/") for each in documents} == {
        f"{kind}/{body['metadata']['name']}.json" for kind, body in OBJECTS
    }
    text = as_document(documents).decode()
    for state in ("uid", "resourceVersion", "creationTimestamp", "managedFields", "clusterIP", "nodePort", "status"):
        assert f'"{state}"' not in text, state
    assert '"own": "kept"' in text


def test_no_value_of_a_secret_is_recorded(cluster: Cluster, namespace: str, documents: dict[str, object]) -> None:
    values = objects.secret_values(cluster, [namespace])
    assert values == {f"{namespace}/database/password": PASSWORD.encode()}
    plain = {path: as_document(content) for path, content in documents.items()}
    assert b"password" in plain[f"kubernetes/{namespace}/secrets/database.json"]
    refuse_leaks(plain, values)
    assert not any(base64.b64encode(PASSWORD.encode()) in each or PASSWORD.encode() in each for each in plain.values())


def test_a_secret_that_somebody_wrote_into_an_object_is_refused(cluster: Cluster, namespace: str) -> None:
    careless = {"kubernetes/x/configmaps/y.json": as_document({"data": {"url": f"postgresql://me:{PASSWORD}@db"}})}
    with pytest.raises(RefusedError, match="holds the value of the secret"):
        refuse_leaks(careless, objects.secret_values(cluster, [namespace]))


def restored(documents: dict[str, object], folder: Path) -> list[tuple[str, Object]]:
    for path, content in documents.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(as_document(content))
    return objects.restored(folder)


def test_the_cluster_takes_every_restored_object_as_it_was(
    cluster: Cluster, documents: dict[str, object], tmp_path: Path
) -> None:
    found = restored(documents, tmp_path)
    verdict = scratch.rehearsed(cluster, found)
    assert verdict.outcome is Outcome.PASSED, verdict.seen
    assert f"{len(OBJECTS) - 1} objects" in verdict.seen


@dataclass(frozen=True)
class Change:
    """Of one field of an object; seen: in the verdict."""

    kind: str
    at: tuple[str, ...]
    value: object
    seen: str


CHANGES = [
    pytest.param(Change("services", ("spec", "sessionAffinity"), "Sideways", "sessionAffinity"), id="it refuses it"),
    pytest.param(Change("deployments", ("spec", "revisionHistoryLimit"), None, "revisionHistory"), id="it adds to it"),
    pytest.param(Change("configmaps", ("metadata", "labels"), {"x" * 300: "y"}, "configmaps/settings"), id="bad label"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_an_object_that_the_cluster_would_not_have_so_is_named(
    cluster: Cluster, documents: dict[str, object], tmp_path: Path, change: Change
) -> None:
    found = restored(documents, tmp_path)
    inside = next(each for of, each in found if of == change.kind)
    for step in change.at[:-1]:
        inside = inside[step]
    inside[change.at[-1]] = change.value
    verdict = scratch.rehearsed(cluster, found)
    assert verdict.outcome is Outcome.FAILED
    assert change.seen in verdict.seen
