"""Pipelines: a copy of the pipeline files with a loose action, rights for everything, a gate and an approval removed.

Judged by what the files mean beside those of the repository, and by the linters of `make pipelines`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ecom_platform.errors import MissingError
from ecom_platform.settings import ROOT
from ecom_platform.spec import Shop
from ecom_platform.verdicts import Verdict, failed, holds, inconclusive, passed

if TYPE_CHECKING:
    from ecom_platform.clients.commands import Completed
    from ecom_platform.platforms.protocol import Platform

GITHUB, GITLAB = ".github/workflows/ci-cd.yml", ".gitlab-ci.yml"
LINT_SECONDS = 300.0
PINNED = re.compile(r"^(\./.*|[^@\s]+@[0-9a-f]{40})$")
FAULTS = (
    (GITHUB, r"(uses: actions/checkout)@[0-9a-f]{40} # (v\d+)\S*", r"\1@\2"),
    (GITHUB, r"(?m)^permissions: \{\}$", "permissions: write-all"),
    (GITHUB, r"target: \[check, manifests, pipelines\]", "target: [check, manifests]"),
    (GITLAB, r"when: manual", "when: on_success"),
)
"""File, what is there, what is put in its place."""


def build(live: Platform, shop: Shop, folder: Path, progress: Callable[[str], None]) -> Mapping[str, Any]:
    del live, shop
    for name in (GITHUB, GITLAB):
        text = (ROOT / name).read_text(encoding="utf-8")
        for _, there, instead in (each for each in FAULTS if each[0] == name):
            text, count = re.subn(there, instead, text, count=1)
            if not count:
                raise MissingError(f"plant a fault in {name}", f"it has nothing like {there}", "Mend FAULTS.")
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    progress(f"the pipelines of GitLab and GitHub were copied to {folder}, and weakened")
    return {}


def task(shop: Shop, folder: Path, facts: Mapping[str, Any]) -> str:
    del shop, facts
    return f"""Somebody "simplified" the pipelines. Make them as strict as they have to be:
  {folder / GITHUB}
  {folder / GITLAB}
Every action fixed to what was reviewed, the least rights, every gate back, and nothing into production by itself.

In another terminal, from the repository:
  .venv/bin/python -m gates pipelines {folder}
Hints: docs/ci.md says what each stage is for; the linters (`make tools`) see a part of it, and not what is missing."""


def look(shop: Shop, folder: Path, facts: Mapping[str, Any]) -> list[Verdict]:
    del shop, facts
    from ecom_platform.clients.commands import run

    lint = run([sys.executable, "-m", "gates", "pipelines", folder], timeout=LINT_SECONDS, check=False, folder=ROOT)
    try:
        seen = {name: _parsed(folder / name) for name in (GITHUB, GITLAB)}
    except (OSError, ValueError) as error:
        return [failed("both pipelines can be read", str(error))]
    sound = {name: _parsed(ROOT / name) for name in (GITHUB, GITLAB)}
    return [*judge(sound, seen), judge_linters(lint)]


def remove(shop: Shop, folder: Path) -> None:
    """Only files, which go with the folder."""


def judge_linters(done: Completed) -> Verdict:
    """Pure. done: `python -m gates pipelines`."""
    claim = "the linters find nothing"
    words = (done.stdout + done.stderr).strip()[-3000:]
    if done.code not in (0, 1):
        return inconclusive(claim, f"{words} (`make tools` brings them)")
    return passed(claim, "nothing to say") if done.code == 0 else failed(claim, words)


def judge(sound: Mapping[str, Any], seen: Mapping[str, Any]) -> list[Verdict]:
    """Pure. Both: the parsed pipelines by file name; sound: those of the repository."""
    loose = sorted({each for each in _actions(seen[GITHUB]) if not PINNED.match(each)})
    wide = list(_wider(sound[GITHUB], seen[GITHUB]))
    gone = [each for name in (GITHUB, GITLAB) for each in _gone(sound[name], seen[name])]
    waits = _waits(seen)
    return [
        holds("every action is fixed to a commit", not loose, ", ".join(loose) or "all are"),
        holds("no job has more rights than it needs", not wide, "; ".join(wide) or "none has"),
        holds(
            "every job is there with its gates",
            not gone,
            f"{len(gone)} of them lost in {_places(gone)}" if gone else "all",
        ),
        holds("production waits for a person", waits, "it does" if waits else "it goes on by itself"),
    ]


def _parsed(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506  # "on" stays a word
    except yaml.YAMLError as error:
        raise ValueError(f"{path.name}: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path.name}: no mapping")  # noqa: TRY004  # of what a person wrote
    return content


def _jobs(pipeline: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Of either kind: GitLab's jobs are what has a script."""
    found = pipeline.get("jobs", pipeline)
    kinds = ("steps", "script")
    return {
        name: each for name, each in found.items() if isinstance(each, dict) and any(kind in each for kind in kinds)
    }


