"""The platform's chart: what it renders, what a run's pod will be, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import client

from tests.charts.hardening import missing_probes, weaknesses
from tests.charts.rendering import VALUES_FILES, Chart, attempt, render

ALL = ("seaweedfs.enabled=true", "state.persistence.enabled=true", "webserver.ingress.enabled=true")


def instance(chart: Chart) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(chart.of("ConfigMap")["dagster-instance"].data["dagster.yaml"])
    return loaded


def _user_defined(config: dict[str, Any]) -> Any:
    from dagster_k8s.job import UserDefinedDagsterK8sConfig

    return UserDefinedDagsterK8sConfig.from_dict(config)  # type: ignore[no-untyped-call]  # Dagster's own


def run_pod(chart: Chart, tags: dict[str, Any] | None = None) -> client.V1PodSpec:
    """The pod that Dagster will make for a run, by Dagster's own code, with the tags of its job."""
    from dagster_k8s.container_context import K8sContainerContext
    from dagster_k8s.job import DagsterK8sJobConfig, construct_dagster_k8s_job

    config = instance(chart)["run_launcher"]["config"]
    context = K8sContainerContext(
        service_account_name=config["service_account_name"],
        run_k8s_config=_user_defined(config["run_k8s_config"]),
    )
    if tags:
        own = K8sContainerContext(run_k8s_config=_user_defined(tags))
        allowed = config["only_allow_user_defined_k8s_config_fields"]
        context = context.merge(own.validate_user_k8s_config_for_run(allowed, None))
    job = construct_dagster_k8s_job(
        DagsterK8sJobConfig(job_image="ecom/platform:1", dagster_home=config["dagster_home"]),
        ["dagster", "api", "execute_run"],
        "dagster-run-1",
        context.run_k8s_config,
        component="run_worker",
    )
    assert isinstance(job, client.V1Job)
    return job.spec.template.spec


@pytest.mark.parametrize("file", VALUES_FILES["platform"])
def test_every_pod_is_hardened(file: str) -> None:
    chart = render("platform", *ALL, files=(file,))
    assert {name: weaknesses(pod) for name, pod in chart.pods() if weaknesses(pod)} == {}


@pytest.mark.parametrize("file", VALUES_FILES["platform"])
def test_every_pod_that_serves_has_three_probes(file: str) -> None:
    pods = dict(render("platform", *ALL, files=(file,)).pods())
    assert len(pods) == 6
    assert {name: missing_probes(pod) for name, pod in pods.items() if missing_probes(pod)} == {}


@pytest.mark.parametrize("file", VALUES_FILES["platform"])
def test_the_pod_of_a_run_is_hardened_too(file: str) -> None:
    assert weaknesses(run_pod(render("platform", files=(file,)))) == []


def test_dagster_accepts_the_instance_configuration(tmp_path: Path) -> None:
    from dagster._core.instance.ref import InstanceRef

    (tmp_path / "dagster.yaml").write_text(render("platform").of("ConfigMap")["dagster-instance"].data["dagster.yaml"])
    settings: dict[str, Any] = dict(InstanceRef.from_dir(str(tmp_path)).settings)
    assert settings["run_monitoring"]["enabled"] is True
    assert settings["concurrency"]["pools"]["default_limit"] == 1
    assert settings["freshness"]["enabled"] is True
    assert settings["telemetry"]["enabled"] is False


def test_a_run_gets_secrets_by_use_and_never_the_identity() -> None:
    chart = render("platform", "secrets.runs.database-backup=shop-database-backup", "secrets.runs.store=ecom-store")
    pod = run_pod(chart)
    secrets = {each.name: each.secret.secret_name for each in pod.volumes if each.secret}
    assert secrets == {"secret-database-backup": "shop-database-backup", "secret-store": "ecom-store"}
    mounts = {each.mount_path for each in pod.containers[0].volume_mounts if each.name.startswith("secret-")}
    assert mounts == {"/run/secrets/ecom/database-backup", "/run/secrets/ecom/store"}
    assert "ecom-identity" not in "".join(str(each.raw) for each in chart.objects)


