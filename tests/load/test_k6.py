"""The k6 script of the same scenarios, by running it; only where k6 is on the PATH."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ecom_platform.settings import ROOT
from tests.load.target import Target
from tests.shop.programs import Program

pytestmark = pytest.mark.skipif(shutil.which("k6") is None, reason="k6 is not on the PATH")
THRESHOLDS_BROKEN = 99  # k6's exit code


def k6(base: str, folder: Path, **settings: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, summary and output of a run of the script."""
    out = folder / "summary.json"
    given = {"BASE": base, "OUT": str(out), "VISITS": "6", "DURATION": "4s", **settings}
    arguments = [part for name, value in given.items() for part in ("-e", f"{name}={value}")]
    done = subprocess.run(
        ["k6", "run", "--quiet", "--no-usage-report", *arguments, str(ROOT / "benchmarks" / "k6-load-test.js")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, json.loads(out.read_text()), done.stdout + done.stderr


def test_a_good_shop_passes_and_every_check_holds(front_door: Program, tmp_path: Path) -> None:
    code, summary, said = k6(front_door.url, tmp_path, P95_MS="20000")
    assert code == 0, said
    failed = [each["name"] for each in summary["root_group"]["checks"] if each["fails"]]
    assert failed == []
    assert summary["metrics"]["http_reqs"]["values"]["count"] > 50
    assert "wrong answers" in said


def test_answers_that_come_quickly_and_are_wrong_break_the_threshold(target: Target, tmp_path: Path) -> None:
    code, summary, _ = k6(f"{target.url}/ok?", tmp_path)
    assert code == THRESHOLDS_BROKEN
    assert summary["metrics"]["wrong_answers"]["values"]["rate"] > 0.01
