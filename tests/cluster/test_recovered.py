"""A cluster is lost, and all of its namespaces: `ecom recover` makes the shop again in an empty namespace, from the
store's address, its credentials and the private key that was kept elsewhere. What is damaged makes nothing.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ecom_platform.backup.encryption import new_identity
from ecom_platform.backup.recovery_set import newest_proved
from ecom_platform.backup.sources.tree_reader import Entry
from ecom_platform.clients import sql
from ecom_platform.clients.commands import Completed, run
from ecom_platform.clients.objects import open_store
from ecom_platform.platforms.kubernetes import KubernetesPlatform
from ecom_platform.platforms.kubernetes.empty_place import MARK
from ecom_platform.platforms.protocol import StoreAccess
from ecom_platform.recovery.copies import bring_up, open_shop
from ecom_platform.recovery.saving import save_all
from ecom_platform.spec import Folder, FolderReference, SecretReference, Shop, Store
from ecom_platform.spec_file import read_spec
from ecom_platform.validation import purchase
from tests.backup.restoring import open_folder
from tests.backup.servers import object_server
from tests.cluster.tools import RESTRICTED, Cluster
from tests.platforms.cluster import SMALL, shop_in_cluster

ORDERS = "200"


def spec_of(access: StoreAccess) -> Shop:
    """The example with pictures on a volume and one store, outside of the cluster."""
    shop = shop_in_cluster(f"recovered-{secrets.token_hex(3)}")
    backend, front = shop.services
    pictures = {"persistence": {"enabled": True, "size": "64Mi", "accessModes": ["ReadWriteOnce"]}}
    where = shop.kubernetes.model_copy(update={"values": {**SMALL, "media": pictures}})
    database = shop.databases[0]
    tasks = database.tasks.model_copy(update={"seed": ("python", "-m", "shop.seed", "--orders", ORDERS)})
    store = Store(
        url=access.url,
        endpoint=access.endpoint,
        access_key=SecretReference(env="ECOM_TEST_ACCESS_KEY"),
        secret_key=SecretReference(env="ECOM_TEST_SECRET_KEY"),
    )
    media = {**backend.environment, "MEDIA_DIR": FolderReference(folder="media")}
    return shop.model_copy(
        update={
            "services": (backend.model_copy(update={"environment": media}), front),
            "folders": (Folder(name="media"),),
            "databases": (database.model_copy(update={"tasks": tasks}),),
            "stores": {"cloud": store},
            "kubernetes": where,
        }
    )


@dataclass(frozen=True)
class Lost:
    """What was, and what is left of it. escrow: files that were kept elsewhere, below an otherwise empty folder."""

    shop: Shop
    orders: list[tuple[Any, ...]]
    pictures: Mapping[str, Entry]
    store: StoreAccess
    escrow: Path

    @property
    def namespace(self) -> str:
        return str(self.shop.kubernetes.namespace)

    def recover(self, into: Path, *, identity: str = "identity") -> Completed:
        """In that folder, with an empty environment but for the kubeconfig, and the path on which helm is found."""
        into.mkdir()
        kept = {name: os.environ[name] for name in ("KUBECONFIG", "PATH")}
        argv = ["/usr/bin/env", "-i", *(f"{name}={value}" for name, value in kept.items())]
        argv += [sys.executable, "-m", "ecom_platform.cli", "recover", "--from", self.store.url]
        argv += ["--endpoint", self.store.endpoint, "--into", str(into / "state")]
        argv += ["--identity", str(self.escrow / identity)]
        argv += ["--access-key-file", str(self.escrow / "access-key")]
        argv += ["--secret-key-file", str(self.escrow / "secret-key")]
        return run(argv, timeout=500, check=False, folder=into, keep=None)


def pictures_of(platform: KubernetesPlatform) -> dict[str, Entry]:
    """Without the volume's own folder."""
    tree = platform.folder_tree("media")
    for _ in tree.blocks():
        pass
    return {path: entry for path, entry in tree.entries.items() if path != "."}


def orders_of(platform: KubernetesPlatform) -> list[tuple[Any, ...]]:
    """Every order with its lines, as text: what is compared is what was written, not how it is hashed."""
    query = "SELECT o.id, o::text, l::text FROM orders o JOIN order_lines l ON l.order_id = o.id ORDER BY 1, 3"
    with sql.connect(platform.database(platform.shop.databases[0], "backup")) as connection:
        return list(sql.fetch(connection, query))


