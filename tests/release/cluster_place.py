"""A small shop in the cluster, 1.0.0 live and its backup proved, for releases that are good, broken or killed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from ecom_platform.backup import proof, snapshot
from ecom_platform.clients.web import session
from ecom_platform.platforms.kubernetes import KubernetesPlatform
from ecom_platform.platforms.protocol import Colour
from ecom_platform.release import operations, versions
from ecom_platform.release.operations import Operator
from ecom_platform.release.state import read_state
from ecom_platform.release.versions import Wanted
from ecom_platform.spec import Release, Shop, Store, Thresholds
from tests.platforms.cluster import ClusterPlace, in_cluster
from tests.platforms.conftest import state_folder


@dataclass
class Place:
    """1.0.0 is live, and a backup of its database is proved. shop: with limits for a busy machine."""

    cluster_place: ClusterPlace
    shop: Shop
    platform: KubernetesPlatform
    said: list[str] = field(default_factory=list)

    def operator(self, p95_ms: float = 15_000) -> Operator:
        limits = self.shop.thresholds.model_copy(update={"p95_ms": p95_ms})
        return Operator(self.platform, self.shop.model_copy(update={"thresholds": limits}), "a test", self.said.append)

    def wanted(self, version: str, settings: Mapping[str, str] | None = None, image: str = "") -> Wanted:
        """Another version with more settings of the backend. image: of the backend; default the same as before."""
        images = {each.name: each.image for each in self.shop.services} | ({"backend": image} if image else {})
        made = versions.wanted(self.shop, version, images)
        services = tuple(
            each.model_copy(update={"environment": {**each.environment, **(settings or {})}})
            if each.name == "backend"
            else each
            for each in made.definition.services
        )
        return made.model_copy(update={"definition": made.definition.model_copy(update={"services": services})})

    def live(self) -> dict[str, str]:
        found = {}
        for service in self.shop.services:
            with session(self.platform.address(service, "active")) as client:
                found[service.name] = str(client.get("/version").json()["version"])
        return found

    def assert_only_live(self, version: str) -> None:
        assert set(self.live().values()) == {version}
        state = read_state(self.platform)
        assert state.live is not None
        assert set(state.live.definition.versions().values()) == {version}
        for service in self.shop.services:
            other: Colour = "green" if self.platform.live_colour(service) == "blue" else "blue"
            assert self.platform.instances(service, other) == ()


@contextmanager
def released_in_cluster() -> Iterator[Place]:
    """Gone afterwards."""
    with state_folder() as folder, in_cluster(folder) as found:
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)  # PostgreSQL's own account passes
        shop = found.shop.model_copy(
            update={
                "thresholds": Thresholds(p95_ms=15_000, error_rate=0.2, utilisation=1.0, requests_per_second=10),
                "load": found.shop.load.model_copy(update={"rate": 30.0, "minimum_requests": 60})
                if found.shop.load
                else None,
                "release": Release.model_validate(
                    {"load": "8s", "scenario": "get", "path": "/api/products?limit=5", "dwell": "10s", "probes": 30}
                ).model_copy(update={"allowed_slow_down": None}),
                "stores": {"near": Store(url="file:backups")},
            }
        )
        platform = found.sharing(shop)
        for service in shop.services:
            operations.note_deployed(platform, shop, service)
        database = shop.database("shop")
        platform.run_task(database, ["python", "-m", "shop.seed", "--orders", "200"], timeout=120)
        snapshot.take(platform, shop, database, progress=lambda _: None)
        findings, _ = proof.prove(platform, shop, database, snapshot="latest", store="", progress=lambda _: None)
        bad = [str(each) for verdicts in findings.verdicts.values() for each in verdicts if not each.passed]
        assert bad == []
        yield Place(found, shop, platform)
