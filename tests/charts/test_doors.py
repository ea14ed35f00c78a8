"""A shop that moves to another namespace: the doors in the old one, and who may pass from one to the other."""

from __future__ import annotations

from tests.charts.rendering import Chart, attempt, render
from tests.charts.walls import Pod, admits

OLD, NEW = "default-old", "default-new"
HTTP, POSTGRESQL = 8080, 5432
DOORS = (
    f"networkPolicies.siblings[0]={NEW}",
    *(
        f"{service}.colours.green.{field}"
        for service in ("backend", "frontend")
        for field in ("enabled=true", f"door={NEW}", "repository=ecom/frontend")
    ),
)
BESIDE = (
    "database.external.enabled=true",
    f"database.external.namespace={OLD}",
    f"networkPolicies.siblings[0]={OLD}",
)


def both() -> Chart:
    """Both releases, as if in two namespaces (a rendering has only one)."""
    old, new = render("shop", *DOORS), render("shop", *BESIDE)
    for where, chart in ((OLD, old), (NEW, new)):
        for each in chart.objects:
            if each.kind == "NetworkPolicy":
                each.typed.metadata.namespace = where
    return Chart((*old.objects, *new.objects))


def pod(where: str, component: str, colour: str = "") -> Pod:
    labels = {"app.kubernetes.io/name": "shop", "app.kubernetes.io/instance": "shop"}
    own = {"app.kubernetes.io/component": component, **({"ecom/colour": colour} if colour else {})}
    return Pod(where, {**labels, **own}, {"kubernetes.io/metadata.name": where})


def test_a_door_reaches_its_own_service_there_and_the_new_form_the_old_database() -> None:
    policies = [each.typed for each in both().objects if each.kind == "NetworkPolicy"]
    passes = [
        (pod(OLD, "frontend", "green"), pod(NEW, "frontend", "blue"), HTTP),
        (pod(OLD, "backend", "green"), pod(NEW, "backend", "blue"), HTTP),
        (pod(NEW, "backend", "blue"), pod(OLD, "database"), POSTGRESQL),
        (pod(NEW, "migration"), pod(OLD, "database"), POSTGRESQL),
        (pod(OLD, "backend", "blue"), pod(OLD, "database"), POSTGRESQL),
    ]
    blocked = [
        (pod(OLD, "frontend", "green"), pod(NEW, "backend", "blue"), HTTP),
        (pod(OLD, "frontend", "blue"), pod(NEW, "frontend", "blue"), HTTP),
        (pod(OLD, "backend", "green"), pod(OLD, "database"), POSTGRESQL),
        (pod(NEW, "frontend", "blue"), pod(OLD, "database"), POSTGRESQL),
        (pod("default-other", "backend", "blue"), pod(OLD, "database"), POSTGRESQL),
        (pod(NEW, "backend", "blue"), pod(OLD, "backend", "blue"), HTTP),
    ]
    assert [each for each in passes if not admits(policies, *each)] == []
    assert [each for each in blocked if admits(policies, *each)] == []


def test_a_door_passes_on_what_it_is_asked_and_nothing_of_the_shop_is_in_it() -> None:
    chart = render("shop", *DOORS)
    for service, target in (("frontend", f"frontend.{NEW}:80"), ("backend", f"backend.{NEW}:8080")):
        deployment = chart.of("Deployment")[f"{service}-green"]
        (container,) = deployment.spec.template.spec.containers
        assert {each.name: each.value for each in container.env}["TARGET"] == target
        assert container.image.startswith("ecom/frontend:")
        assert not [each for each in deployment.spec.template.spec.volumes if each.secret]
        selector = chart.of("Service")[f"{service}-green"].spec.selector
        assert selector.items() <= deployment.spec.template.metadata.labels.items()
    assert "{$TARGET}" in chart.of("ConfigMap")["door"].data["Caddyfile"]


def test_a_shop_without_doors_has_nothing_of_them() -> None:
    assert "door" not in render("shop").of("ConfigMap")


def test_an_external_database_that_is_nowhere_is_refused() -> None:
    assert "external" in attempt("shop", sets=("database.external.enabled=true",)).stderr
