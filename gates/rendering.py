"""Renders every chart with every values file that lies beside it, by Helm; and finds the plain manifests beside
the charts. Nothing here judges.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from ecom_platform.clients.commands import run
from ecom_platform.errors import CommandFailed
from ecom_platform.settings import ROOT
from gates.tools import helm, helm_3

CHARTS = ROOT / "k8s"
"""Below it every folder with a Chart.yaml is a chart."""

HELM_SECONDS = 120.0  # a rendering takes a quarter of a second; a busy machine gets time
_OBJECT = re.compile(r"^apiVersion:", re.MULTILINE)
AT_ONCE = 2  # renderings; Helm itself uses more than one core


@dataclass(frozen=True)
class Document:
    """One object of one rendering. source: chart and values file, `shop/values.yaml`."""

    source: str
    content: Mapping[str, Any]

    @property
    def place(self) -> str:
        name = self.content.get("metadata", {}).get("name", "?")
        return f"{self.source}:{self.content.get('kind', '?')}/{name}"

    @property
    def identity(self) -> str:
        """Equal for equal objects, whichever values file made them."""
        return json.dumps(self.content, sort_keys=True)


class _Strict(yaml.CSafeLoader):
    """YAML as Kubernetes reads it when it is strict: a name that stands twice in a mapping is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - pyyaml's own
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = sorted({str(name) for name in names if names.count(name) > 1})
        if twice:
            raise yaml.constructor.ConstructorError(
                None, None, f"{twice[0]!r} stands twice in one mapping", node.start_mark
            )
        return super().construct_mapping(node, deep)


def values_files(charts: Path = CHARTS) -> list[tuple[Path, Path]]:
    """Each chart with each of its values files; those in its `ci` folder switch on what is optional."""
    return [
        (chart, file)
        for chart in sorted(each.parent for each in charts.rglob("Chart.yaml"))
        for file in (*sorted(chart.glob("values*.yaml")), *sorted(chart.glob("ci/*.yaml")))
    ]


def render(chart: Path, file: Path, version: str, program: Path | None = None) -> str:
    """The chart's YAML for that Kubernetes; CommandFailed with Helm's own words. program: another Helm."""
    done = run(
        [
            program or helm(),
            "template",
            chart.name,
            chart,
            "--namespace",
            chart.name,
            "--kube-version",
            version,
            "--values",
            file,
        ],
        timeout=HELM_SECONDS,
        check=False,
        keep=None,
    )
    if done.code != 0:
        raise CommandFailed(f"render {chart.name} with {file.name} for {version}", done.stderr.strip()[-1000:])
    return done.stdout


def lint(charts: Path = CHARTS) -> Iterator[str]:
    """What `helm lint --strict` of either Helm says of each chart and values file where it is not content."""
    for program, (chart, file) in product((helm(), helm_3()), values_files(charts)):
        done = run([program, "lint", "--strict", "--quiet", chart, "--values", file], timeout=HELM_SECONDS, check=False)
        if done.code != 0:
            yield f"{source_of(chart, file)}: {(done.stdout + done.stderr).strip()[-500:]}"


def read(text: str, source: str) -> list[Document]:
    """The objects in YAML text; yaml.YAMLError where it is none, or where a name stands twice."""
    return [Document(source, each) for each in yaml.load_all(text, Loader=_Strict) if each]


def source_of(chart: Path, file: Path) -> str:
    return f"{chart.name}/{file.relative_to(chart)}"


def every_rendering(version: str, charts: Path = CHARTS, program: Path | None = None) -> Iterator[tuple[str, str]]:
    """(source, YAML) for each chart and values file. program: another Helm."""
    rows = values_files(charts)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        texts = pool.map(lambda row: render(row[0], row[1], version, program), rows)
        for (chart, file), text in zip(rows, texts, strict=True):
            yield source_of(chart, file), text


def plain(folder: Path = CHARTS) -> Iterator[tuple[str, str]]:
    """(source, YAML) for each file below the folder that holds objects of Kubernetes and belongs to no chart."""
    charts = {each.parent for each in folder.rglob("Chart.yaml")}
    for path in sorted(folder.rglob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        if charts.isdisjoint(path.parents) and _OBJECT.search(text):
            yield str(path.relative_to(folder)), text
