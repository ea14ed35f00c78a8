"""The drawings of docs/architecture.md say what the code is."""

from __future__ import annotations

import json
import re
from itertools import product

from ecom_platform.settings import ROOT

TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
FLOW, STAGES = re.findall(r"```mermaid\n(.*?)```", TEXT, re.DOTALL)
ARROW = re.compile(r"^\s*([\w &]+?) (?:-->|==>|-\.->)(?:\|[^|]*\|)? ([\w &]+)$")


def edges(drawing: str) -> set[tuple[str, str]]:
    """Pairs of boxes; `a & b --> c` is two."""
    found: set[tuple[str, str]] = set()
    for line in drawing.splitlines():
        if match := ARROW.match(line):
            found.update(product(match[1].split(" & "), match[2].split(" & ")))
    return found


def stage_graph() -> set[tuple[str, str]]:
    """The arrows between stages of the reviewed asset graph."""
    assets = json.loads((ROOT / "tests" / "house" / "graph.json").read_text())["assets"]
    pairs = {(parent.split("/")[1], asset.split("/")[1]) for asset, parents in assets.items() for parent in parents}
    return {(first, then) for first, then in pairs if first != then}


def transitive(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    whole = set(pairs)
    while more := {(a, d) for a, b in whole for c, d in whole if b == c} - whole:
        whole |= more
    return whole


def test_the_stages_have_the_arrows_of_the_asset_graph() -> None:
    drawn, real = edges(STAGES), stage_graph()
    assert transitive(drawn) == transitive(real)
    assert drawn <= real


def test_every_file_that_a_box_names_is_there() -> None:
    named = re.findall(r"<br/>([\w.]+/[\w./]+)", FLOW)
    assert len(named) > 20
    assert [each for each in named if not (ROOT / each).exists()] == []


def test_every_arrow_leads_from_a_box_to_a_box_and_no_box_stands_alone() -> None:
    boxes = set(re.findall(r'^\s*(\w+)(?:\(\[|\[\(?"|\{\{)', FLOW, re.MULTILINE))
    ends = {end for pair in edges(FLOW) for end in pair}
    assert ends == boxes | {"PLATFORM"}


def test_the_table_of_rooms_has_every_package_and_no_other() -> None:
    packages = {each.parent.name for each in (ROOT / "ecom_platform").glob("*/__init__.py")}
    assert set(re.findall(r"(?m)^\| `ecom_platform/(\w+)/` \|", TEXT)) == packages


def test_an_arrow_that_the_code_does_not_have_is_seen() -> None:
    wrong = STAGES.replace("restores --> drills", "benchmarks --> drills")
    assert transitive(edges(wrong)) != transitive(stage_graph())
