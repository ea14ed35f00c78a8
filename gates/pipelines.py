"""The gate of the pipelines' own files: the vendors' schemas, actionlint and zizmor."""

from __future__ import annotations

from pathlib import Path

from ecom_platform.clients.commands import Completed
from ecom_platform.settings import ROOT
from ecom_platform.verdicts import Verdict, holds, inconclusive
from gates.tools import call

SHOWN_CHARACTERS = 8000  # of a linter's words: a dozen findings with their lines


def examine(folder: Path = ROOT) -> list[Verdict]:
    """Every linter over every pipeline below the folder; one that is not there is inconclusive."""
    gitlab, workflows = folder / ".gitlab-ci.yml", sorted(folder.glob(".github/workflows/*.yml"))
    if not gitlab.exists() or not workflows:
        return [inconclusive("the pipelines are sound", f"{folder} lacks .gitlab-ci.yml or .github/workflows/*.yml")]
    return [
        gitlab_schema(gitlab),
        _said(
            "workflows have the form that GitHub's schema wants",
            call("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows),
        ),
        _said("actionlint finds nothing", call("actionlint", "-no-color", *workflows, folder=folder)),
        # Offline: no token here, and the audits that need none are the ones that judge this file's own words.
        _said(
            "zizmor finds nothing",
            call("zizmor", "--offline", "--persona=pedantic", "--no-progress", "--quiet", *workflows),
        ),
    ]


def gitlab_schema(file: Path) -> Verdict:
    """The pipeline against the schema that GitLab publishes."""
    claim = ".gitlab-ci.yml has the form that GitLab's schema wants"
    return _said(claim, call("check-jsonschema", "--builtin-schema", "vendor.gitlab-ci", file))


def _said(claim: str, done: Completed) -> Verdict:
    words = (done.stdout + done.stderr).strip()[-SHOWN_CHARACTERS:]
    return holds(claim, done.code == 0, words if done.code else "nothing to say")