def test_the_pod_of_a_restore_gets_the_identity_by_its_jobs_tag() -> None:
    tags = {
        "pod_spec_config": {"volumes": [{"name": "identity", "secret": {"secret_name": "ecom-identity"}}]},
        "container_config": {"volume_mounts": [{"name": "identity", "mount_path": "/run/secrets/ecom/identity"}]},
    }
    pod = run_pod(render("platform"), tags)
    assert "ecom-identity" in {each.secret.secret_name for each in pod.volumes if each.secret}
    assert {"/tmp", "/run/secrets/ecom/identity"} <= {each.mount_path for each in pod.containers[0].volume_mounts}
    assert weaknesses(pod) == []


def test_the_exporter_has_a_token_only_for_the_state_of_releases() -> None:
    chart = render("platform", "spec.leave_out={benchmarks}")
    assert dict(chart.pods())["Deployment/metrics"].automount_service_account_token is True
    role = chart.of("Role")["ecom-platform-metrics"]
    assert rules(role) == {("configmaps", "get")}
    assert [rule.resource_names for rule in role.rules] == [["ecom-release"]]


def test_the_exporter_reads_and_holds_nothing_that_opens_or_changes() -> None:
    chart = render("platform", "secrets.metrics.store=ecom-store-reader", "secrets.runs.signing=ecom-signing")
    pod = dict(chart.pods())["Deployment/metrics"]
    assert {each.secret.secret_name for each in pod.volumes if each.secret} == {"ecom-store-reader"}
    assert pod.automount_service_account_token is False
    assert "metrics" not in chart.of("Role")
    persistent = dict(render("platform", "state.persistence.enabled=true").pods())["Deployment/metrics"]
    assert {each.name: each.read_only for each in persistent.containers[0].volume_mounts}["state"] is True
    assert "Deployment/metrics" not in dict(render("platform", "metrics.enabled=false").pods())


@pytest.mark.parametrize(
    "tags",
    [
        {"pod_spec_config": {"service_account_name": "daemon"}},
        {"pod_spec_config": {"host_network": True}},
        {"container_config": {"security_context": {"privileged": True}}},
        {"container_config": {"image": "somebody/else:1"}},
        {"pod_template_spec_metadata": {"labels": {"app.kubernetes.io/name": "shop"}}},
    ],
)
def test_a_tag_may_not_soften_a_runs_pod(tags: dict[str, Any]) -> None:
    with pytest.raises(Exception, match="violated the allowed list"):
        run_pod(render("platform"), tags)


def test_only_those_who_call_the_api_have_a_token() -> None:
    def with_token(*sets: str) -> set[str]:
        return {name for name, pod in render("platform", *ALL, *sets).pods() if pod.automount_service_account_token}

    assert with_token() == {"Deployment/daemon"}
    assert with_token("webserver.readOnly=false") == {"Deployment/daemon", "Deployment/webserver"}


def rules(role: client.V1Role) -> set[tuple[str, str]]:
    """(resource, verb) pairs that a Role allows."""
    return {(resource, verb) for rule in role.rules for resource in rule.resources for verb in rule.verbs}


def test_each_account_may_do_what_it_needs_and_nothing_else() -> None:
    roles = render("platform", "webserver.readOnly=false").of("Role")
    assert rules(roles["daemon"]) == {
        ("jobs", "create"),
        ("jobs", "delete"),
        ("jobs", "list"),
        ("jobs/status", "get"),
        ("pods", "list"),
        ("pods", "delete"),
        ("events", "list"),
    }
    assert rules(roles["webserver"]) == {("jobs", "delete"), ("pods", "list"), ("pods", "delete")}
    assert rules(roles["run"]) == {
        ("jobs", "create"),
        ("jobs", "delete"),
        ("jobs/status", "get"),
        ("pods", "get"),
        ("pods", "list"),
        ("pods", "delete"),
    }
    assert {each.metadata.namespace for each in roles.values() if "ecom-platform" in each.metadata.name} == {
        "ecommerce"
    }


def test_nobody_may_read_secrets_or_hand_out_rights() -> None:
    allowed = {
        pair for role in render("platform", "webserver.readOnly=false").of("Role").values() for pair in rules(role)
    }
    assert not {resource for resource, _ in allowed} & {"secrets", "roles", "rolebindings", "serviceaccounts", "*"}
    assert not {verb for _, verb in allowed} & {"*", "escalate", "bind", "impersonate"}
    assert "ClusterRole" not in {each.kind for each in render("platform").objects}


