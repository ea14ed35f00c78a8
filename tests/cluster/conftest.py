"""The cluster, three namespaces, and both charts installed once for all tests of this folder."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pytest
import yaml

from ecom_platform.clients.commands import Completed
from ecom_platform.platforms.kubernetes import KubernetesPlatform
from ecom_platform.platforms.kubernetes.inside import as_values
from ecom_platform.spec_file import read_spec
from tests.charts.matrix import OUTSIDE, PLATFORM, SHOP, platform_sets, shop_sets
from tests.cluster.inside import Inside, killed_on_its_way, spec_of
from tests.cluster.tools import SCRIPTS, Cluster, hardened_pod, open_cluster
from tests.platforms.cluster import missing, shop_in_cluster

ROLES = {"superuser": "postgres", "owner": "shop_owner", "app": "shop_app", "backup": "shop_backup"}
LISTENING = ("python", "-c", (SCRIPTS / "listen.py").read_text(encoding="utf-8"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/cluster/" in item.path.as_posix():
            item.add_marker(pytest.mark.cluster)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(600))


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    return open_cluster()


@pytest.fixture(scope="session")
def namespaces(cluster: Cluster) -> Iterator[dict[str, str]]:
    """The shop's, the platform's, and one of other people; all enforce `restricted`."""
    with cluster.namespaces(SHOP, PLATFORM, OUTSIDE) as names:
        yield names


@dataclass(frozen=True)
class Release:
    """An installed chart. sets: what it was installed with, for upgrades."""

    name: str
    chart: str
    namespace: str
    sets: tuple[str, ...]


def make_secret(cluster: Cluster, namespace: str, name: str, values: Mapping[str, str]) -> None:
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace},
            "stringData": dict(values),
        }
    )


def make_shop_secrets(cluster: Cluster, namespace: str, uses: Iterable[str] = ROLES) -> None:
    """The Secrets that an operator makes before the shop is installed, with new passwords."""
    for use in uses:
        role = ROLES[use]
        password = secrets.token_urlsafe(18)
        url = f"postgresql://{role}:{password}@database:5432/shop"
        make_secret(cluster, namespace, f"shop-database-{use}", {"password": password, "url": url})


def shop_images(cluster: Cluster) -> tuple[str, ...]:
    colours = [
        f"{service}.colours.{colour}.{key}={value}"
        for service in ("backend", "frontend")
        for colour, version in (("blue", "1.0.0"), ("green", "2.0.0"))
        for key, value in (("tag", cluster.tag), ("version", version), ("replicas", 1))
    ]
    repositories = [f"{each}.image.repository={cluster.repository}/{each}" for each in ("backend", "frontend")]
    return (*colours, *repositories, f"migration.tag={cluster.tag}")


SMALL = (
    "backend.resources.requests.cpu=20m",
    "frontend.resources.requests.cpu=20m",
    "database.resources.requests.cpu=20m",
    "database.persistence.size=1Gi",
    "database.persistence.whenDeleted=Delete",
    "migration.seed.enabled=true",
    "migration.seed.orders=100",
)


@pytest.fixture(scope="session")
def shop(cluster: Cluster, namespaces: dict[str, str]) -> Release:
    """Both colours: blue is live, green is the preview; blue's backend has two pods."""
    make_shop_secrets(cluster, namespaces[SHOP])
    both = [
        f"{each}.{key}" for each in ("backend", "frontend") for key in ("colours.green.enabled=true", "preview=green")
    ]
    sets = (*shop_images(cluster), *SMALL, *both, *shop_sets(namespaces), "backend.colours.blue.replicas=2")
    release = Release("shop", "shop", namespaces[SHOP], sets)
    cluster.install(release.chart, release.name, release.namespace, release.sets)
    return release


@dataclass(frozen=True)
class Place:
    """A pod of ours to run programs in."""

    namespace: str
    pod: str


@pytest.fixture(scope="session")
def customer(cluster: Cluster, namespaces: dict[str, str]) -> Place:
    """A person who may call the front door: a pod with that label, in the namespace of other people."""
    place = Place(namespaces[OUTSIDE], "customer")
    image = cluster.image("backend")
    pod = hardened_pod(place.pod, place.namespace, image, labels={"role": "client"}, command=(*LISTENING, "8080"))
    del pod["spec"]["containers"][0]["readinessProbe"]
    cluster.apply(pod)
    cluster.wait_ready(place.namespace, place.pod)
    return place


@pytest.fixture(scope="session")
def platform(cluster: Cluster, namespaces: dict[str, str], shop: Release) -> Release:
    """The platform with the real code location, read-only, as the chart's values are."""
    namespace = namespaces[PLATFORM]
    make_secret(cluster, namespace, "ecom-dagster-database", {"postgresql-password": secrets.token_urlsafe(18)})
    make_secret(cluster, namespace, "ecom-identity", {"identity": "not a real one"})
    make_secret(cluster, namespace, "ecom-store", {"access-key": "a", "secret-key": "b"})
    sets = (
        f"image.repository={cluster.repository}/platform",
        f"image.tag={cluster.tag}",
        "database.persistence.size=1Gi",
        "database.persistence.whenDeleted=Delete",
        "secrets.runs.store=ecom-store",
        *platform_sets(namespaces),
        *_seaweedfs(cluster, namespace),
    )
    release = Release("platform", "platform", namespace, sets)
    cluster.install(release.chart, release.name, namespace, sets)
    return release


def _seaweedfs(cluster: Cluster, namespace: str) -> tuple[str, ...]:
    image = os.environ.get("ECOM_TEST_SEAWEEDFS", "")
    if not image:
        return ()
    repository, _, tag = image.rpartition(":")
    identity = {"name": "ecom", "credentials": [{"accessKey": "ecom", "secretKey": "test-only"}], "actions": ["Admin"]}
    keys = "".join(f'[{each}]\nkey = "{secrets.token_hex(16)}"\n' for each in ("jwt.signing", "jwt.filer_signing"))
    values = {"s3.json": json.dumps({"identities": [identity]}), "security.toml": keys}
    make_secret(cluster, namespace, "ecom-seaweedfs", values)
    return (
        "seaweedfs.enabled=true",
        f"seaweedfs.image.repository={repository}",
        f"seaweedfs.image.tag={tag}",
        "seaweedfs.persistence.size=1Gi",
        "seaweedfs.persistence.whenDeleted=Delete",
    )


@pytest.fixture(scope="session")
def inside(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    """Brought up by the command, which is killed once on its way and started again."""
    del cluster  # tells what is missing
    image = os.environ.get("ECOM_TEST_SEAWEEDFS", "")
    if not image:
        missing("ECOM_TEST_SEAWEEDFS names no image")
    folder = tmp_path_factory.mktemp("inside")
    shop = spec_of(shop_in_cluster(f"inside-{secrets.token_hex(3)}"), image)
    spec = folder / "shop.yaml"
    spec.write_text(yaml.safe_dump(as_values(shop), sort_keys=False), encoding="utf-8")
    assert read_spec(spec) == shop
    state = folder / shop.shop
    platform = KubernetesPlatform(shop, state)
    place = Inside(spec, state, shop, platform, Completed("", 0, "", ""))
    try:
        killed_on_its_way(place)
        up = place.ecom("up")
        assert up.code == 0, up.stderr[-4000:]
        yield Inside(spec, state, shop, platform, up)
    finally:
        platform.reset()
        platform.cluster.close()
