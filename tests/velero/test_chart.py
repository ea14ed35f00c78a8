"""k8s/velero as Helm renders it: what is promised is scheduled, and Velero gets no more rights than it needs."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Any

import pytest
import yaml

from ecom_platform.settings import ROOT
from ecom_platform.spec import Velero
from ecom_platform.velero import facts
from ecom_platform.velero.scratch import RESTORER
from tests.charts.rendering import KUBERNETES, helm

CHART = ROOT / "k8s" / "velero"
OPERATOR_VERBS = {"get", "list", "watch"}


@lru_cache
def attempt(*sets: str) -> Any:
    chosen = [part for each in sets for part in ("--set", each)]
    return helm("template", "ecom", str(CHART), "--namespace", "velero", "--kube-version", KUBERNETES, *chosen)


def render(*sets: str) -> list[dict[str, Any]]:
    done = attempt(*sets)
    assert done.code == 0, done.stderr
    return [each for each in yaml.safe_load_all(done.stdout) if each]


def of(kind: str, *sets: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in render(*sets) if each["kind"] == kind}


def test_each_namespace_has_the_schedules_that_the_spec_promises() -> None:
    plans = {name: facts.plan(each) for name, each in of("Schedule", "namespaces={shop,other}").items()}
    keep = Velero().keep
    assert set(plans) == {f"{place}-{name}" for place in ("shop", "other") for name in keep}
    for name, each in plans.items():
        assert timedelta(seconds=each.keep_seconds) == keep[name.rpartition("-")[2]]
        assert each.namespaces == (name.rpartition("-")[0],)
        assert not each.paused
    # Velero sets it back by itself, and Helm 4 refused the next upgrade.
    assert not [each for each in of("Schedule").values() if "skipImmediately" in each["spec"]]


def test_volumes_are_copied_out_of_the_storage_after_a_checkpoint() -> None:
    template = of("Schedule")["ecommerce-daily"]["spec"]["template"]
    assert template["defaultVolumesToFsBackup"] is True
    assert template["snapshotVolumes"] is False
    hook = template["hooks"]["resources"][0]
    assert hook["pre"][0]["exec"]["onError"] == "Fail"
    assert hook["pre"][0]["exec"]["command"][-1] == "--command=CHECKPOINT"
    policy = yaml.safe_load(of("ConfigMap")["velero-volumes"]["data"]["policies.yaml"])
    assert policy["volumePolicies"] == [{"conditions": {"volumeTypes": ["emptyDir"]}, "action": {"type": "skip"}}]


def test_hook_and_policy_can_be_left_out() -> None:
    template = of("Schedule", "databaseHook.enabled=false", "leaveOutEmptyDirs=false")["ecommerce-daily"]["spec"]
    assert {"hooks", "resourcePolicy"} & set(template["template"]) == set()


def test_backups_lie_where_the_values_say() -> None:
    sets = ("storage.endpoint=http://seaweedfs.ecom-platform:8333", "storage.bucket=kept", "storage.prefix=here")
    location = of("BackupStorageLocation", *sets)["default"]["spec"]
    assert location["objectStorage"] == {"bucket": "kept", "prefix": "here"}
    assert location["config"]["s3Url"] == "http://seaweedfs.ecom-platform:8333"
    assert location["credential"] == {"name": "velero-storage", "key": "cloud"}
    assert "s3Url" not in of("BackupStorageLocation")["default"]["spec"]["config"]


def test_a_wall_is_opened_only_where_it_is_asked_for() -> None:
    assert set(of("NetworkPolicy")) == {"velero-nobody-calls"}
    opened = of("NetworkPolicy", "storage.admitted.namespace=ecom-platform")["velero-to-storage"]
    assert opened["metadata"]["namespace"] == "ecom-platform"
    assert opened["spec"]["ingress"][0]["ports"] == [{"protocol": "TCP", "port": 8333}]


def verbs(role: dict[str, Any]) -> set[str]:
    return {verb for rule in role["rules"] for verb in rule["verbs"]}


def test_velero_reads_what_it_backs_up_and_writes_where_it_was_let_in() -> None:
    roles = of("ClusterRole", "namespaces={shop,other}")
    bindings = of("ClusterRoleBinding")
    assert [each["roleRef"]["name"] for each in bindings.values()] == ["ecom-velero-cluster"]
    everywhere = roles["ecom-velero-cluster"]["rules"]
    for rule in everywhere:
        writes = set(rule["verbs"]) - OPERATOR_VERBS
        assert not writes or rule["resources"] == ["persistentvolumes"], rule
        assert not {"secrets", "configmaps"} & set(rule["resources"])
        assert "*" not in rule["resources"] or rule["apiGroups"] == ["velero.io"]
    assert verbs(roles["ecom-velero-backup"]) - OPERATOR_VERBS == {"create"}  # pods/exec, for hooks
    assert "delete" not in verbs(roles[RESTORER])


def test_nobody_holds_the_right_to_restore_until_somebody_lets_velero_in() -> None:
    objects = render("namespaces={shop,other}")
    bound = [
        (each["metadata"].get("namespace", ""), each["roleRef"]["name"])
        for each in objects
        if each["kind"].endswith("RoleBinding")
    ]
    assert sorted(bound) == [
        ("", "ecom-velero-cluster"),
        ("other", "ecom-velero-backup"),
        ("shop", "ecom-velero-backup"),
        ("velero", "ecom-velero"),
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        "schedules.daily.keep=30d",
        "schedules.daily.cron=often",
        "namespaces={Shop}",
        "storage.endpoint=ftp://host",
        "storage.password=x",
        "colour=red",
    ],
)
def test_values_that_mean_nothing_are_refused(wrong: str) -> None:
    assert attempt(wrong).code != 0
