"""The README's lists are whole: verbs, jobs, rooms, guides."""

from __future__ import annotations

import re
import subprocess

from ecom_platform.cli.main import VERBS
from ecom_platform.settings import ROOT
from jobs.table import ROWS

README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return README.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_every_verb_has_its_place_in_the_table_and_no_other() -> None:
    cells = re.findall(r"(?m)^\| (`ecom .*?) \| ", section("The command line").replace("\\|", "/"))
    named = {code.removeprefix("ecom ").split()[0] for cell in cells for code in re.findall(r"`([^`]+)`", cell)}
    assert set(VERBS) - named == set()
    verbs_of_groups = {
        "plan", "apply", "abort", "rollback", "add", "rotate", "escrow", "start", "list", "ok", "check", "end",
    }  # fmt: skip
    assert named - set(VERBS) - verbs_of_groups == set()


def test_every_job_is_named() -> None:
    text = section("The command line")
    names = {row.name for row in ROWS if not row.name.startswith("drill_")}
    missing = {
        name for name in names if f"`{name}`" not in text and f"`_{name.rpartition('_')[2]}`" not in text
    }  # `_complete` stands for backup_complete and verify_complete
    assert missing == set()


def test_every_room_is_in_the_tour() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    rooms = {each.split("/")[0] for each in tracked if "/" in each and not each.startswith(".")}
    toured = set(re.findall(r"(?m)^    (\w+)/ ", section("The tour")))
    assert toured == rooms


def test_every_guide_is_in_the_list() -> None:
    linked = set(re.findall(r"\]\(docs/([\w-]+\.md)\)", section("Guides")))
    assert linked == {each.name for each in (ROOT / "docs").glob("*.md")}
