"""A plain shop moves to its enhanced form in another namespace, and back, by the machine of releases.

The tests are one story, in this order.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
import yaml

from ecom_platform.backup import proof, snapshot
from ecom_platform.clients.web import session
from ecom_platform.errors import RefusedError
from ecom_platform.platforms.kubernetes import KubernetesPlatform
from ecom_platform.platforms.kubernetes.moving import MovingPlatform
from ecom_platform.platforms.kubernetes.values import merged
from ecom_platform.release import migration, operations, versions
from ecom_platform.release.machine import Phase
from ecom_platform.release.migration import Migration
from ecom_platform.release.operations import Operator
from ecom_platform.settings import ROOT
from ecom_platform.spec import Release, Shop, Store, Thresholds
from tests.platforms.cluster import SMALL, shop_in_cluster
from tests.platforms.conftest import state_folder
from tests.release.people import people

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.timeout(600)]

LIMITS = Thresholds(p95_ms=15_000, error_rate=0.2, utilisation=1.0, requests_per_second=10)
QUICK = Release.model_validate(
    {"load": "8s", "scenario": "get", "path": "/api/products?limit=5", "dwell": "8s", "probes": 30}
).model_copy(update={"allowed_slow_down": None})


@dataclass(frozen=True)
class Two:
    """old: the platform of the plain shop that runs. shop: the spec of where it moves to."""

    old: KubernetesPlatform
    shop: Shop

    def mover(self, shop: Shop | None = None) -> Migration:
        platform = MovingPlatform(shop or self.shop, self.old.layout.state)
        platform.cluster = self.old.cluster
        return migration.moving(platform, shop or self.shop, "a test", print)

    def serving(self) -> tuple[str, dict[str, str]]:
        """The colour that answers at the old address, and the namespace of its pod by the pod's name."""
        with session(self.old.address(self.old.shop.front_door, "active")) as client:
            said = client.get("/version").json()
        spaces = {
            each["metadata"]["name"]: space
            for space in (self.old.names.namespace, self.shop.kubernetes.namespace or "")
            for each in self.old.cluster.list("pods", space)
        }
        return said["colour"], {said["instance"]: spaces[said["instance"]]}

    def assert_served_from(self, namespace: str | None) -> None:
        assert set(self.serving()[1].values()) == {namespace}

    def pods(self, namespace: str) -> set[str]:
        found = self.old.cluster.list("pods", namespace, labels="app.kubernetes.io/name=shop")
        return {each["metadata"]["name"] for each in found if not each["metadata"].get("deletionTimestamp")}


@pytest.fixture(scope="module")
def two() -> Iterator[Two]:
    suffix = f"move-{secrets.token_hex(3)}"
    enhanced = shop_in_cluster(suffix)
    enhanced = enhanced.model_copy(
        update={
            "thresholds": LIMITS,
            "load": enhanced.load and enhanced.load.model_copy(update={"rate": 30.0, "minimum_requests": 60}),
            "release": QUICK,
            "stores": {"near": Store(url="file:backups")},
        }
    )
    basic = yaml.safe_load((ROOT / "k8s/charts/shop/values-basic.yaml").read_text(encoding="utf-8"))
    for each in ("backend", "frontend"):
        basic[each].pop("colours")  # that file names a release's images; ours are of this build
    where = enhanced.kubernetes
    plain = where.model_copy(update={"values": merged(basic, SMALL)})
    moved = where.model_copy(update={"namespace": f"new-{suffix}", "database_namespace": where.namespace})
    with state_folder() as folder:
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)  # PostgreSQL's own account passes
        old = KubernetesPlatform(enhanced.model_copy(update={"kubernetes": plain}), folder / "state")
        shop = enhanced.model_copy(update={"kubernetes": moved})
        new = KubernetesPlatform(shop, folder / "state")
        new.cluster = old.cluster
        try:
            old.install()
            for service in old.shop.services:
                old.deploy(service, "blue")
                operations.note_deployed(old, old.shop, service)
            database = old.shop.databases[0]
            old.run_task(database, ["python", "-m", "shop.seed", "--orders", "100"], timeout=120)
            snapshot.take(old, old.shop, database, progress=lambda _: None)
            found, _ = proof.prove(old, old.shop, database, snapshot="latest", store="", progress=lambda _: None)
            assert [str(v) for each in found.verdicts.values() for v in each if not v.passed] == []
            yield Two(old, shop)
        finally:
            new.release.remove()
            new.release.remove_namespace()
            old.reset()
            old.cluster.close()