def _steps(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [each for each in job.get("steps", []) if isinstance(each, dict)]


def _actions(pipeline: Mapping[str, Any]) -> Iterator[str]:
    return (str(step["uses"]) for job in _jobs(pipeline).values() for step in _steps(job) if "uses" in step)


def _wider(sound: Mapping[str, Any], seen: Mapping[str, Any]) -> Iterator[str]:
    """Rights beyond those of the sound file, of the workflow and of each job."""
    pairs = [("the workflow", sound, seen)]
    pairs += [(name, _jobs(sound).get(name, {}), job) for name, job in _jobs(seen).items()]
    for name, wanted, found in pairs:
        if not isinstance(found.get("permissions"), dict):
            yield f"{name} says {found.get('permissions', 'nothing of permissions')}"
            continue
        known = wanted.get("permissions", {})
        more = sorted(
            key for key, right in found["permissions"].items() if right not in ("none", "read", known.get(key))
        )
        if more:
            yield f"{name} may write {', '.join(more)}"


def _gates(job: Mapping[str, Any]) -> set[str]:
    """What the job runs by make, with the values of its matrix, and what it waits for."""
    lines = [*job.get("script", []), *(str(each.get("run", "")) for each in _steps(job))]
    text = "\n".join(map(str, lines))
    targets = {word for words in re.findall(r"(?m)(?:^|\s)make ([^&|\n]+)", text) for word in words.split()}
    needs = job.get("needs", [])
    needs = [needs] if isinstance(needs, str) else needs
    matrix = job.get("strategy", {}).get("matrix", {})
    rows = [matrix, *job.get("parallel", {}).get("matrix", [])] if isinstance(matrix, dict) else []
    values = {str(value) for row in rows for several in row.values() for value in _listed(several)}
    if "true" in (job.get("allow_failure"), job.get("continue-on-error")):
        return set()  # a gate that nobody heeds
    return {*targets, *values, *(f"after {each}" for each in needs)}


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list) else [value]


def _gone(sound: Mapping[str, Any], seen: Mapping[str, Any]) -> list[str]:
    """Names of jobs, once for each gate that they lost."""
    there = _jobs(seen)
    return [
        name
        for name, job in _jobs(sound).items()
        for _ in {name, *_gates(job)} - ({name, *_gates(there[name])} if name in there else set())
    ]


def _places(gone: list[str]) -> str:
    return ", ".join(sorted(set(gone)))


def _waits(seen: Mapping[str, Any]) -> bool:
    """GitLab asks a person in every rule that starts it; GitHub by the environment's reviewers."""
    github, gitlab = (_jobs(seen[name]).get("production", {}) for name in (GITHUB, GITLAB))
    rules = gitlab.get("rules", [])
    by_hand = bool(rules) and all(isinstance(each, dict) and each.get("when") in ("manual", "never") for each in rules)
    environment = github.get("environment", {})
    name = environment.get("name") if isinstance(environment, dict) else environment
    return by_hand and name == "production"
