"""Releases in a real cluster, by the same machine: one under a ledger that runs in a pod, one that goes back, one
whose driver is killed.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecom_platform.platforms.protocol import Conflict
from ecom_platform.release.machine import Phase
from ecom_platform.release.state import read_state
from tests.release.cluster_place import Place, released_in_cluster
from tests.release.people import people

pytestmark = [pytest.mark.cluster, pytest.mark.alone, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with released_in_cluster() as found:
        yield found


def test_a_release_loses_no_request_and_nobody_meets_the_old_colour_after_the_switch(place: Place) -> None:
    with people(place.platform, place.shop, 500) as answers:
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
