"""The gate of manifests: every object of every rendering, and of every plain manifest, fits the schema of every
Kubernetes that the README names; and Helm 3 renders what Helm 4 renders.

The schemas are those of the wheel `kubernetes-validate`, made from each release's OpenAPI document. Its own command
passes an object whose kind it does not know, so only its files are used, with jsonschema. Kinds of others are in
custom.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from ecom_platform.errors import CommandFailed, PreflightError
from ecom_platform.settings import ROOT
from ecom_platform.verdicts import Verdict, failed, holds, inconclusive
from gates import custom, findings
from gates.findings import Finding, Judged, Reason
from gates.rendering import CHARTS, Document, every_rendering, lint, plain, read, values_files
from gates.tools import TOOLS, helm_3

SCHEMAS = "lib/python*/site-packages/kubernetes_validate/kubernetes-json-schema"
LINT = "helm lint of 3 and 4 finds nothing, with every values file"
ALIKE = "Helm 3 renders every chart as Helm 4 does"
CLAIM = "every object fits the schema of every Kubernetes that the README names"
SUPPORTED = re.compile(r"Kubernetes 1\.(\d+) to 1\.(\d+)")


def supported(readme: Path = ROOT / "README.md") -> list[str]:
    """The minor versions of Kubernetes that the README names, oldest first."""
    match = SUPPORTED.search(readme.read_text(encoding="utf-8"))
    if not match:
        raise PreflightError(
            "read the versions of Kubernetes", f"{readme} names none", "Write `Kubernetes 1.A to 1.B` into it."
        )
    return [f"1.{minor}" for minor in range(int(match[1]), int(match[2]) + 1)]


class Schemas:
    """The schemas of one Kubernetes: strict, so that a name which is no field is an error."""

    def __init__(self, version: str, tools: Path = TOOLS) -> None:
        found = sorted(tools.glob(f"{SCHEMAS}/v{version}.*-local-strict"))
        if not found:
            raise PreflightError(
                f"find the schemas of Kubernetes {version}",
                f"{tools} has none",
                "Run `make tools`, or update the lock.",
            )
        self._folder = found[-1]
        definitions = Resource.from_contents(_json(self._folder / "_definitions.json"), DRAFT202012)
        self._registry: Registry[Any] = definitions @ Registry()

    @cache  # noqa: B019 - one object per version, for one run of the gate
    def _validator(self, api: str, kind: str) -> Draft202012Validator | None:
        # rbac.authorization.k8s.io/v1 is called rbac-v1 there, and v1 is v1.
        group, _, version = api.rpartition("/")
        name = "-".join(part for part in (kind.lower(), group.split(".")[0], version) if part)
        path = self._folder / f"{name}.json"
        return (
            Draft202012Validator(_json(path), registry=self._registry) if path.exists() else custom.validator(api, kind)
        )

    def faults(self, document: Document) -> list[tuple[str, str]]:
        """(rule, text) for everything that is wrong with it; a kind without a schema is a fault too."""
        content = document.content
        validator = self._validator(str(content.get("apiVersion", "")), str(content.get("kind", "")))
        if validator is None:
            return [("no-schema", f"no {content.get('kind')} in {content.get('apiVersion')}")]
        return [("schema", f"{each.json_path}: {each.message[:300]}") for each in validator.iter_errors(content)]


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def faults_of(documents: Iterable[Document], schemas: Schemas, version: str) -> list[Finding]:
    """What is wrong with the documents under one version; each distinct one is looked at once."""
    distinct: dict[str, Document] = {}
    for each in documents:
        distinct.setdefault(each.identity, each)
    return [
        Finding("schema", rule, each.place, f"{text} (Kubernetes {version})")
        for each in distinct.values()
        for rule, text in schemas.faults(each)
    ]


def alike(charts: Path) -> Verdict:
    """Object by object, for the newest Kubernetes; their order in the text is Helm's own matter."""
    version = f"{supported()[-1]}.0"
    differ = []
    pairs = zip(every_rendering(version, charts), every_rendering(version, charts, helm_3()), strict=True)
    for (source, four), (_, three) in pairs:
        seen = [{each.identity for each in read(text, source)} for text in (four, three)]
        differ += sorted(Document(source, json.loads(each)).place for each in seen[0] ^ seen[1])
    return holds(ALIKE, not differ, ", ".join(dict.fromkeys(differ)) or f"{len(values_files(charts))} renderings")


def examine(reasons: list[Reason], charts: Path = CHARTS) -> list[Verdict]:
    """Render and validate; everything that is not as it should be, or one verdict that says how much was seen."""
    found: list[Finding] = []
    looked_at = 0
    words = list(lint(charts))
    if not values_files(charts):
        return [inconclusive(CLAIM, f"there is no chart in {charts}")]
    for version in supported():
        schemas = Schemas(version)
        try:
            texts = [*every_rendering(f"{version}.0", charts), *plain(charts)]
            documents = [one for source, text in texts for one in read(text, source)]
        except (CommandFailed, yaml.YAMLError) as error:
            return [failed(CLAIM, f"Kubernetes {version}: {error}")]
        looked_at += len(documents)
        found += faults_of(documents, schemas, version)
    judged: Judged = findings.judge(found, [each for each in reasons if each.tool == "schema"])
    linted = [holds(LINT, not words, "; ".join(words) or f"{len(values_files(charts))} of them")]
    return [*linted, alike(charts), *findings.verdicts(CLAIM, judged, looked_at=looked_at)]
