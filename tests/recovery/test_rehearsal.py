"""The frame of a drill: one at a time, killed at any point it leaves only what `abort` removes."""

import json
import os
import signal
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from ecom_platform.clients.processes import find
from ecom_platform.errors import BusyError
from ecom_platform.recovery import rehearsal
from ecom_platform.recovery.copies import copy_of, remove_copy
from ecom_platform.recovery.rehearsal import Aborted, Rehearsal, rehearsing, states
from ecom_platform.settings import ROOT
from tests.recovery.conftest import small_shop

# Makes a copy of the shop, says so, and goes on for ever.
DRILL = """
import sys, time
from pathlib import Path
from ecom_platform.recovery.copies import copy_of, remove_copy, site_of
from ecom_platform.recovery.rehearsal import rehearsing
from tests.recovery.conftest import small_shop
copied = copy_of(small_shop())
with rehearsing(Path(sys.argv[1]), "database-lost", "dropped-table", remove=remove_copy(copied), progress=print) as one:
    with one.watch.phase("fault"):
        site_of(copied, one.folder).platform.up()
        print("up", flush=True)
        sys.stdout = None
        while True:
            one.refuse_aborted()
            time.sleep(0.05)
"""


def nothing(folder: Path) -> None:
    del folder


def begin(drills: Path) -> "subprocess.Popen[str]":
    drill = subprocess.Popen([sys.executable, "-c", DRILL, drills], cwd=ROOT, text=True, stdout=subprocess.PIPE)
    assert drill.stdout is not None
    with drill.stdout:
        assert drill.stdout.readline() == "up\n"
    return drill


def ours(folder: Path) -> list[int]:
    return [each.pid for each in find(lambda each: str(folder) in " ".join([*each.cmdline(), each.cwd()]))]


@pytest.fixture
def drills(folder: Path) -> Path:
    place = folder / "drills"
    place.mkdir(mode=0o711, exist_ok=True)
    return place


def test_a_killed_drill_is_seen_and_its_copy_removed(drills: Path) -> None:
    drill = begin(drills)
    drill.send_signal(signal.SIGKILL)
    drill.wait()
    (state,) = states(drills)
    assert (state.drill, state.variant, state.phase, state.alive) == ("database-lost", "dropped-table", "fault", False)
    assert ours(drills)
    rehearsal.abort(drills, state, remove_copy(copy_of(small_shop())))
    assert states(drills) == []
    assert ours(drills) == []
    assert sorted(each.name for each in (drills / "database-lost").iterdir()) == ["lock"]


def test_a_drill_that_goes_on_ends_itself_when_asked(drills: Path) -> None:
    drill = begin(drills)
    (state,) = states(drills)
    assert state.alive
    with pytest.raises(BusyError, match="the drill database-lost"), open_drill(drills):
        pass
    rehearsal.abort(drills, state, remove_copy(copy_of(small_shop())))
    assert drill.wait(timeout=60) != 0
    assert states(drills) == []
    assert ours(drills) == []


def open_drill(drills: Path) -> AbstractContextManager[Rehearsal]:
    return rehearsing(drills, "database-lost", "", remove=nothing, progress=print)


def test_what_an_earlier_drill_left_is_removed_before_the_next_begins(tmp_path: Path) -> None:
    removed: list[Path] = []
    with rehearsing(tmp_path, "one", "", remove=removed.append, progress=print) as first:
        (first.folder / "copy").mkdir()
        state = (first.folder / "state.json").read_text()
    assert not (tmp_path / "one" / "copy").exists()
    (tmp_path / "one" / "state.json").write_text(state)
    (tmp_path / "one" / "half").mkdir()
    with rehearsing(tmp_path, "one", "", remove=removed.append, progress=print) as second:
        assert not (second.folder / "half").exists()
        assert second.left().passed is False  # its own state is there while it goes on
    assert second.left().passed


def test_the_state_is_on_disk_before_a_phase_begins(tmp_path: Path) -> None:
    with rehearsing(tmp_path, "one", "v", remove=nothing, progress=print) as one:
        assert json.loads((one.folder / "state.json").read_text())["phase"] == "preparation"
        with one.watch.phase("recovery"):
            assert json.loads((one.folder / "state.json").read_text())["phase"] == "recovery"
            assert json.loads((one.folder / "state.json").read_text())["process"] == os.getpid()


def test_a_drill_stops_at_its_next_word_when_somebody_asks(tmp_path: Path) -> None:
    with rehearsing(tmp_path, "one", "", remove=nothing, progress=print) as one:
        one.progress("goes on")
        (one.folder / "abort").touch()
        with pytest.raises(Aborted):
            one.progress("does not")
