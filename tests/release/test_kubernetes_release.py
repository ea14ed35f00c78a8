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
from tests.platforms.cluster import ClusterPlace, in_cluster, missing
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


BROKEN = [
    pytest.param("errors", "validate backend", "500", id="answers 500"),
    pytest.param("slow", "load", "p95", id="is slow"),
    pytest.param("errors-live", "watch", "500", id="answers 500 only after the cut-over"),
    pytest.param("slow-live", "watch", "p95", id="is slow only after the cut-over"),
    pytest.param("liar", "deploy backend", "1.0.0", id="says that it is the old version"),
]


@pytest.mark.parametrize(("mode", "step", "says"), BROKEN)
def test_a_version_goes_back_by_itself_that(place: Place, mode: str, step: str, says: str) -> None:
    image = os.environ.get("ECOM_TEST_BROKEN", "")
    if not image:
        missing("ECOM_TEST_BROKEN names no image of tests/cluster/images/broken")
    before = place.live()["backend"]
    wanted = place.wanted("1.2.0", {"MODE": mode, "SLOW_MS": "4000"}, image)
    with people(place.platform, place.shop, 170, "/api/products?limit=5&from=people"):
        journal = place.operator(p95_ms=3000).start(wanted)
    assert journal.release.phase is Phase.REVERTED
    assert journal.release.reason.startswith(step)
    assert says in journal.release.reason
    place.assert_only_live(before)


HALF = """
import asyncio, asyncpg, pathlib, os
async def half():
    door = await asyncpg.connect(pathlib.Path(os.environ["DATABASE_URL_FILE"]).read_text().strip())
    await door.execute("CREATE TABLE IF NOT EXISTS half_done (id int)")
    await door.execute("ALTER TABLE no_such_table ADD COLUMN more int")
asyncio.run(half())
"""


def test_a_version_whose_migration_fails_half_way_is_never_deployed(place: Place) -> None:
    before = place.live()["backend"]
    made = place.wanted("1.2.0")
    tasks = made.definition.tasks["shop"].model_copy(update={"expand": ("python", "-c", HALF)})
    definition = made.definition.model_copy(update={"tasks": {"shop": tasks}})
    journal = place.operator().start(made.model_copy(update={"definition": definition}))
    assert journal.release.phase is Phase.REVERTED
    assert journal.release.reason.startswith("expand shop")
    assert "no_such_table" in journal.release.reason
    place.assert_only_live(before)


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
