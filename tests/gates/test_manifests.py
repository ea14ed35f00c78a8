"""The gate of manifests: broken objects and broken charts turn it red."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from ecom_platform.errors import PreflightError
from ecom_platform.settings import ROOT
from ecom_platform.verdicts import Outcome, worst
from gates import manifests
from gates.manifests import Schemas, examine, supported
from gates.rendering import CHARTS, Document, plain, read, values_files

pytestmark = pytest.mark.usefixtures("tools")

GOOD = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: backend}
spec:
  replicas: 2
  selector: {matchLabels: {app: backend}}
  template:
    metadata: {labels: {app: backend}}
    spec:
      containers:
        - name: backend
          image: ecom/backend:1
          resources: {limits: {cpu: 500m, memory: 512Mi}}
"""
BROKEN = {
    "a name that is no field": ("replicas: 2", "replicaz: 2", "replicaz"),
    "a nested name that is no field": ("resources:", "resource:", "resource"),
    "a value of a wrong type": ("replicas: 2", "replicas: two", "'two' is not of type"),
    "a required field left out": (
        "selector: {matchLabels: {app: backend}}",
        "paused: false",
        "'selector' is a required",
    ),
    "an API that this Kubernetes lacks": ("apps/v1", "apps/v1beta2", "no Deployment in apps/v1beta2"),
    "a kind that does not exist": ("kind: Deployment", "kind: Deploymend", "no Deploymend"),
}


@pytest.fixture(scope="module")
def schemas() -> dict[str, Schemas]:
    return {version: Schemas(version) for version in (supported()[0], supported()[-1])}


def faults(text: str, schemas: Schemas) -> list[str]:
    return [said for each in read(text, "test") for _, said in schemas.faults(each)]


def test_a_good_object_fits_the_oldest_and_the_newest_kubernetes(schemas: dict[str, Schemas]) -> None:
    assert [faults(GOOD, each) for each in schemas.values()] == [[], []]


@pytest.mark.parametrize("break_", BROKEN)
def test_a_broken_object_is_told_with_its_cause(schemas: dict[str, Schemas], break_: str) -> None:
    whole, part, cause = BROKEN[break_]
    assert whole in GOOD
    for each in schemas.values():
        assert any(cause in said for said in faults(GOOD.replace(whole, part), each)), break_


def test_an_api_is_judged_by_the_version_that_has_it(schemas: dict[str, Schemas]) -> None:
    policy = "apiVersion: admissionregistration.k8s.io/v1\nkind: MutatingAdmissionPolicy\nmetadata: {name: a}\n"
    oldest, newest = (faults(policy, each) for each in schemas.values())
    assert oldest == ["no MutatingAdmissionPolicy in admissionregistration.k8s.io/v1"]
    assert newest == []


def test_a_name_that_stands_twice_is_refused() -> None:
    with pytest.raises(yaml.YAMLError, match="'replicas' stands twice"):
        read(GOOD.replace("  replicas: 2", "  replicas: 2\n  replicas: 3"), "test")


def test_a_kubernetes_without_schemas_is_not_passed_over() -> None:
    with pytest.raises(PreflightError, match=r"schemas of Kubernetes 1\.99"):
        Schemas("1.99")


def test_equal_objects_of_two_values_files_are_looked_at_once(schemas: dict[str, Schemas]) -> None:
    bad = yaml.safe_load(GOOD.replace("replicas: 2", "replicaz: 2"))
    found = manifests.faults_of([Document("a", bad), Document("b", bad)], schemas[supported()[0]], "1.30")
    assert len(found) == 1


def test_the_readme_names_a_range_that_the_charts_accept() -> None:
    assert supported()[0] == "1.30"
    for chart in CHARTS.rglob("Chart.yaml"):
        assert yaml.safe_load(chart.read_text())["kubeVersion"] == f">={supported()[0]}.0-0"


def test_a_readme_without_versions_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("nothing here")
    with pytest.raises(PreflightError, match="names none"):
        supported(tmp_path / "README.md")


def test_every_values_file_of_the_repository_is_rendered() -> None:
    known = {file for _, file in values_files()}
    assert known == {*CHARTS.rglob("values*.yaml"), *CHARTS.rglob("ci/*.yaml")}
    assert len(known) >= 9


@pytest.fixture
def charts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the shop's chart to break; one version is enough there."""
    monkeypatch.setattr(manifests, "supported", lambda: [supported()[-1]])
    shutil.copytree(CHARTS / "charts" / "shop", tmp_path / "shop")
    return tmp_path


def test_a_chart_with_a_misspelled_field_turns_the_gate_red_and_mended_it_is_green(charts: Path) -> None:
    template = charts / "shop" / "templates" / "services.yaml"
    good = template.read_text()
    template.write_text(good.replace("targetPort:", "targetPot:", 1))
    red = examine([], charts)
    assert worst(red) is Outcome.FAILED
    assert any("targetPot" in each.seen and "shop/values-basic.yaml:Service/" in each.seen for each in red)
    template.write_text(good)
    assert worst(examine([], charts)) is Outcome.PASSED


def test_a_chart_that_helm_refuses_turns_the_gate_red(charts: Path) -> None:
    (charts / "shop" / "values-broken.yaml").write_text("backend: {colours: {blue: {tag: latest}}}\n")
    found = examine([], charts)
    assert worst(found) is Outcome.FAILED
    assert "values-broken.yaml" in found[0].seen


def test_an_object_of_the_prometheus_operator_is_held_to_its_own_schema(charts: Path) -> None:
    """Of the plain manifests beside the charts, under every kind that is in them."""
    broken = {
        "pod-monitors.yaml": ("interval: 15s", "intervall: 15s", "intervall"),
        "prometheus-rule.yaml": ("for: 300s", "for: [300s]", "300s"),
    }
    (charts / "monitoring").mkdir()
    for name, (good, bad, _) in broken.items():
        text = (CHARTS / "monitoring" / name).read_text()
        assert good in text
        (charts / "monitoring" / name).write_text(text.replace(good, bad, 1))
    seen = [each.seen for each in examine([], charts) if each.outcome is Outcome.FAILED]
    for name, (_, _, cause) in broken.items():
        assert any(f"monitoring/{name}:" in said and cause in said for said in seen), name
    assert {source for source, _ in plain()} == {f"monitoring/{name}" for name in broken}


def test_a_chart_that_helm_3_renders_otherwise_turns_the_gate_red(charts: Path) -> None:
    (charts / "shop" / "templates" / "other.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n"
        "data: {by: {{ .Capabilities.HelmVersion.Version | trunc 2 }}}\n"
    )
    (red,) = [each for each in examine([], charts) if each.claim == manifests.ALIKE]
    assert red.outcome is Outcome.FAILED
    assert "shop/values.yaml:ConfigMap/other" in red.seen


def test_no_chart_at_all_is_inconclusive(tmp_path: Path) -> None:
    assert worst(examine([], tmp_path)) is Outcome.INCONCLUSIVE


def test_ci_runs_the_gates() -> None:
    assert "\nmake gates\n" in (ROOT / ".ci" / "run").read_text()
