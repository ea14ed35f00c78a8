"""Documents that must keep up with the code: the spec's guide, the decisions, the hooks, the changelog."""

from __future__ import annotations

import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ecom_platform.settings import ROOT
from ecom_platform.spec import Shop, duration
from ecom_platform.spec_file import read_spec

DOCS = ROOT / "docs"
ROW = re.compile(r"^\| `([^`]+)` \| (.+?) \| (.+) \|$")


def models(root: type[BaseModel] = Shop) -> dict[str, type[BaseModel]]:
    """All models that a spec can hold, by name."""
    found: dict[str, type[BaseModel]] = {}

    def look(annotation: Any) -> None:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            if annotation.__name__ in found:
                return
            found[annotation.__name__] = annotation
            for field in annotation.model_fields.values():
                look(field.annotation)
        for argument in get_args(annotation):
            look(argument)

    look(root)
    return found


def documented() -> dict[str, dict[str, tuple[str, str]]]:
    """Of docs/spec.md: by model (the last word of a heading) its fields with default and meaning."""
    sections: dict[str, dict[str, tuple[str, str]]] = {}
    section = ""
    for line in (DOCS / "spec.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            section = line.split()[-1]
        elif row := ROW.match(line):
            sections.setdefault(section, {})[row[1]] = (row[2], row[3])
    return sections


def default_is(field: FieldInfo, text: str) -> bool:
    """Whether the document's default is the field's own."""
    if field.is_required():
        return text == "required"
    if field.default is None or isinstance(field.default, BaseModel):
        return not text.startswith("`")  # none, or words for what the model's own section says
    value = yaml.safe_load(text.strip("`"))
    if isinstance(field.default, timedelta):
        return duration(value) == field.default
    if isinstance(field.default, dict) and any(isinstance(each, timedelta) for each in field.default.values()):
        return {name: duration(each) for name, each in value.items()} == field.default
    if isinstance(field.default, str):
        return text.strip("`") == (field.default or '""')
    return bool(value == (list(field.default) if isinstance(field.default, tuple) else field.default))


@pytest.mark.parametrize("name", models())
def test_every_field_of_the_spec_is_documented_with_its_default_and_no_other(name: str) -> None:
    fields = {field.alias or key: field for key, field in models()[name].model_fields.items()}
    rows = documented().get(name, {})
    assert list(rows) == list(fields), "docs/spec.md has the fields of the spec, in their order"
    wrong = {field: rows[field][0] for field in fields if not default_is(fields[field], rows[field][0])}
    assert wrong == {}, "docs/spec.md names another default than the spec has"


def test_the_document_describes_no_part_that_the_spec_does_not_have() -> None:
    assert set(documented()) == set(models())


def test_every_example_in_the_document_is_a_valid_spec(tmp_path: Path) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", (DOCS / "spec.md").read_text(encoding="utf-8"), re.DOTALL)
    assert examples
    for number, example in enumerate(examples):
        path = tmp_path / f"{number}.yaml"
        path.write_text(example, encoding="utf-8")
        assert read_spec(path).shop


def test_every_link_between_documents_leads_somewhere() -> None:
    missing = []
    for document in (*ROOT.glob("*.md"), *DOCS.rglob("*.md")):
        text = document.read_text(encoding="utf-8")
        anchors = {
            re.sub(r"[^\w\- ]", "", head).strip().lower().replace(" ", "-")
            for head in re.findall(r"(?m)^#+ (.+)$", text)
        }
        for target in re.findall(r"\]\(([^)]+)\)", text):
            if target.startswith(("http:", "https:", "mailto:")):
                continue
            path, _, anchor = target.partition("#")
            known = (document.parent / path).exists() if path else anchor in anchors
            if not known:
                missing.append(f"{document.relative_to(ROOT)}: {target}")
    assert missing == []


def test_every_decision_is_in_the_index() -> None:
    index = (DOCS / "decisions" / "README.md").read_text(encoding="utf-8")
    pages = {page.name for page in (DOCS / "decisions").glob("*.md")} - {"README.md"}
    assert set(re.findall(r"\]\(([^)/]+\.md)\)", index)) == pages


def test_the_hooks_run_what_make_check_runs() -> None:
    recipe = re.search(r"(?m)^check:.*\n((?:\t.+\n)+)", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert recipe
    checks = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[1].splitlines()]
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    local = [hook for repository in hooks["repos"] for hook in repository["hooks"]]
    assert [hook["entry"] for hook in local] == checks
    assert {(hook["language"], hook["pass_filenames"], hook["always_run"]) for hook in local} == {
        ("system", False, True)
    }


def test_the_changelog_has_the_version_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"(?m)^## \[{re.escape(version)}\]", text) or "## [Unreleased]" in text


def test_the_licence_is_the_whole_of_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Version 2.0, January 2004" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert len(text.splitlines()) > 190
