"""What holds for both charts: they lint, every object is a real one, and the walls stand where they should."""

from __future__ import annotations

from itertools import product

import pytest

from tests.charts.matrix import KINDS, OUTSIDE, PASSES, PLATFORM, PORTS, SHOP, platform_sets, pods, shop_sets
from tests.charts.rendering import CHARTS, KUBERNETES, VALUES_FILES, Chart, helm, render
from tests.charts.walls import admits

EVERY_FILE = [(chart, file) for chart, files in VALUES_FILES.items() for file in files]
EVERYTHING = {
    "shop": (
        "backend.colours.green.enabled=true",
        "frontend.colours.green.enabled=true",
        "backend.autoscaling.enabled=true",
        "frontend.autoscaling.enabled=true",
        "ingress.enabled=true",
        "ingress.tlsSecret=shop-tls",
        "media.persistence.enabled=true",
        "migration.seed.enabled=true",
        "imagePullSecrets[0].name=registry",
    ),
    "platform": (
        "seaweedfs.enabled=true",
        "state.persistence.enabled=true",
        "webserver.readOnly=false",
        "webserver.ingress.enabled=true",
        "secrets.notices.notify=ecom-notify",
        "imagePullSecrets[0].name=registry",
    ),
}
NAMESPACES = {SHOP: "default", PLATFORM: "default-platform", OUTSIDE: "default-outside"}


def all_walls() -> Chart:
    """Both charts with everything on, as if in two namespaces (a rendering has only one: `default`)."""
    shop = render("shop", *EVERYTHING["shop"], *shop_sets(NAMESPACES))
    platform = render("platform", *EVERYTHING["platform"], *platform_sets(NAMESPACES))
    for each in platform.objects:
        if each.kind == "NetworkPolicy":
            each.typed.metadata.namespace = NAMESPACES[PLATFORM]
    return Chart((*shop.objects, *platform.objects))


@pytest.mark.parametrize(("chart", "file"), EVERY_FILE)
def test_helm_lint_finds_nothing(chart: str, file: str) -> None:
    done = helm(
        "lint", "--strict", str(CHARTS / chart), "--values", str(CHARTS / chart / file), "--kube-version", KUBERNETES
    )
    assert done.code == 0, done.stdout


@pytest.mark.parametrize(("chart", "file"), EVERY_FILE)
def test_every_field_of_every_object_is_one_that_kubernetes_knows(chart: str, file: str) -> None:
    for sets in ((), EVERYTHING[chart]):
        for each in render(chart, *sets, files=(file,)).objects:
            assert each.as_typed() == each.raw, f"{each.kind}/{each.name} has a field that is no field"


@pytest.mark.parametrize("chart", VALUES_FILES)
def test_every_object_is_in_the_namespace_of_its_release_and_labelled(chart: str) -> None:
    for each in render(chart, *EVERYTHING[chart]).objects:
        wanted = "ecommerce" if each.name.startswith("ecom-platform-") else "default"
        assert each.raw["metadata"]["namespace"] == wanted, each.name
        assert each.raw["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm"


@pytest.mark.parametrize("chart", VALUES_FILES)
def test_every_selector_finds_the_pods_of_its_own_template(chart: str) -> None:
    for each in render(chart, *EVERYTHING[chart]).objects:
        if each.kind in ("Deployment", "StatefulSet"):
            spec = each.typed.spec
            assert spec.selector.match_labels.items() <= spec.template.metadata.labels.items()


@pytest.mark.parametrize("chart", VALUES_FILES)
def test_both_directions_are_denied_to_every_pod_of_the_namespace(chart: str) -> None:
    deny = render(chart).of("NetworkPolicy")["default-deny"].spec
    assert sorted(deny.policy_types) == ["Egress", "Ingress"]
    assert (deny.pod_selector.match_labels, deny.pod_selector.match_expressions) == (None, None)
    assert (deny.ingress, deny.egress) == (None, None)


def test_exactly_the_pairs_of_the_matrix_pass() -> None:
    policies = [each.typed for each in all_walls().objects if each.kind == "NetworkPolicy"]
    known = pods(NAMESPACES)
    inside = [kind for kind, (where, _) in KINDS.items() if where != OUTSIDE]
    passed = {
        (source, target, port)
        for source, target, port in product(KINDS, inside, PORTS)
        if source != target and admits(policies, known[source], known[target], port)
    }
    assert passed == PASSES


def test_without_policies_everything_would_pass() -> None:
    known = pods(NAMESPACES)
    assert admits([], known["stranger-outside"], known["database"], 5432)


def test_the_matrix_knows_the_labels_of_the_real_pods() -> None:
    labels = {
        each.name: each.typed.spec.template.metadata.labels
        for each in all_walls().objects
        if each.kind in ("Deployment", "Job") or each.name == "seaweedfs"
        if each.pod is not None
    }
    for name, real in labels.items():
        kind = "migration" if name.startswith("migration") else name
        assert KINDS[kind][1].items() <= real.items(), name
