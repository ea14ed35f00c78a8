"""What the cluster's pods are told of a shop that they operate, and what they are not; needs no cluster."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster_k8s.job import get_user_defined_k8s_config
from kubernetes.client import V1Pod, V1PodCondition, V1PodStatus

from ecom_platform.cluster_launcher import ended_by_the_cluster
from ecom_platform.definitions import build_defs
from ecom_platform.errors import ConfigurationError
from ecom_platform.platforms.kubernetes import inside, patching, values
from ecom_platform.platforms.kubernetes.platform_values import platform_values
from ecom_platform.settings import ROOT, Settings
from ecom_platform.spec import Folder, Notification, SecretReference, Shop, Store
from ecom_platform.spec_file import read_spec

RECIPIENT = "age1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"


@pytest.fixture(scope="module")
def shop() -> Shop:
    """The example, with secrets of every kind that an operator's machine knows."""
    found = read_spec(ROOT / "specs" / "ecommerce-kubernetes.yaml")
    bucket = Store(
        url="s3://backups/shop",
        access_key=SecretReference(env="OPERATORS_ACCESS"),
        secret_key=SecretReference(file="/home/operator/secret"),
    )
    return found.model_copy(
        update={
            "stores": {**found.stores, "cloud": bucket},
            "notify": Notification(targets=(SecretReference(env="OPERATORS_TARGET"),)),
        }
    )


def test_pods_read_the_same_shop_with_their_own_secrets(shop: Shop, tmp_path: Path) -> None:
    wanted = inside.inside_spec(shop, [RECIPIENT])
    text = yaml.safe_dump(inside.as_values(wanted), sort_keys=False)
    (tmp_path / "shop.yaml").write_text(text)
    assert read_spec(tmp_path / "shop.yaml") == wanted
    assert "OPERATORS" not in text
    assert "/home/operator" not in text
    assert wanted.encryption.recipients == (RECIPIENT,)
    assert not wanted.encryption.managed
    assert wanted.stores["cloud"].secret_key == SecretReference(file="/run/secrets/ecom/stores/cloud-secret-key")
    assert wanted.databases[0].rpo == shop.databases[0].rpo
    assert set(inside.references(shop)["stores"]) == {"cloud-access-key", "cloud-secret-key"}


def test_a_shop_that_may_only_encrypt_has_no_identity_in_the_cluster(shop: Shop) -> None:
    only = shop.encryption.model_copy(update={"managed": False, "recipients": (RECIPIENT,)})
    assert inside.inside_spec(shop.model_copy(update={"encryption": only}), [RECIPIENT]).encryption.identity is None


def test_a_store_that_would_be_gone_with_its_pod_is_refused(shop: Shop) -> None:
    lost = shop.model_copy(update={"stores": {"disk": Store(url="file:backups")}})
    with pytest.raises(ConfigurationError, match="the store disk"):
        inside.refuse_what_pods_lack(lost, keeps_state=False)
    inside.refuse_what_pods_lack(lost, keeps_state=True)
    inside.refuse_what_pods_lack(shop, keeps_state=False)


def test_a_spec_that_leaves_nothing_out_says_so_against_the_charts_own_default(shop: Shop) -> None:
    whole = shop.model_copy(update={"leave_out": ()})
    assert platform_values(whole, inside.inside_spec(whole, [RECIPIENT]))["spec"]["leave_out"] == []


def test_the_charts_values_hold_names_of_secrets_only(shop: Shop) -> None:
    found = platform_values(shop, inside.inside_spec(shop, [RECIPIENT]))
    assert found["image"] == {"repository": "ecom/platform", "tag": "1.0.0"}
    assert found["secrets"]["runs"] == {
        "database": "ecom-shop-database",
        "stores": "ecom-stores",
        "signing": "ecom-signing",
    }
    assert "identity" not in found["secrets"]["runs"]
    assert found["secrets"]["notices"] == {"notify": "ecom-notify"}
    assert found["secrets"]["metrics"] == {"stores": "ecom-stores"}, "no key that opens or signs"
    assert found["seaweedfs"]["enabled"]


def test_only_jobs_that_restore_mount_the_identity_and_none_also_dumps(shop: Shop, tmp_path: Path) -> None:
    settings = Settings((ROOT / "specs" / "ecommerce-kubernetes.yaml",), "staging", tmp_path)
    defs = build_defs([inside.inside_spec(shop, [RECIPIENT])], settings)
    jobs = {job.name: job for job in defs.resolve_all_job_defs() if not job.name.startswith("__")}

    def volumes(job: dg.JobDefinition) -> list[Any]:
        return list(get_user_defined_k8s_config(job.tags).pod_spec_config.get("volumes", []))

    assert {name for name, job in jobs.items() if volumes(job)} == {"verify_restore"}
    assert {"deploy", "validate", "backup", "verify_restore", "release"} <= set(jobs)
    # Older snapshots of every source are proved in turn there; for no other proof of theirs is anybody needed.
    proves = {key.path[-1] for key in jobs["verify_restore"].asset_layer.executable_asset_keys}
    assert proves == {"database-shop", "kept"}
    # With the operator's rights, in the operator's folders.
    assert set(jobs).isdisjoint({"everyday", "restore", "restore_files", "backup_configuration", "backup_complete"})
    assert jobs["backup"].tags["dagster/max_retries"] == "1"
    assert jobs["release"].tags["dagster/max_retries"] == "0"
    # Only where runs are pods is one lost, and tried again.
    assert "lost_retries" in {each.name for each in defs.sensors or ()}
    assert "lost_retries" not in {each.name for each in build_defs([shop], settings).sensors or ()}


