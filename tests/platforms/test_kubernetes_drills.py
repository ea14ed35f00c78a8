"""Drills in a real cluster. ECOM_TEST_FAIL_NODE is a program that cuts a node: `fail NODE`, `revive NODE`."""

import os
import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from ecom_platform.platforms.kubernetes import KubernetesPlatform
from ecom_platform.platforms.local.layout import make_enterable
from ecom_platform.recovery import checks, copies, node_drill
from ecom_platform.recovery.database_drill import drill_on
from ecom_platform.recovery.faults import FAULTS
from ecom_platform.recovery.record import judge_time
from ecom_platform.recovery.rehearsal import Rehearsal
from ecom_platform.spec import Drills, NodeLoss, Shop
from ecom_platform.verdicts import Outcome, worst
from tests.backup.restoring import open_folder
from tests.platforms.cluster import shop_in_cluster
from tests.recovery.test_database_drill import red

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]


@pytest.fixture
def shop() -> Shop:
    """The shop in the cluster with few orders; nothing of it runs but its copy."""
    shop = shop_in_cluster(secrets.token_hex(3))
    database = shop.databases[0]
    tasks = database.tasks.model_copy(update={"seed": ("python", "-m", "shop.seed", "--orders", "500")})
    return shop.model_copy(update={"databases": (database.model_copy(update={"tasks": tasks}),)})


@pytest.fixture
def with_node(shop: Shop) -> Shop:
    """With two replicas of each service, a second to recover in, and the way in which a node fails here."""
    program = os.environ.get("ECOM_TEST_FAIL_NODE", "")
    if not program:
        pytest.skip("ECOM_TEST_FAIL_NODE names no program that cuts a node's power")
    services = tuple(each.model_copy(update={"replicas": 2}) for each in shop.services)
    databases = tuple(each.model_copy(update={"rto": timedelta(seconds=1)}) for each in shop.databases)
    node = NodeLoss(fail=(program, "fail", "{node}"), revive=(program, "revive", "{node}"))
    return shop.model_copy(update={"services": services, "databases": databases, "drills": Drills(node=node)})


@pytest.fixture
def live(shop: Shop) -> Iterator[KubernetesPlatform]:
    with open_folder() as folder:
        platform = KubernetesPlatform(shop, folder / "live")
        yield platform
        platform.cluster.close()


@pytest.mark.alone
def test_a_node_loses_its_power_and_no_order_is_lost(live: KubernetesPlatform, with_node: Shop) -> None:
    """The budget of one second is missed, and nothing else is: the same run shows both."""
    findings, record = node_drill.run(live, with_node, "whole", print)
    print(record.to_metadata())
    judged = {check: list(found) for check, found in findings.verdicts.items()}
    assert set(red((judged, record))) == {"in_time"}, red((judged, record))
    assert worst(judge_time(replace(record, rto_budget_seconds=3600))) is Outcome.PASSED
    assert record.orders_lost == 0
    assert set(findings.verdicts) == set(checks.NODE_CHECKS)


def test_a_database_in_the_cluster_whose_rows_were_deleted_is_replaced(live: KubernetesPlatform, shop: Shop) -> None:
    folder = make_enterable(live.drills() / "cluster")
    site = copies.cluster_site_of(copies.cluster_copy_of(shop), folder)
    try:
        copies.make_copy(live, shop, site, print)
        rehearsal = Rehearsal("cluster", "deleted-rows", folder, print)
        judged = drill_on(site, site.shop.databases[0], FAULTS["deleted-rows"], rehearsal)
        print(judged[1].to_metadata())
        assert red(judged) == {}
        assert judged[1].orders_lost > 0
    finally:
        site.platform.reset()
        site.platform.cluster.close()
