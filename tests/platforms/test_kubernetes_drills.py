"""Drills in a real cluster. ECOM_TEST_FAIL_NODE is a program that cuts a node: `fail NODE`, `revive NODE`."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecom_platform.platforms.kubernetes import KubernetesPlatform
from ecom_platform.recovery import checks, node_drill
from ecom_platform.spec import Drills, NodeLoss, Shop
from tests.platforms.cluster import missing, shop_in_cluster
from tests.recovery.test_database_drill import red

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]


@pytest.fixture
def shop() -> Shop:
    """The shop in the cluster with two replicas of each service, and the way in which a node fails here."""
    program = os.environ.get("ECOM_TEST_FAIL_NODE", "")
    if not program:
        missing("ECOM_TEST_FAIL_NODE names no program that cuts a node's power")
    shop = shop_in_cluster("drill")
    services = tuple(each.model_copy(update={"replicas": 2}) for each in shop.services)
    node = NodeLoss(fail=(program, "fail", "{node}"), revive=(program, "revive", "{node}"))
    database = shop.databases[0]
    tasks = database.tasks.model_copy(update={"seed": ("python", "-m", "shop.seed", "--orders", "500")})
    return shop.model_copy(
        update={
            "services": services,
            "drills": Drills(node=node),
            "databases": (database.model_copy(update={"tasks": tasks}),),
        }
    )


@pytest.fixture
def live(shop: Shop, tmp_path: Path) -> Iterator[KubernetesPlatform]:
    platform = KubernetesPlatform(shop, tmp_path / "live")
    yield platform
    platform.cluster.close()


def test_a_node_loses_its_power_and_no_order_is_lost(live: KubernetesPlatform, shop: Shop) -> None:
    findings, record = node_drill.run(live, shop, "whole", print)
    print(record.to_metadata())
    assert red((dict(findings.verdicts), record)) == {}  # type: ignore[arg-type]
    assert set(findings.verdicts) == set(checks.NODE_CHECKS)