@pytest.fixture(scope="module")
def lost(cluster: Cluster) -> Iterator[Lost]:
    """A shop that sold, was backed up and proved; then everything of it is removed but its store."""
    del cluster  # tells what is missing
    with open_folder() as folder, object_server() as server, pytest.MonkeyPatch.context() as patched:
        access = server.access("recovered")
        patched.setenv("ECOM_TEST_ACCESS_KEY", access.access_key)
        patched.setenv("ECOM_TEST_SECRET_KEY", access.secret_key)
        escrow = folder / "escrow"
        escrow.mkdir()
        shop = spec_of(access)
        platform = KubernetesPlatform(shop, folder / "old")
        try:
            bring_up(platform)
            platform.run_task(shop.databases[0], shop.databases[0].tasks.seed, timeout=200)
            open_shop(platform, shop)
            assert all(each.passed for each in purchase.buy_one(platform.address(shop.front_door, "active")))
            save_all(platform, shop)
            kept = Lost(shop, orders_of(platform), pictures_of(platform), access, escrow)
            texts = {"identity": platform.identities()[0], "stranger": new_identity()}
            texts |= {"access-key": access.access_key, "secret-key": access.secret_key}
            for name, text in texts.items():
                (escrow / name).write_text(text)
                (escrow / name).chmod(0o600)
        finally:
            platform.reset()
        yield kept
        platform.reset()
        platform.cluster.close()


@pytest.fixture(scope="module")
def empty(cluster: Cluster, lost: Lost) -> Iterator[str]:
    """The namespace again, made by somebody, with nothing in it."""
    name = lost.namespace
    cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}})
    yield name
    cluster.kubectl("delete", "namespace", name, "--timeout=180s", seconds=200)


def content(cluster: Cluster, namespace: str) -> list[str]:
    kinds = "pods,services,deployments,statefulsets,jobs,configmaps,secrets,persistentvolumeclaims,networkpolicies"
    found = json.loads(cluster.kubectl("get", kinds, "-n", namespace, "-o", "json").stdout)["items"]
    names = (f"{each['kind']}/{each['metadata']['name']}" for each in found)
    return sorted(each for each in names if each != "ConfigMap/kube-root-ca.crt")


def test_with_another_key_nothing_is_made(cluster: Cluster, lost: Lost, empty: str, tmp_path: Path) -> None:
    done = lost.recover(tmp_path / "one", identity="stranger")
    assert done.code == 1, done.stderr
    assert "none of the keys opens it" in done.stderr
    assert content(cluster, empty) == []


@pytest.mark.timeout(900)
def test_a_set_that_is_damaged_leaves_no_half_of_a_shop(
    cluster: Cluster, lost: Lost, empty: str, tmp_path: Path
) -> None:
    store = open_store(lost.store)
    part = newest_proved(store, lost.shop.shop).member("database/shop").part("data")
    whole = store.get(part.key)
    store.delete(part.key)
    store.put_new(part.key, whole[:-100] + bytes(100))
    try:
        done = lost.recover(tmp_path / "one")
    finally:
        store.delete(part.key)
        store.put_new(part.key, whole)
    assert done.code == 1, done.stderr
    assert part.key in done.stderr or "open the archive" in done.stderr
    assert content(cluster, empty) == []


@pytest.mark.timeout(900)
def test_an_empty_namespace_gets_the_whole_shop_back(cluster: Cluster, lost: Lost, empty: str, tmp_path: Path) -> None:
    done = lost.recover(tmp_path / "one")
    assert done.code == 0, done.stderr[-4000:]
    print(done.stderr)
    state = tmp_path / "one" / "state"
    shop = read_spec(state / f"{lost.shop.shop}-configuration" / "spec.yaml")
    # The new platform signs with a key of its own, and goes on with the old one's snapshots.
    assert len(shop.encryption.signers) == 1
    assert shop.model_copy(update={"encryption": lost.shop.encryption}) == lost.shop
    platform = KubernetesPlatform(shop, state / shop.shop)
    try:
        # Row for row, as the command itself compared them, and beside them the purchase with which it tested the shop.
        last = lost.orders[-1][0]
        assert [each for each in orders_of(platform) if each[0] <= last] == lost.orders
        assert pictures_of(platform) == lost.pictures
        assert [each for each in purchase.buy_one(platform.address(shop.front_door, "active")) if not each.passed] == []
        assert f"ConfigMap/{MARK}" not in content(cluster, empty)
        # Never over a shop that is there, from whatever folder.
        again = lost.recover(tmp_path / "two")
        assert again.code == 1
        assert "Nothing is overwritten" in again.stderr
        assert [each for each in purchase.buy_one(platform.address(shop.front_door, "active")) if not each.passed] == []
    finally:
        platform.cluster.close()
