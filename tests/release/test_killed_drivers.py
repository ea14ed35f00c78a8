"""kill -9 of the real driver at every step: the document tells the truth, the next run goes on or turns back, and
people lose no request meanwhile.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ecom_platform.load import ledger
from ecom_platform.load.ledger import Ledger
from ecom_platform.release import versions
from ecom_platform.release.machine import Phase, next_step
from ecom_platform.release.state import Journal
from ecom_platform.release.versions import Wanted
from tests.release.conftest import Place

pytestmark = pytest.mark.timeout(280)

FORWARD = (
    "backup main",
    "expand main",
    "deploy web:before",
    "deploy web",
    "prove web",
    "validate web",
    "load",
    "cut over:before",
    "cut over",
    "confirm",
    "watch",
    "retire web",
)
BACKWARD = ("bring back web", "switch back:before", "switch back", "remove web")


def drive(place: Place, folder: Path, verb: str, wanted: Wanted | None = None, end: str = "") -> int:
    """Run the driver's process to its end; -9 when it was killed."""
    (folder / "shop.json").write_text(place.shop.model_dump_json(by_alias=True))
    (folder / "wanted.json").write_text(wanted.model_dump_json() if wanted else "")
    command = [sys.executable, "-m", "tests.release.driver_program", str(place.platform.layout.state)]
    command += [str(folder / "shop.json"), verb, str(folder / "wanted.json"), end]
    ran = subprocess.run(command, timeout=120, capture_output=True, text=True, check=False)
    assert ran.returncode in (0, -9), ran.stderr[-2000:]
    return ran.returncode


def died_at(place: Place, step: str) -> Journal:
    """What the document says after the death: the step was begun, and somebody is needed."""
    state = place.state
    assert state.unfinished
    assert state.lease is not None
    journal = state.journal
    assert journal is not None
    assert journal.release.begun
    assert str(next_step(journal.release)) == step.partition(":")[0]
    return journal


def test_a_release_whose_driver_is_killed_at_every_step_arrives(place: Place, tmp_path: Path) -> None:
    older, wanted = place.next_version(), place.next_version()
    with Ledger(place.active, [("/version", "")], rate=40, seconds=280) as people:
        assert drive(place, tmp_path, "start", older, "prove web") == -9
        died_at(place, "prove web")
        for number, step in enumerate(FORWARD):
            verb = "resume" if number % 2 else "start"  # the same start again goes on, as resume does
            if step == "retire web":
                verb = "resume"  # promoted: the same start again would be refused
            assert drive(place, tmp_path, verb, wanted, step) == -9
            died_at(place, step)
        assert drive(place, tmp_path, "resume") == 0
        answers = people.finish()
    place.assert_only_live(versions.label(wanted.definition))
    assert place.state.journal is not None
    assert place.state.journal.release.phase is Phase.PROMOTED
    # The newer start turned the dead driver's release of the older version back first.
    assert place.state.past[-1].version == versions.label(older.definition)
    assert place.state.past[-1].phase is Phase.REVERTED
    assert ledger.lost(answers) == []


def test_a_release_that_is_turned_back_by_drivers_who_are_killed_at_every_step_is_back(
    place: Place, tmp_path: Path
) -> None:
    before = place.live()["version"]
    with Ledger(place.active, [("/version", "")], rate=40, seconds=280) as people:
        assert drive(place, tmp_path, "start", place.next_version(), "confirm") == -9
        for number, step in enumerate(BACKWARD):
            assert drive(place, tmp_path, "resume" if number else "abort", end=step) == -9
            assert died_at(place, step).release.phase is Phase.REVERTING
        assert drive(place, tmp_path, "resume") == 0
        answers = people.finish()
    place.assert_only_live(before)
    assert place.state.journal is not None
    assert "a test asked for it" in place.state.journal.release.reason
    assert ledger.lost(answers) == []
