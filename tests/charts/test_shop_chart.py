"""The shop's chart: what it renders, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.charts.hardening import missing_probes, weaknesses
from tests.charts.rendering import VALUES_FILES, attempt, render

HARDENED_FILES = [each for each in VALUES_FILES["shop"] if each != "values-basic.yaml"]
GREEN = (
    "backend.colours.green.enabled=true",
    "frontend.colours.green.enabled=true",
    "backend.colours.green.tag=2.0.0",
    "backend.colours.green.version=2.0.0",
)


def environment(container: Any) -> dict[str, str]:
    return {each.name: each.value for each in container.env}


@pytest.mark.parametrize("file", HARDENED_FILES)
def test_every_pod_is_hardened(file: str) -> None:
    chart = render("shop", *GREEN, "migration.seed.enabled=true", files=(file,))
    assert {name: weaknesses(pod) for name, pod in chart.pods() if weaknesses(pod)} == {}


@pytest.mark.parametrize("file", HARDENED_FILES)
def test_no_pod_has_a_token_and_each_kind_has_an_account_of_its_own(file: str) -> None:
    chart = render("shop", *GREEN, files=(file,))
    for name, pod in chart.pods():
        assert pod.automount_service_account_token is False, name
        assert chart.of("ServiceAccount")[pod.service_account_name].automount_service_account_token is False
    accounts = {name.split("/")[1].split("-")[0]: pod.service_account_name for name, pod in chart.pods()}
    assert accounts == {each: each for each in ("backend", "frontend", "database", "migration")}


@pytest.mark.parametrize("file", HARDENED_FILES)
def test_every_pod_that_serves_has_three_probes(file: str) -> None:
    chart = render("shop", *GREEN, files=(file,))
    serving = {name: pod for name, pod in chart.pods() if not name.startswith("Job/")}
    assert len(serving) == 5
    assert {name: missing_probes(pod) for name, pod in serving.items() if missing_probes(pod)} == {}


def test_processes_run_as_user_1000_and_the_database_as_its_own() -> None:
    users = {name: pod.security_context.run_as_user for name, pod in render("shop").pods()}
    assert users.pop("StatefulSet/database") == 999
    assert set(users.values()) == {1000}


def test_the_backend_has_the_limits_of_the_document() -> None:
    pod = render("shop").of("Deployment")["backend-blue"].spec.template.spec
    assert pod.containers[0].resources.limits == {"cpu": "500m", "memory": "512Mi"}


def test_a_colour_that_is_off_is_absent_and_one_that_is_on_has_its_own_version() -> None:
    assert set(render("shop").of("Deployment")) == {"backend-blue", "frontend-blue"}
    both = render("shop", *GREEN, "backend.colours.green.replicas=5")
    assert set(both.of("Deployment")) == {"backend-blue", "frontend-blue", "backend-green", "frontend-green"}
    blue, green = (both.of("Deployment")[f"backend-{each}"] for each in ("blue", "green"))
    assert (blue.spec.replicas, green.spec.replicas) == (2, 5)
    assert blue.spec.template.spec.containers[0].image == "ecom/backend:1.0.0"
    assert green.spec.template.spec.containers[0].image == "ecom/backend:2.0.0"
    told = environment(green.spec.template.spec.containers[0])
    assert (told["VERSION"], told["COLOUR"]) == ("2.0.0", "green")
    assert set(both.of("PodDisruptionBudget")) == set(both.of("Deployment"))


def test_a_change_of_one_colour_leaves_the_other_as_it_is() -> None:
    before = render("shop", *GREEN).of("Deployment")["backend-blue"]
    after = render("shop", *GREEN, "backend.colours.green.tag=3.0.0").of("Deployment")["backend-blue"]
    assert before == after


def test_a_frontend_calls_the_backend_of_its_own_colour() -> None:
    chart = render("shop", *GREEN)
    for colour in ("blue", "green"):
        container = chart.of("Deployment")[f"frontend-{colour}"].spec.template.spec.containers[0]
        service = chart.of("Service")[f"backend-{colour}"]
        assert environment(container)["BACKEND"] == f"{service.metadata.name}:{service.spec.ports[0].port}"
        assert service.spec.selector["ecom/colour"] == colour


def test_every_service_leads_to_pods_that_exist() -> None:
    chart = render("shop", *GREEN, "frontend.live=green", "frontend.preview=green")
    labels = [each.typed.spec.template.metadata.labels for each in chart.objects if each.pod is not None]
    for name, service in chart.of("Service").items():
        assert [each for each in labels if service.spec.selector.items() <= each.items()], name
    assert chart.of("Service")["frontend"].spec.selector["ecom/colour"] == "green"
    assert chart.of("Service")["backend"].spec.selector["ecom/colour"] == "blue"


def test_the_preview_shows_what_is_live_when_it_has_no_colour_of_its_own() -> None:
    chart = render("shop", "frontend.preview=green", "backend.preview=green")
    assert chart.of("Service")["frontend-preview"].spec.selector["ecom/colour"] == "blue"


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (("backend.colours.blue.tag=latest",), "/backend/colours/blue/tag"),
        (("backend.colours.blue.tag=",), "/backend/colours/blue/tag"),
        (("frontend.colours.green.tag=latest@sha256:" + "0" * 64,), "/frontend/colours/green/tag"),
        (("migration.tag=latest",), "/migration/tag"),
        (("database.image.tag=latest",), "/database/image/tag"),
        (("database.image.tag=",), "/database/image/tag"),
        (("backnd.live=green",), "backnd"),
        (("backend.colours.red.enabled=true",), "red"),
        (("backend.live=red",), "/backend/live"),
        (("backend.image.tag=1.0.0",), "tag"),
        (("database.owner.password=secret",), "password"),
        (("backend.environment.DATABASE_URL_FILE=/tmp/url",), "DATABASE_URL_FILE"),
        (("backend.colours.blue.replicas=-1",), "/backend/colours/blue/replicas"),
        (("backend.resources.limits.cpu=null",), "/backend/resources/limits"),
        (("networkPolicies.dns=null",), "networkPolicies"),
        (("database.external.enabled=true",), "/database/external/addresses"),
        (("frontend.colours.green.enabled=true",), "backend.colours.green is not"),
        (("backend.live=green",), "green is live and backend.colours.green.enabled is false"),
    ],
)
def test_values_that_cannot_be_meant_are_refused_with_their_name(sets: tuple[str, ...], told: str) -> None:
    done = attempt("shop", sets=sets)
    assert done.code != 0
    assert told in done.stderr


def test_an_image_may_be_named_by_its_digest_too() -> None:
    tag = "1.0.0@sha256:" + "a" * 64
    pod = render("shop", f"backend.colours.blue.tag={tag}").of("Deployment")["backend-blue"].spec.template.spec
    assert pod.containers[0].image == f"ecom/backend:{tag}"


def test_no_secret_is_made_here_and_none_is_in_an_environment() -> None:
    chart = render("shop", *GREEN, "migration.seed.enabled=true")
    assert [each.name for each in chart.objects if each.kind == "Secret"] == []
    for name, pod in chart.pods():
        for container in [*(pod.init_containers or []), *pod.containers]:
            assert not [each for each in container.env or [] if each.value_from and each.value_from.secret_key_ref], (
                name
            )
            assert container.env_from is None


def test_each_pod_gets_only_the_secrets_of_its_roles() -> None:
    held = {
        name.split("-")[0]: {
            each.secret.secret_name: {item.key for item in each.secret.items} for each in pod.volumes if each.secret
        }
        for name, pod in render("shop").pods()
    }
    assert held == {
        "Deployment/backend": {"shop-database-app": {"url"}},
        "Deployment/frontend": {},
        "StatefulSet/database": {"shop-database-superuser": {"password"}},
        "Job/migration": {
            "shop-database-superuser": {"password"},
            "shop-database-owner": {"url", "password"},
            "shop-database-app": {"password"},
            "shop-database-backup": {"password"},
        },
    }


def test_the_migration_expands_with_the_named_tag_and_seeds_only_when_asked() -> None:
    plain = next(iter(render("shop", "migration.tag=v7").of("Job").values()))
    assert [each.command[-1] for each in plain.spec.template.spec.containers] == ["expand"]
    assert plain.spec.template.spec.containers[0].image == "ecom/backend:v7"
    seeding = next(iter(render("shop", "migration.seed.enabled=true", "migration.seed.orders=50").of("Job").values()))
    assert [each.name for each in seeding.spec.template.spec.init_containers] == ["roles", "expand"]
    assert seeding.spec.template.spec.containers[0].command[-2:] == ["--orders", "50"]
    assert plain.metadata.name != seeding.metadata.name


def test_an_autoscaler_owns_the_replicas_when_it_is_on() -> None:
    chart = render("shop", "backend.autoscaling.enabled=true")
    assert chart.of("Deployment")["backend-blue"].spec.replicas is None
    assert chart.of("Deployment")["frontend-blue"].spec.replicas == 2
    scaler = chart.of("HorizontalPodAutoscaler")["backend-blue"]
    assert scaler.spec.scale_target_ref.name == "backend-blue"


def test_pods_of_one_colour_spread_over_nodes() -> None:
    for deployment in render("shop").of("Deployment").values():
        spread = deployment.spec.template.spec.topology_spread_constraints[0]
        assert (spread.max_skew, spread.topology_key) == (1, "kubernetes.io/hostname")
        assert spread.label_selector.match_labels.items() <= deployment.spec.template.metadata.labels.items()


def test_a_rollout_never_takes_a_pod_away_before_another_is_ready() -> None:
    for deployment in render("shop").of("Deployment").values():
        assert deployment.spec.strategy.rolling_update.max_unavailable == 0
        grace = deployment.spec.template.spec.termination_grace_period_seconds
        assert grace > deployment.spec.template.spec.containers[0].lifecycle.pre_stop.sleep.seconds + 15


def test_an_external_database_has_no_server_here_and_no_roles_script() -> None:
    chart = render("shop", "database.external.enabled=true", "database.external.addresses={203.0.113.7/32}")
    assert chart.of("StatefulSet") == {}
    job = next(iter(chart.of("Job").values()))
    assert job.spec.template.spec.init_containers is None
    egress = chart.of("NetworkPolicy")["backend-blue"].spec.egress
    assert [each.ip_block.cidr for rule in egress for each in rule.to] == ["203.0.113.7/32"]


def test_the_basic_form_is_plain() -> None:
    chart = render("shop", files=("values-basic.yaml",))
    kinds = {each.kind for each in chart.objects}
    assert not kinds & {"NetworkPolicy", "ResourceQuota", "LimitRange", "PodDisruptionBudget"}
    soft = {name for name, pod in chart.pods() if pod.security_context is None}
    assert {each.split("-")[0] for each in soft} == {"Deployment/backend", "Deployment/frontend", "Job/migration"}
    assert set(chart.of("Deployment")) == {"backend-blue", "frontend-blue"}
    assert {each.spec.replicas for each in chart.of("Deployment").values()} == {1}


def test_the_way_from_basic_to_enhanced_does_not_restart_the_database() -> None:
    forms = [
        render("shop", files=(each,)).of("StatefulSet")["database"] for each in ("values-basic.yaml", "values.yaml")
    ]
    assert forms[0].spec.template == forms[1].spec.template


def test_the_quota_has_room_for_both_colours_of_production() -> None:
    chart = render("shop", *GREEN, files=("values-production.yaml",))
    hard = chart.of("ResourceQuota")["shop"].spec.hard
    # Both colours at full width, one pod more each while they roll, the database and a migration.
    assert int(hard["pods"]) >= 4 * 10
    assert hard["services.nodeports"] == "0"
