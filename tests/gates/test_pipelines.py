"""The pipelines: what runs there runs here, both do the same, and every kind of weakness turns the gate red."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ecom_platform.settings import ROOT
from ecom_platform.verdicts import Outcome, Verdict, worst
from gates.pipelines import examine, gitlab_schema
from gates.tools import TOOLS

WORKFLOW = ROOT / ".github" / "workflows" / "ci-cd.yml"
GITLAB = ROOT / ".gitlab-ci.yml"
ORDER = ["validate", "build", "test", "security", "staging", "production"]
"""The stages of the user's document."""

CHECKOUT = "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2"
BREAKS = {
    "action-by-tag": (CHECKOUT, "actions/checkout@v6", "zizmor"),
    "rights-for-everything": ("permissions: {}", "permissions: write-all", "zizmor"),
    "token-left-behind": ("        with:\n          persist-credentials: false\n", "", "zizmor"),
    "strangers-words-in-a-script": ("make tools test", "echo ${{ github.event.pull_request.title }}", "zizmor"),
    "waits-for-no-job": ("needs: staging", "needs: stagging", "actionlint"),
    "no-expression": ("${{ secrets.KUBECONFIG }}", "${{ secret.KUBECONFIG }}", "actionlint"),
    "word-unknown-to-github": ("timeout-minutes: 60", "timeout: 60", "GitHub's schema"),
}
"""Weaknesses of the workflow: what is replaced by what, and which linter has to say so."""

GITLAB_BREAKS = {
    "an unknown word": ("resource_group: production", "resource_groups: production"),
    "an unknown time to run": ("when: manual", "when: approved"),
}


def _read(path: Path) -> dict[str, Any]:
    content = yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # "on" stays a word
    assert isinstance(content, dict)
    return content


def github_commands() -> Iterator[tuple[str, str]]:
    """(job, command) for every line that GitHub runs."""
    for name, job in _read(WORKFLOW)["jobs"].items():
        targets = job.get("strategy", {}).get("matrix", {}).get("target", [""])
        for step in job["steps"]:
            for line in step.get("run", "").splitlines():
                yield from ((name, line.replace('"$TARGET"', target)) for target in targets)


def gitlab_commands() -> Iterator[tuple[str, str]]:
    for name, job in _read(GITLAB).items():
        if not isinstance(job, dict) or "script" not in job:
            continue
        targets = [each for row in job.get("parallel", {}).get("matrix", []) for each in row["TARGET"]] or [""]
        for line in (*job.get("before_script", []), *job["script"]):
            yield from ((name, line.replace("$TARGET", target)) for target in targets)


def targets_of(commands: Iterator[tuple[str, str]]) -> dict[str, set[str]]:
    """The targets of the Makefile that each job runs; those that only bring a tool are left out."""
    found: dict[str, set[str]] = {}
    for job, line in commands:
        for words in re.findall(r"(?:^|\s)make ([^&|]+)", line):
            found.setdefault(job, set()).update(each for each in words.split() if not each.startswith(".tools/"))
    return {job: names - {"tools"} for job, names in found.items()}


PLUMBING = re.compile(r"docker login|apk add|^\.ci/packages$|umask 077 && printf '%s' \"\$CONTENT\" >")
"""Besides make: a registry's log-in, packages of the job's machine, and a kubeconfig into a file."""


def test_every_command_of_both_is_a_make_target_or_brings_what_it_needs() -> None:
    for job, line in [*github_commands(), *gitlab_commands()]:
        assert re.search(r"(^|\s)make ", line) or PLUMBING.search(line), f"{job}: {line}"


def test_every_target_that_a_pipeline_runs_is_one_of_the_makefile() -> None:
    known = set(re.findall(r"(?m)^([a-z][a-z-]*):", (ROOT / "Makefile").read_text()))
    by_job = [*targets_of(github_commands()).values(), *targets_of(gitlab_commands()).values()]
    named = {target for targets in by_job for target in targets}
    assert named <= known
    assert len(named) == 10


def test_both_pipelines_do_the_same_in_each_job() -> None:
    assert targets_of(github_commands()) == targets_of(gitlab_commands())


def test_ci_here_runs_what_needs_no_registry_and_no_environment() -> None:
    here = (ROOT / ".ci" / "run").read_text()
    makefile = (ROOT / "Makefile").read_text()
    assert {"make check", "make gates", "make test"} <= set(re.findall(r"(?m)^make \w+", here))
    assert re.search(r"(?m)^gates: manifests scan pipelines$", makefile)


