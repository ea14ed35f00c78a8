"""Each claim of the validation in a cluster: green on the shop, and red when the claim is broken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from ecom_platform.backup.archives import copy_archive
from ecom_platform.backup.sources.configuration import configuration_source, gather
from ecom_platform.backup.sources.folder import tree_source
from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.errors import ConfigurationError
from ecom_platform.platforms.kubernetes.pods import TemporaryPod, running
from ecom_platform.spec import FolderReference
from ecom_platform.validation import cluster as cluster_validation
from ecom_platform.validation import hardening, network, service_accounts
from ecom_platform.verdicts import Outcome, Verdict, worst
from tests.backup.snapshots import KEYS
from tests.backup.sources.trees import Keeper
from tests.platforms.cluster import ClusterPlace, in_cluster, unguarded_namespace
from tests.waiting import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

SLEEP = ("sh", "-c", "sleep 300 & wait")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterPlace]:
    with in_cluster(tmp_path_factory.mktemp("cluster")) as found:
        yield found


def red(verdicts: list[Verdict]) -> str:
    """The claims that failed, as one text."""
    return "\n".join(each.claim for each in verdicts if each.outcome is Outcome.FAILED)


@dataclass(frozen=True)
class OpenPod(TemporaryPod):
    """A pod without any hardening: root, every capability, a root file system to write in, a token, no limits."""

    def manifest(self) -> Object:
        pod = super().manifest()
        pod["spec"]["securityContext"] = {"runAsUser": 0}
        pod["spec"]["automountServiceAccountToken"] = True
        pod["spec"]["containers"][0]["securityContext"] = {"privileged": True, "runAsUser": 0}
        del pod["spec"]["containers"][0]["resources"]
        return pod


@dataclass(frozen=True)
class WritablePod(TemporaryPod):
    """Hardened but for its root file system."""

    def manifest(self) -> Object:
        pod = super().manifest()
        pod["spec"]["containers"][0]["securityContext"]["readOnlyRootFilesystem"] = False
        return pod


def test_the_cluster_has_what_is_needed(place: ClusterPlace) -> None:
    assert worst(cluster_validation.examine(place.platform)) is Outcome.PASSED


def test_the_shop_passes_every_check(place: ClusterPlace) -> None:
    for name in ("backend", "frontend"):
        service = place.service(name)
        findings = cluster_validation.validate(place.platform, service)
        assert set(findings.verdicts) == set(cluster_validation.checks(service))
        bad = [str(each) for found in findings.verdicts.values() for each in found if not each.passed]
        assert bad == []


def test_a_pod_whose_root_file_system_can_be_written_is_red(place: ClusterPlace) -> None:
    pod = WritablePod("writable", place.namespace, place.service().image, SLEEP)
    with running(place.cluster, {"it": pod}) as pods:
        claims = red(hardening.hardened(place.cluster, pods["it"]))
    assert "writing to / fails" in claims
    assert "/ is mounted" in claims
    assert "CapEff" not in claims


def test_a_pod_of_root_with_all_capabilities_a_token_and_no_limits_is_red_in_each(place: ClusterPlace) -> None:
    with unguarded_namespace(place.cluster) as namespace:
        pod = OpenPod("open", namespace, place.service().image, SLEEP)
        with running(place.cluster, {"it": pod}) as pods:
            claims = red(hardening.hardened(place.cluster, pods["it"]))
        admitted = red(hardening.admission(place.cluster, namespace, place.service().image))
    for each in ("user", "CapEff", "CapBnd", "new privileges", "seccomp", "writing to /", "memory", "cpu", "token"):
        assert each in claims
    assert admitted.count("is refused") == 5


def test_without_the_policies_the_same_probes_turn_red(place: ClusterPlace) -> None:
    platform, image = place.platform, place.shop.kubernetes.probe_image
    for each in place.cluster.list("networkpolicies", place.namespace):
        place.cluster.delete("networkpolicies", each["metadata"]["name"], place.namespace)
    try:
        with cluster_validation.elsewhere(place.cluster) as stranger:
            verdicts = network.walled_off(place.cluster, platform.names, "blue", image, stranger)
    finally:
        platform.release.helm.upgrade(platform.release.chart, platform.release.values())
    claims = red(verdicts)
    for source, target in (
        ("frontend", "database:5432"),
        ("stranger", "backend:8080"),
        ("stranger", "database:5432"),
        ("outsider", "frontend:8080"),
        ("outsider", "database:5432"),
        ("backend", "api-server:443"),
    ):
        assert f"{source} does not reach {target}" in claims
    assert "database cannot ask for names" in claims


def test_one_path_too_many_and_one_too_few_are_red(place: ClusterPlace) -> None:
    names = place.platform.names
    place.cluster.delete("networkpolicies", "backend-blue", place.namespace)
    opened: Object = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "too-much"},
        "spec": {
            "podSelector": {"matchLabels": names.labels("database")},
            "ingress": [{"from": [{"namespaceSelector": {}}]}],
            "policyTypes": ["Ingress"],
        },
    }
    place.cluster.create("networkpolicies", opened, place.namespace)
    try:
        with cluster_validation.elsewhere(place.cluster) as stranger:
            verdicts = network.walled_off(place.cluster, names, "blue", place.shop.kubernetes.probe_image, stranger)
    finally:
        place.cluster.delete("networkpolicies", "too-much", place.namespace)
        place.platform.release.helm.upgrade(place.platform.release.chart, place.platform.release.values())
    claims = red(verdicts)
    assert "outsider does not reach database:5432" in claims
    assert "frontend reaches backend:8080" in claims
    assert "backend reaches database:5432" in claims
    assert "stranger does not reach backend:8080" not in claims


def reads_secrets(place: ClusterPlace, account: str) -> bool:
    token = place.cluster.service_account_token(place.namespace, account)
    with closing(Cluster(place.cluster.context, token)) as itself:
        try:
            itself.list("secrets", place.namespace)
        except ConfigurationError:
            return False
    return True


def test_an_account_that_may_read_secrets_is_red_when_asked_and_when_tried(place: ClusterPlace) -> None:
    group = "rbac.authorization.k8s.io"
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}
    role: Object = {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": {"name": "too-much"}, "rules": [rule]}
    binding: Object = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "too-much"},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": "too-much"},
        "subjects": [{"kind": "ServiceAccount", "name": "backend", "namespace": place.namespace}],
    }
    place.cluster.create("roles", role, place.namespace)
    place.cluster.create("rolebindings", binding, place.namespace)
    try:
        wait_until(lambda: reads_secrets(place, "backend"), seconds=30, what="the API server knows of the new right")
        claims = red(service_accounts.least_rights(place.cluster, service_accounts.of_shop(place.namespace)))
    finally:
        place.cluster.delete("rolebindings", "too-much", place.namespace)
        place.cluster.delete("roles", "too-much", place.namespace)
    who = f"{place.namespace}/backend"
    assert f"{who} may not get secrets in {place.namespace}" in claims
    assert f"{who} cannot read the secrets {place.namespace}" in claims
    assert f"{place.namespace}/frontend" not in claims


def test_the_configuration_of_the_shop_is_taken_without_secrets_and_taken_back_by_the_cluster(
    place: ClusterPlace, tmp_path: Path
) -> None:
    keeper = Keeper(tmp_path)
    documents = gather(place.platform, place.shop, keeper.key)
    assert f"helm/{place.namespace}/{place.platform.names.release}.json" in documents
    assert f"kubernetes/{place.namespace}/deployments/backend-blue.json" in documents
    snapshot = keeper.take_source(configuration_source(documents))
    done = keeper.verify(snapshot, look=place.platform.judge_documents)
    assert worst(done.verdicts) is Outcome.PASSED, [str(each) for each in done.verdicts if not each.passed]
    pieces: list[bytes] = []
    copy_archive(keeper.store, snapshot, "content", KEYS, pieces.append)
    secrets = place.platform.secret_values()
    assert f"{place.namespace}/shop-database-owner/password" in secrets
    assert [name for name, value in secrets.items() if value in b"".join(pieces)] == []


def test_the_media_of_the_shop_are_read_in_a_pod_of_the_backend(place: ClusterPlace, tmp_path: Path) -> None:
    keeper = Keeper(tmp_path)
    media = FolderReference(folder="media")
    backend = place.service(settings={"MEDIA_DIR": media})
    shop = place.shop.model_copy(update={"services": (backend, place.service("frontend"))})
    platform = place.sharing(shop)
    snapshot = keeper.take_source(tree_source("folder", "media", platform.folder_tree("media")))
    assert snapshot.fingerprint["entries"] == 1  # the chart's volume for trials is empty
    assert keeper.verify(snapshot).outcome is Outcome.PASSED
