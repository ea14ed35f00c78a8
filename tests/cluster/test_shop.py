"""The shop's chart on a cluster: it sells, and upgrades, rollbacks and colours do what they say."""

from __future__ import annotations

import base64
import json

import pytest

from tests.cluster.conftest import Place, Release, make_shop_secrets
from tests.cluster.tools import CHARTS, Cluster


def colour_of(cluster: Cluster, shop: Release, service: str) -> str:
    return str(cluster.get(f"service/{service}", shop.namespace)["spec"]["selector"]["ecom/colour"])


def switch(cluster: Cluster, shop: Release, colour: str) -> None:
    """What a release does at its end: both services' active address leads to another colour."""
    patch = json.dumps({"spec": {"selector": {"ecom/colour": colour}}})
    for service in ("backend", "frontend"):
        cluster.kubectl("patch", "service", service, "-n", shop.namespace, "--field-manager=ecom", "-p", patch)


@pytest.mark.parametrize(("address", "colour"), [("frontend", "blue"), ("frontend-preview", "green")])
def test_a_customer_buys_at_the_live_and_at_the_preview_address(
    cluster: Cluster, shop: Release, customer: Place, address: str, colour: str
) -> None:
    where = f"http://{address}.{shop.namespace}.svc.cluster.local"
    said = json.loads(cluster.script(customer.namespace, customer.pod, "purchase.py", where))
    assert said["cart"] == said["order"] == said["read"] > 0
    assert (said["frontend"], said["backend"]) == (colour, colour)


def test_pods_of_one_colour_are_on_different_nodes(cluster: Cluster, shop: Release) -> None:
    nodes = [each for each in cluster.get("nodes", "default") if not each["spec"].get("unschedulable")]
    if len(nodes) < 2:
        pytest.skip("the cluster has one node")
    selector = "app.kubernetes.io/component=backend,ecom/colour=blue"
    pods = cluster.get("pods", shop.namespace, "-l", selector, "--field-selector=status.phase=Running")
    assert len({each["spec"]["nodeName"] for each in pods}) == 2


@pytest.mark.parametrize(
    ("role", "statement", "refused"),
    [
        ("shop_app", "CREATE TABLE mine ()", "permission denied for schema public"),
        ("shop_app", "DROP TABLE orders", "must be owner of table orders"),
        ("shop_app", "TRUNCATE orders", "permission denied for table orders"),
        ("shop_backup", "DELETE FROM orders", "permission denied for table orders"),
        ("shop_owner", "CREATE ROLE other SUPERUSER", "permission denied to create role"),
    ],
)
def test_a_role_of_the_database_may_not_do_more_than_its_work(
    cluster: Cluster, shop: Release, role: str, statement: str, refused: str
) -> None:
    psql = ("psql", "--no-psqlrc", f"--username={role}", "--dbname=shop", "--command")
    done = cluster.kubectl("exec", "-n", shop.namespace, "database-0", "--", *psql, statement, check=False)
    assert done.code != 0
    assert refused in done.stderr


def test_the_backup_role_reads_every_table(cluster: Cluster, shop: Release) -> None:
    count = (
        "psql",
        "--no-psqlrc",
        "-At",
        "--username=shop_backup",
        "--dbname=shop",
        "-c",
        "SELECT count(*) FROM orders",
    )
    assert int(cluster.execute(shop.namespace, "database-0", *count)) >= 100


def test_an_upgrade_and_a_rollback_change_settings_and_never_the_live_colour(cluster: Cluster, shop: Release) -> None:
    def pool() -> str | None:
        container = cluster.get("deployment/backend-green", shop.namespace)["spec"]["template"]["spec"]["containers"][0]
        return next((each["value"] for each in container["env"] if each["name"] == "DATABASE_POOL"), None)

    four = "backend.environment.DATABASE_POOL=4"
    switch(cluster, shop, "green")
    try:
        cluster.install(shop.chart, shop.name, shop.namespace, shop.sets, "--set-string", four)
        assert (pool(), colour_of(cluster, shop, "frontend")) == ("4", "green")
        before = cluster.helm("history", shop.name, "-n", shop.namespace, "-o", "json").stdout
        cluster.install(shop.chart, shop.name, shop.namespace, shop.sets)
        assert (pool(), colour_of(cluster, shop, "frontend")) == (None, "green")
        newest = json.loads(before)[-1]["revision"]
        cluster.helm("rollback", shop.name, str(newest), "-n", shop.namespace, "--wait", "--timeout", "3m")
        assert (pool(), colour_of(cluster, shop, "frontend")) == ("4", "green")
    finally:
        switch(cluster, shop, "blue")
        cluster.install(shop.chart, shop.name, shop.namespace, shop.sets)


def test_a_rollback_past_a_switch_is_refused_before_it_moves_a_customer(cluster: Cluster, shop: Release) -> None:
    if not cluster.helm("version", "--template={{.Version}}").stdout.startswith("v4"):
        pytest.skip("Helm 3 does not know who owns a field (docs/decisions/live-colour.md)")
    newest = json.loads(cluster.helm("history", shop.name, "-n", shop.namespace, "-o", "json").stdout)[-1]["revision"]
    switch(cluster, shop, "green")
    try:
        done = cluster.helm("rollback", shop.name, str(newest), "-n", shop.namespace, check=False)
        assert done.code != 0
        assert ".spec.selector" in done.stderr
        assert colour_of(cluster, shop, "frontend") == "green"
    finally:
        switch(cluster, shop, "blue")
        cluster.install(shop.chart, shop.name, shop.namespace, shop.sets)


def test_the_colour_that_is_live_cannot_be_removed(cluster: Cluster, shop: Release) -> None:
    off = [part for each in ("backend", "frontend") for part in ("--set", f"{each}.colours.blue.enabled=false")]
    chosen = [part for each in shop.sets for part in ("--set", each)]
    done = cluster.helm("upgrade", shop.name, str(CHARTS / "shop"), "-n", shop.namespace, *chosen, *off, check=False)
    assert done.code != 0
    assert "blue is live" in done.stderr


LOGIN = """
import asyncio, asyncpg
asyncio.run(asyncpg.connect(host="database", user="shop_app", database="shop", password=input(), timeout=5))
"""


def test_a_changed_password_reaches_the_database_with_the_next_upgrade(cluster: Cluster, shop: Release) -> None:
    def logs_in() -> bool | None:
        secret = cluster.get("secret/shop-database-app", shop.namespace)["data"]["password"]
        login = ("deployment/backend-blue", "--", "python", "-c", LOGIN)
        password = base64.b64decode(secret).decode()
        done = cluster.kubectl("exec", "-i", "-n", shop.namespace, *login, stdin=password, check=False)
        return True if done.code == 0 else None

    assert logs_in()
    make_shop_secrets(cluster, shop.namespace, ["app"])
    assert not logs_in()
    cluster.install(shop.chart, shop.name, shop.namespace, shop.sets, "--wait-for-jobs")
    assert logs_in()
    for backend in ("deployment/backend-blue", "deployment/backend-green"):
        cluster.kubectl("rollout", "restart", backend, "-n", shop.namespace)
        cluster.kubectl("rollout", "status", backend, "-n", shop.namespace, "--timeout=120s", seconds=130)
