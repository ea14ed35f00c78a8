"""`ecom`: every verb explains itself, and mistakes end with exit code 2 and one clear message."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ecom_platform.cli.main import VERBS, ecom
from ecom_platform.settings import ROOT


def run(*arguments: str, state: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ecom_platform.cli", *arguments],
        env={**os.environ, "ECOM_STATE": str(state), **environment},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_has_help_with_an_example(verb: str) -> None:
    answer = CliRunner().invoke(ecom, [verb, "--help"])
    assert answer.exit_code == 0, answer.output
    assert f"Example: ecom {verb}" in answer.output or verb == "retention"


def test_a_broken_spec_is_exit_code_2_and_names_the_line(tmp_path: Path) -> None:
    spec = tmp_path / "shop.yaml"
    spec.write_text("shop: mine\nwhat: ever\n")
    done = run("--spec", str(spec), "snapshots", state=tmp_path)
    assert done.returncode == 2
    assert "line 2: what" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_verb_is_exit_code_2(tmp_path: Path) -> None:
    assert run("dance", state=tmp_path).returncode == 2


def test_launching_without_a_platform_says_what_to_do(tmp_path: Path) -> None:
    done = run("launch", "everyday", state=tmp_path)
    assert done.returncode == 2
    assert "Run `ecom up`" in done.stderr


def test_an_unknown_source_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    done = run("backup", "orders", state=tmp_path)
    assert done.returncode == 2
    assert "It has ['shop', 'folder-media', 'configuration', 'complete']" in done.stderr


def test_a_setting_that_is_not_known_is_refused(tmp_path: Path) -> None:
    done = run("snapshots", state=tmp_path, ECOM_COLOUR="red")
    assert done.returncode == 2
    assert "ECOM_COLOUR" in done.stderr