def test_changes_in_the_shops_namespace_are_by_name() -> None:
    operate = render("platform").of("Role")["ecom-platform-operate"]
    names = {rule.resources[0]: set(rule.resource_names or []) for rule in operate.rules}
    assert names["deployments"] == {"backend-blue", "backend-green", "frontend-blue", "frontend-green"}
    assert names["services"] == {"backend", "backend-preview", "frontend", "frontend-preview"}


@pytest.mark.parametrize(("access", "roles"), [("read", {"ecom-platform-read"}), ("none", set())])
def test_the_rights_in_the_shops_namespace_can_be_less(access: str, roles: set[str]) -> None:
    chart = render("platform", f"shop.access={access}")
    assert {name for name in chart.of("Role") if name.startswith("ecom-platform")} == roles


def test_the_webserver_is_read_only_and_reachable_by_nobody_unless_asked() -> None:
    chart = render("platform")
    assert "--read-only" in chart.of("Deployment")["webserver"].spec.template.spec.containers[0].args
    assert "webserver" not in chart.of("Role")
    assert chart.of("NetworkPolicy")["webserver"].spec.ingress is None
    assert chart.of("Ingress") == {}
    open_one = render("platform", "webserver.readOnly=false")
    assert "--read-only" not in open_one.of("Deployment")["webserver"].spec.template.spec.containers[0].args


def test_without_a_cluster_to_ask_nothing_may_call_the_api_server_until_it_is_named() -> None:
    def addresses(*sets: str) -> set[str]:
        egress = render("platform", *sets).of("NetworkPolicy")["daemon"].spec.egress
        return {each.ip_block.cidr for rule in egress for each in rule.to if each.ip_block}

    assert addresses() == set()
    assert addresses("networkPolicies.apiServer.addresses={192.0.2.1/32}") == {"192.0.2.1/32"}


def test_the_spec_reaches_the_pods_as_a_file_that_the_platform_reads(tmp_path: Path) -> None:
    from ecom_platform.spec_file import read_spec

    (tmp_path / "shop.yaml").write_text(render("platform").of("ConfigMap")["shop-spec"].data["shop.yaml"])
    shop = read_spec(tmp_path / "shop.yaml")
    assert (shop.shop, shop.platform) == ("ecommerce", "kubernetes")


def test_a_changed_spec_starts_the_processes_anew() -> None:
    def stamps(*sets: str) -> set[str]:
        deployments = render("platform", *sets).of("Deployment").values()
        return {each.spec.template.metadata.annotations["ecom/spec"] for each in deployments}

    assert len(stamps()) == 1
    assert stamps() != stamps("spec.services[0].replicas=3")


def test_seaweedfs_shows_nothing_but_s3() -> None:
    pod = render("platform", *ALL).of("StatefulSet")["seaweedfs"].spec.template.spec
    arguments = set(pod.containers[0].args)
    assert {"-ip.bind=127.0.0.1", "-s3.ip.bind=0.0.0.0", "-master.telemetry=false"} <= arguments
    assert [each.container_port for each in pod.containers[0].ports] == [8333]


@pytest.mark.parametrize(
    ("sets", "told"),
    [
        (("image.tag=latest",), "/image/tag"),
        (("image.tag=",), "/image/tag"),
        (("seaweedfs.image.tag=latest",), "/seaweedfs/image/tag"),
        (("environment=prod",), "/environment"),
        (("webserver.readonly=false",), "readonly"),
        (("environmentVariables.ECOM_STATE=/tmp",), "ECOM_STATE"),
        (("shop.access=admin",), "/shop/access"),
        (("spec.platform=local",), "/spec/platform"),
        (("database.external.enabled=true",), "/database/external"),
        (("pools.defaultLimit=0",), "/pools/defaultLimit"),
    ],
)
def test_values_that_cannot_be_meant_are_refused_with_their_name(sets: tuple[str, ...], told: str) -> None:
    done = attempt("platform", sets=sets)
    assert done.code != 0
    assert told in done.stderr
