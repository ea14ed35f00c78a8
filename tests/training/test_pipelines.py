"""The pipelines' training: each planted fault is seen alone, deleting what is faulty does not pass, mending does."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from ecom_platform.clients.commands import Completed
from ecom_platform.settings import EXAMPLE_SPEC, ROOT
from ecom_platform.spec_file import read_spec
from ecom_platform.training import pipelines
from ecom_platform.training.pipelines import FAULTS, GITHUB, GITLAB
from ecom_platform.verdicts import Outcome, worst

NAMES = (GITHUB, GITLAB)
CLAIMS = ("every action", "no job has more rights", "every job is there", "production waits")
"""One for each planted fault, in their order."""


def parsed(text: str) -> Any:
    return yaml.load(text, Loader=yaml.BaseLoader)


def sound() -> dict[str, str]:
    return {name: (ROOT / name).read_text() for name in NAMES}


def failed_claims(texts: dict[str, str]) -> list[str]:
    whole = {name: parsed(text) for name, text in sound().items()}
    found = pipelines.judge(whole, {name: parsed(text) for name, text in texts.items()})
    return [each.claim for each in found if each.outcome is Outcome.FAILED]


def test_the_repositorys_own_pipelines_pass() -> None:
    assert failed_claims(sound()) == []


@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_each_planted_fault_alone_is_seen_by_the_claim_that_is_about_it(number: int) -> None:
    name, there, instead = FAULTS[number]
    texts = sound()
    texts[name] = re.sub(there, instead, texts[name], count=1)
    assert [each.startswith(CLAIMS[number]) for each in failed_claims(texts)] == [True]


@pytest.mark.parametrize(
    ("name", "there", "instead", "claim"),
    [
        (GITHUB, r"(?ms)^  scan:.*?(?=^  \w)", "", "every job is there"),
        (GITHUB, r"needs: staging", "needs: validate", "every job is there"),
        (GITHUB, r"(?m)^    name: Validate", "    continue-on-error: true\n    name: Validate", "every job is there"),
        (GITHUB, r"\npermissions: \{\}\n", "\n", "no job has more rights"),
        (GITLAB, r"      when: manual\n", "", "production waits"),
        (GITHUB, r"name: production\n", "name: anything\n", "production waits"),
    ],
)
def test_a_mending_that_weakens_something_else_does_not_pass(name: str, there: str, instead: str, claim: str) -> None:
    texts = sound()
    texts[name], count = re.subn(there, instead, texts[name], count=1)
    assert count == 1
    assert any(each.startswith(claim) for each in failed_claims(texts))


def test_linters_that_are_not_there_are_inconclusive_and_findings_a_failure() -> None:
    outcomes = [pipelines.judge_linters(Completed("python", code, "said", "")).outcome for code in (0, 1, 2, 3, -9)]
    assert outcomes == [Outcome.PASSED, Outcome.FAILED, *[Outcome.INCONCLUSIVE] * 3]


def test_the_scene_fails_until_the_files_are_mended(tmp_path: Path) -> None:
    shop = read_spec(EXAMPLE_SPEC)
    pipelines.build(None, shop, tmp_path, print)  # type: ignore[arg-type]  # no shop is looked at
    found = pipelines.look(shop, tmp_path, {})
    assert worst(found) is Outcome.FAILED
    assert [each.outcome for each in found[:4]] == [Outcome.FAILED] * 4
    # Without `make tools` the linters cannot say anything, and that is not a pass.
    linters = (ROOT / ".tools/bin/actionlint").exists()
    assert found[4].outcome is (Outcome.FAILED if linters else Outcome.INCONCLUSIVE)

    for name in NAMES:
        shutil.copy(ROOT / name, tmp_path / name)
    found = pipelines.look(shop, tmp_path, {})
    assert [each.outcome for each in found[:4]] == [Outcome.PASSED] * 4
    assert found[4].outcome is (Outcome.PASSED if linters else Outcome.INCONCLUSIVE)

    (tmp_path / GITHUB).write_text("jobs: [")
    assert worst(pipelines.look(shop, tmp_path, {})) is Outcome.FAILED