def test_the_stages_come_in_the_order_of_the_users_document() -> None:
    assert _read(GITLAB)["stages"] == ORDER
    jobs = _read(WORKFLOW)["jobs"]
    needs = {
        name: [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", [])
        for name, job in jobs.items()
    }

    def before(name: str) -> set[str]:
        return {one for each in needs[name] for one in (each, *before(each))}

    assert before("production") == set(jobs) - {"production"}
    assert before("staging") == {"validate", "build", "test", "scan", "scan-images"}
    assert before("test") == before("scan") == {"validate"}, "in parallel"


def test_production_waits_for_a_person_and_both_deployments_have_environments() -> None:
    github, gitlab = _read(WORKFLOW)["jobs"], _read(GITLAB)
    for name in ("staging", "production"):
        assert github[name]["environment"]["name"] == gitlab[name]["environment"]["name"] == name
        assert gitlab[name]["resource_group"] == github[name]["concurrency"]["group"] == name
        assert github[name]["concurrency"]["cancel-in-progress"] == gitlab[name]["interruptible"] == "false"
        assert github[name]["if"] == "github.event_name == 'push'"
    rule = gitlab["production"]["rules"][0]
    assert (rule["when"], rule["allow_failure"]) == ("manual", "false")


def test_every_job_asks_for_the_least_rights_and_has_a_deadline() -> None:
    workflow = _read(WORKFLOW)
    assert workflow["permissions"] == {}
    wider = {name: set(job["permissions"]) - {"contents"} for name, job in workflow["jobs"].items()}
    assert {name: more for name, more in wider.items() if more} == {
        "build": {"packages"},
        "scan": {"security-events"},
        "scan-images": {"security-events"},
    }
    assert {job["permissions"]["contents"] for job in workflow["jobs"].values()} == {"read"}
    assert all(int(job["timeout-minutes"]) <= 60 for job in workflow["jobs"].values())


def test_secrets_reach_a_step_by_its_environment_only() -> None:
    for line in WORKFLOW.read_text().splitlines():
        if "secrets." in line or "github.token" in line:
            assert re.match(r"^\s+[A-Z]+: \$\{\{ [\w.]+ \}\}$", line), line


@pytest.fixture(scope="module")
def linters() -> None:
    if not (TOOLS / "bin" / "actionlint").exists():
        pytest.skip("needs `make tools`")


@pytest.mark.usefixtures("tools", "linters")
def test_the_gate_passes() -> None:
    found = examine()
    assert worst(found) is Outcome.PASSED, found


def _copies(folder: Path) -> Path:
    (folder / ".github" / "workflows").mkdir(parents=True)
    shutil.copy(WORKFLOW, folder / ".github" / "workflows")
    shutil.copy(GITLAB, folder)
    return folder


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory, tools: None, linters: None) -> list[Verdict]:
    """The gate over one workflow per weakness; each linter starts once."""
    folder = _copies(tmp_path_factory.mktemp("weak"))
    good = WORKFLOW.read_text()
    for weakness, (whole, broken, _) in BREAKS.items():
        assert whole in good
        (folder / ".github" / "workflows" / f"{weakness}.yml").write_text(good.replace(whole, broken, 1))
    return examine(folder)


@pytest.mark.parametrize("weakness", BREAKS)
def test_a_weak_workflow_turns_the_gate_red_and_the_right_linter_names_it(red: list[Verdict], weakness: str) -> None:
    linter = BREAKS[weakness][2]
    told = next(each for each in red if linter in each.claim)
    assert told.outcome is Outcome.FAILED
    assert f"{weakness}.yml" in told.seen


def test_no_linter_says_anything_of_the_sound_workflow_beside_them(red: list[Verdict]) -> None:
    assert [each.claim for each in red if WORKFLOW.name in each.seen] == []


@pytest.mark.usefixtures("tools", "linters")
@pytest.mark.parametrize("weakness", GITLAB_BREAKS)
def test_a_weak_gitlab_pipeline_turns_the_gate_red(tmp_path: Path, weakness: str) -> None:
    whole, broken = GITLAB_BREAKS[weakness]
    copy = tmp_path / ".gitlab-ci.yml"
    assert whole in GITLAB.read_text()
    copy.write_text(GITLAB.read_text().replace(whole, broken, 1))
    assert gitlab_schema(copy).outcome is Outcome.FAILED


def test_a_repository_without_pipelines_is_inconclusive(tmp_path: Path) -> None:
    assert worst(examine(tmp_path)) is Outcome.INCONCLUSIVE
