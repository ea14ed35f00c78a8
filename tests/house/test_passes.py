"""The two passes of `make test`, on a small suite of their own: red if either is, and again only what failed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ecom_platform.settings import ROOT
from tests.passes import FIRST, SHARED, room_of

SUITE = """
import os, pytest

def test_beside(): assert "beside" not in os.environ["FAULTS"]
def test_good(): pass

@pytest.mark.alone
def test_alone(): assert "alone" not in os.environ["FAULTS"]

@pytest.mark.alone
def test_good_alone(): pass
"""
AGAIN = ("--last-failed", "--last-failed-no-failures=none")


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = alone\n")
    (tmp_path / "conftest.py").write_text("from tests.passes import *\n")
    (tmp_path / "test_it.py").write_text(SUITE)
    return tmp_path


def run(suite: Path, *arguments: str, faults: str = "", workers: int = 0) -> tuple[int, int, int]:
    """The exit code, and how many tests failed and passed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests", "-rA", "-p", "xdist.plugin", "-n", str(workers), *arguments],
        cwd=suite,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "FAULTS": faults},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout.count("\nFAILED "), done.stdout.count("\nPASSED ")


def test_either_pass_makes_it_red_and_only_what_failed_in_it_runs_again(suite: Path) -> None:
    assert run(suite, faults="beside alone", workers=2) == (1, 2, 2)
    assert run(suite, *AGAIN, faults="alone", workers=2) == (1, 1, 1)
    assert run(suite, *AGAIN) == (0, 0, 1)
    assert run(suite, *AGAIN) == (5, 0, 0)


def test_what_broke_off_before_it_could_fail_is_not_green_the_second_time(suite: Path) -> None:
    assert run(suite, faults="beside") == (1, 1, 3)
    (suite / ".pytest_cache" / "alone" / "ended").unlink()  # as if the second pass was killed
    assert run(suite, *AGAIN)[0] == 3


def test_a_room_is_a_file_or_the_files_that_share_one_shop() -> None:
    assert room_of("tests/shop/test_seed.py::test_it[a/b]") == "shop"
    assert room_of("tests/backup/test_keys.py::test_it") == "tests/backup/test_keys.py"
    assert room_of("tests/release/test_local_release.py::test_it") == "release"
    assert room_of("tests/platforms/test_data.py::test_it") == room_of("tests/platforms/test_contract.py::test_it")


def test_every_room_that_is_named_is_there() -> None:
    files = [str(each.relative_to(ROOT)) for each in (ROOT / "tests").rglob("test_*.py")]
    for beginning in (each for named in SHARED.values() for each in named):
        assert any(each.startswith(beginning) for each in files), beginning
    assert set(FIRST) <= {room_of(each) for each in files}
