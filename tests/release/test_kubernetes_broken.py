"""Versions that are broken in one way each go back by themselves in a real cluster, too."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from ecom_platform.release.machine import Phase
from tests.platforms.cluster import missing
from tests.release.cluster_place import Place, released_in_cluster
from tests.release.people import people

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with released_in_cluster() as found:
        yield found


BROKEN = [
    pytest.param("errors", "validate backend", "500", id="answers 500"),
    pytest.param("slow", "load", "p95", id="is slow"),
    pytest.param("errors-live", "confirm", "500", id="answers 500 only after the cut-over"),
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
    with people(place.platform, place.shop, 500, "/api/products?limit=5&from=people"):
        journal = place.operator(p95_ms=3000 if mode.startswith("slow") else 15_000).start(wanted)
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