def test_a_form_that_cannot_start_leaves_the_old_one_serving_and_its_pods_untouched(two: Two) -> None:
    before = two.pods(two.old.names.namespace)
    backend = two.shop.service("backend")
    bad = backend.model_copy(update={"environment": {**backend.environment, "DATABASE_POOL": "none"}})
    services = tuple(bad if each.name == "backend" else each for each in two.shop.services)
    journal = two.mover(two.shop.model_copy(update={"services": services})).start_moving()
    assert journal.release.phase is Phase.REVERTED
    assert "DATABASE_POOL" in journal.release.reason
    two.assert_served_from(two.old.names.namespace)
    assert {each for each in two.pods(two.old.names.namespace) if "migration" not in each} >= {
        each for each in before if "migration" not in each
    }


def test_the_shop_moves_and_no_request_is_lost(two: Two) -> None:
    with people(two.old, two.shop, 400) as answers:
        journal = two.mover().start_moving()
    assert journal.release.phase is Phase.PROMOTED, journal.release.reason
    assert journal.facts["cut_over_lost"] == 0
    two.assert_served_from(two.shop.kubernetes.namespace)
    assert [each for each in answers if each.problem] == []
    switched = next(each.at for each in journal.timeline if (each.step, each.event) == ("cut over", "passed"))
    late = {each.instance for each in answers if each.began > switched.timestamp()}
    assert late
    assert late <= two.pods(two.shop.kubernetes.namespace or "")
    assert {each.colour for each in answers} == {"blue", "green"}


def test_the_old_form_stays_until_the_validation_period_is_over(two: Two) -> None:
    with pytest.raises(RefusedError, match="validation period"):
        two.mover().finish()
    assert two.old.cluster.find("deployments", "frontend-blue", two.old.names.namespace)


def test_what_moved_is_released_and_deployed_where_it_moved_to(two: Two) -> None:
    with pytest.raises(RefusedError, match="door to the namespace"):
        two.old.deploy(two.old.shop.service("backend"), "blue")
    with pytest.raises(RefusedError, match="has moved to the namespace"):
        Operator(two.old, two.old.shop, "a test", print).start(versions.wanted(two.old.shop))


def test_a_rollback_brings_the_old_namespace_back(two: Two) -> None:
    with people(two.old, two.shop, 300) as answers:
        journal = two.mover().roll_back()
    assert journal.release.phase is Phase.ROLLED_BACK, journal.release.reason
    two.assert_served_from(two.old.names.namespace)
    assert [each for each in answers if each.problem] == []


def test_the_end_takes_the_old_workloads_and_never_the_data(two: Two) -> None:
    hasty = two.shop.model_copy(update={"release": QUICK.model_copy(update={"validation_period": timedelta(0)})})
    mover = two.mover(hasty)
    assert mover.start_moving().release.phase is Phase.PROMOTED
    journal = mover.finish()
    assert journal.release.contract == "done"
    cluster, old = two.old.cluster, two.old.names.namespace
    left = {each["metadata"]["name"] for each in cluster.list("deployments", old)}
    assert left == {"backend-green", "frontend-green"}  # the doors
    assert len(cluster.list("persistentvolumeclaims", old)) == 1
    two.assert_served_from(two.shop.kubernetes.namespace)
    with session(two.old.address(two.shop.front_door, "active")) as client:
        assert client.get("/api/products?limit=5").status == 200
    with pytest.raises(RefusedError, match="contract"):
        mover.roll_back()
