"""Renders a chart with Helm and hands out typed Kubernetes objects. Nothing here judges them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pytest
import yaml
from kubernetes import client

from ecom_platform.clients.commands import Completed, run
from ecom_platform.clients.helm import program as helm_program
from ecom_platform.settings import ROOT

CHARTS = ROOT / "k8s" / "charts"
KUBERNETES = "1.34.0"
"""The version that charts are rendered for; `helm template` knows no cluster to ask."""

VALUES_FILES = {
    "shop": ("values.yaml", "values-staging.yaml", "values-production.yaml", "values-basic.yaml"),
    "platform": ("values.yaml", "values-staging.yaml", "values-production.yaml"),
}

_MODELS = {
    "ConfigMap": client.V1ConfigMap,
    "Deployment": client.V1Deployment,
    "HorizontalPodAutoscaler": client.V2HorizontalPodAutoscaler,
    "Ingress": client.V1Ingress,
    "Job": client.V1Job,
    "LimitRange": client.V1LimitRange,
    "NetworkPolicy": client.V1NetworkPolicy,
    "PersistentVolumeClaim": client.V1PersistentVolumeClaim,
    "PodDisruptionBudget": client.V1PodDisruptionBudget,
    "ResourceQuota": client.V1ResourceQuota,
    "Role": client.V1Role,
    "RoleBinding": client.V1RoleBinding,
    "Service": client.V1Service,
    "ServiceAccount": client.V1ServiceAccount,
    "StatefulSet": client.V1StatefulSet,
}
_API = client.ApiClient()


@dataclass(frozen=True)
class _Body:
    data: str


@dataclass(frozen=True)
class Rendered:
    """One object. raw: as YAML says it; typed: the client's model of it, which drops names it does not know."""

    raw: Mapping[str, Any]
    typed: Any

    @property
    def kind(self) -> str:
        return str(self.raw["kind"])

    @property
    def name(self) -> str:
        return str(self.raw["metadata"]["name"])

    def as_typed(self) -> Any:
        """The typed object as plain data again."""
        return _API.sanitize_for_serialization(self.typed)

    @property
    def pod(self) -> client.V1PodSpec | None:
        """The pods that this object makes."""
        template = getattr(getattr(self.typed, "spec", None), "template", None)
        return template.spec if template else None


@dataclass(frozen=True)
class Chart:
    """All objects of one rendering."""

    objects: tuple[Rendered, ...]

    def of(self, kind: str) -> dict[str, Any]:
        return {each.name: each.typed for each in self.objects if each.kind == kind}

    def pods(self) -> Iterator[tuple[str, client.V1PodSpec]]:
        for each in self.objects:
            if each.pod is not None:
                yield f"{each.kind}/{each.name}", each.pod


def helm(*arguments: str) -> Completed:
    """Runs helm; the test is skipped where there is none."""
    program = shutil.which(helm_program())
    if program is None:
        pytest.skip("helm is not on PATH, and HELM names none: install Helm 3.14 or newer to test the charts")
    return run([program, *arguments], timeout=60, check=False, keep=None)


@lru_cache(maxsize=64)
def attempt(chart: str, files: tuple[str, ...] = (), sets: tuple[str, ...] = ()) -> Completed:
    """`helm template` with values files of the chart and --set arguments; it may be refused."""
    values = [part for each in files for part in ("--values", str(CHARTS / chart / each))]
    chosen = [part for each in sets for part in ("--set", each)]
    return helm("template", chart, str(CHARTS / chart), "--kube-version", KUBERNETES, *values, *chosen)


def render(chart: str, *sets: str, files: tuple[str, ...] = ()) -> Chart:
    """The chart's objects; the test fails with Helm's own words when it refuses."""
    done = attempt(chart, files, sets)
    assert done.code == 0, done.stderr
    return Chart(tuple(typed(each) for each in yaml.safe_load_all(done.stdout) if each))


def typed(raw: Mapping[str, Any]) -> Rendered:
    model = _MODELS[raw["kind"]]
    return Rendered(raw, _API.deserialize(_Body(json.dumps(raw)), model))