def documented(where: str) -> set[str]:
    """The jobs of a row of the guide's table."""
    text = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    (row,) = [line for line in text.splitlines() if line.startswith(f"| {where} |")]
    return set(re.findall(r"`(\w+\*?)`", row.split("|")[2]))


def test_the_guide_says_which_jobs_are_pods_and_which_are_the_operators(shop: Shop, tmp_path: Path) -> None:
    settings = Settings((ROOT / "specs" / "ecommerce-kubernetes.yaml",), "staging", tmp_path)
    whole = shop.model_copy(update={"leave_out": (), "folders": (Folder(name="media"),)})

    def jobs(spec: Shop) -> set[str]:
        defs = build_defs([spec], settings)
        names = {job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")}
        return {"drill_*" if name.startswith("drill_") else name for name in names}

    pods = jobs(inside.inside_spec(whole, [RECIPIENT]))
    assert documented("pods of the cluster") == pods
    assert documented("the operator's side") == jobs(whole) - pods


def pod_that_ended(**status: object) -> V1Pod:
    conditions = [V1PodCondition(type="Ready", status="False", reason="PodFailed")]
    return V1Pod(status=V1PodStatus(**{"conditions": conditions, **status}))


def test_a_run_whose_pod_the_cluster_ended_is_told_with_its_words() -> None:
    files = 'Usage of EmptyDir volume "tmp" exceeds the limit "64Mi".'
    drained = V1PodCondition(
        type="DisruptionTarget", status="True", reason="EvictionByEvictionAPI", message="Eviction API: evicting"
    )
    assert ended_by_the_cluster([pod_that_ended(phase="Failed")]) == ""
    evicted = ended_by_the_cluster([pod_that_ended(reason="Evicted", message=files)])
    assert evicted == f"The cluster ended its pod: Evicted: {files}"
    assert "EvictionByEvictionAPI: Eviction API: evicting" in ended_by_the_cluster(
        [pod_that_ended(conditions=[drained])]
    )


def deployment(shop: Shop) -> dict[str, Any]:
    """As the chart makes it, in the parts that matter."""
    env = [{"name": "VERSION", "value": "1.0.0"}, {"name": "INSTANCE", "valueFrom": {}}, {"name": "POOL", "value": "4"}]
    container = {"name": "backend", "image": "ecom/backend:1.0.0", "env": env, "ports": [{"containerPort": 8080}]}
    labels = {"app.kubernetes.io/version": "1.0.0", "app.kubernetes.io/name": "shop"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container], "volumes": []}}
    return {
        "metadata": {"labels": labels, "annotations": {"ecom/settings": ""}},
        "spec": {"replicas": shop.service("backend").replicas, "template": template},
    }


def test_the_same_version_changes_nothing_and_another_one_only_what_it_is(shop: Shop) -> None:
    found, service = deployment(shop), shop.service("backend")
    assert patching.holds(found, patching.changed(found, service))
    newer = patching.changed(found, service.model_copy(update={"version": "2.0.0", "replicas": 7}))
    assert not patching.holds(found, newer)
    (container,) = newer["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "ecom/backend:2.0.0"
    assert [each["name"] for each in container["env"]] == ["VERSION", "INSTANCE", "POOL"]
    assert container["env"][0]["value"] == "2.0.0"
    assert container["ports"] == [{"containerPort": 8080}]
    assert newer["spec"]["replicas"] == 7


def test_a_setting_that_left_the_spec_goes_and_one_of_the_charts_values_stays(shop: Shop) -> None:
    found, service = deployment(shop), shop.service("backend")
    more = service.model_copy(update={"environment": {**service.environment, "COUNT": "2", "LEVEL": "high"}})
    with_more = patching.changed(found, more)
    assert with_more["metadata"]["annotations"] == {"ecom/settings": "COUNT,LEVEL"}
    fewer = service.model_copy(update={"environment": {**service.environment, "LEVEL": "high"}})
    without = patching.changed(with_more, fewer)
    (container,) = without["spec"]["template"]["spec"]["containers"]
    assert [each["name"] for each in container["env"]] == ["VERSION", "INSTANCE", "POOL", "LEVEL"]
    assert without["metadata"]["annotations"] == {"ecom/settings": "LEVEL"}
    assert not patching.holds(with_more, without)


def test_an_upgrade_keeps_the_colours_as_they_run(shop: Shop) -> None:
    green = deployment(shop)
    green["spec"]["template"]["spec"]["containers"][0]["image"] = "registry:5000/ecom/backend:build-9"
    green["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/version"] = "2.0.0"
    green["spec"]["replicas"] = 3
    running = values.as_running(values.base(shop), {"backend-green": green})
    after = values.refreshed(shop, running)
    assert after["backend"]["colours"]["green"] == {
        "enabled": True,
        "version": "2.0.0",
        "repository": "registry:5000/ecom/backend",
        "tag": "build-9",
        "environment": {"POOL": "4"},
        "replicas": 3,
    }
    assert after["backend"]["colours"]["blue"] == values.base(shop)["backend"]["colours"]["blue"]
    assert values.refreshed(shop, values.as_running(after, {"backend-green": green})) == after


def test_the_colour_that_does_not_run_is_parked_where_runs_are_pods_and_absent_elsewhere(shop: Shop) -> None:
    assert values.base(shop)["backend"]["colours"]["green"]["replicas"] == 0
    assert values.base(shop)["backend"]["colours"]["green"]["enabled"]
    where = shop.kubernetes.model_copy(update={"platform_image": ""})
    plain = shop.model_copy(update={"kubernetes": where})
    assert not values.base(plain)["backend"]["colours"]["green"]["enabled"]
    # The way from the plain form: what was absent is parked, what runs stays.
    after = values.refreshed(shop, values.base(plain))
    assert after["backend"]["colours"]["green"] == values.base(shop)["backend"]["colours"]["green"]
