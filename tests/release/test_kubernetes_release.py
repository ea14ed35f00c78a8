"""Releases in a real cluster, by the same machine: one under a ledger that runs in a pod, one that goes back, one
whose driver is killed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ecom_platform.backup import proof, snapshot
from ecom_platform.clients.web import session
from ecom_platform.platforms.kubernetes import KubernetesPlatform
from ecom_platform.platforms.protocol import Colour, Conflict
from ecom_platform.release import operations, versions
from ecom_platform.release.machine import Phase
from ecom_platform.release.operations import Operator
from ecom_platform.release.state import read_state
from ecom_platform.release.versions import Wanted
from ecom_platform.spec import Release, Shop, Store, Thresholds
from tests.platforms.cluster import ClusterPlace, in_cluster
from tests.platforms.conftest import state_folder
from tests.release.people import people

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.timeout(900)]


@dataclass
class Place:
    """1.0.0 is live, and a backup of its database is proved. shop: with limits for a busy machine."""

    cluster_place: ClusterPlace
    shop: Shop
    platform: KubernetesPlatform
    said: list[str] = field(default_factory=list)

    def operator(self) -> Operator:
        return Operator(self.platform, self.shop, "a test", self.said.append)

    def wanted(self, version: str, settings: Mapping[str, str] | None = None) -> Wanted:
        """The same images under another version, with more settings of the backend."""
        images = {each.name: each.image for each in self.shop.services}
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


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with state_folder() as folder, in_cluster(folder) as found:
        folder.chmod(0o711 if os.geteuid() == 0 else 0o700)  # PostgreSQL's own account passes
        shop = found.shop.model_copy(
            update={
                "thresholds": Thresholds(p95_ms=15_000, error_rate=0.2, utilisation=1.0, requests_per_second=10),
                "load": found.shop.load.model_copy(update={"rate": 15.0, "minimum_requests": 60})
                if found.shop.load
                else None,
                "release": Release.model_validate(
                    {"load": "16s", "scenario": "get", "path": "/api/products?limit=5", "dwell": "15s", "probes": 15}
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


def test_a_release_loses_no_request_and_nobody_meets_the_old_colour_after_the_switch(place: Place) -> None:
    with people(place.platform, place.shop, 170) as answers:
        journal = place.operator().start(place.wanted("1.1.0"))
    assert journal.release.phase is Phase.PROMOTED, journal.release.reason
    place.assert_only_live("1.1.0")
    confirmed = next(each.at for each in journal.timeline if (each.step, each.event) == ("cut over", "passed"))
    lost = [each for each in answers if each.problem]
    late = [each for each in answers if each.began > confirmed.timestamp()]
    assert lost == []
    assert len(late) > 100
    assert {each.version for each in answers} == {"1.0.0", "1.1.0"}
    assert {each.colour for each in late} == {journal.release.new}


def test_a_version_that_cannot_start_goes_back_and_the_live_pods_are_untouched(place: Place) -> None:
    before = place.live()["backend"]
    backend = place.shop.service("backend")
    colour = place.platform.live_colour(backend)
    assert colour is not None
    pods = {each.name for each in place.platform.instances(backend, colour)}
    journal = place.operator().start(place.wanted("1.2.0", {"DATABASE_POOL": "none"}))
    assert journal.release.phase is Phase.REVERTED
    assert "DATABASE_POOL" in journal.release.reason
    place.assert_only_live(before)
    assert {each.name for each in place.platform.instances(backend, colour)} == pods


def test_a_release_whose_driver_was_killed_in_the_cut_over_goes_on(place: Place, tmp_path: Path) -> None:
    wanted = place.wanted("1.3.0")
    (tmp_path / "shop.json").write_text(place.shop.model_dump_json(by_alias=True))
    (tmp_path / "wanted.json").write_text(wanted.model_dump_json())
    state = str(place.platform.layout.state)
    command = [sys.executable, "-m", "tests.release.driver_program", state, str(tmp_path / "shop.json"), "start"]
    ran = subprocess.run(
        [*command, str(tmp_path / "wanted.json"), "cut over"], timeout=400, capture_output=True, text=True, check=False
    )
    assert ran.returncode == -9, ran.stderr[-2000:]
    died = read_state(place.platform)
    assert died.journal is not None
    assert died.journal.timeline[-1].step == "cut over"
    assert died.journal.release.phase is Phase.FORWARD
    assert place.operator().resume().release.phase is Phase.PROMOTED
    place.assert_only_live("1.3.0")


def test_a_write_over_a_revision_that_was_not_read_is_refused(place: Place) -> None:
    one, two = (place.platform.shared_document("contract") for _ in range(2))
    revision = one.write("first", "")
    with pytest.raises(Conflict):
        two.write("made again", "")
    two.write("second", two.read()[1])
    with pytest.raises(Conflict):
        one.write("third", revision)
    assert one.read()[0] == "second"
