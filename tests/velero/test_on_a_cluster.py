"""A real Velero: a backup with its volume is proved; one that left a volume out says Completed, and is red here."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from ecom_platform import keys
from ecom_platform.clients.kubernetes_api import Object
from ecom_platform.definitions import build_defs
from ecom_platform.errors import ConfigurationError
from ecom_platform.platforms.kubernetes import KubernetesPlatform
from ecom_platform.records import Findings
from ecom_platform.resources import Platforms
from ecom_platform.settings import Settings
from ecom_platform.spec import Database, Encryption, Kubernetes, Shop, Stage, Store, Velero
from ecom_platform.velero import proving, taking
from ecom_platform.velero.evidence import as_config_map, config_map_name
from ecom_platform.velero.scratch import Scratch
from ecom_platform.verdicts import Outcome
from tests.cluster.tools import Cluster, hardened_pod
from tests.pipeline.conftest import Ran
from tests.velero.installation import velero, velero_cluster
from tests.velero.namespaces import host_volume, make_small_shop, sql

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class World:
    """Two namespaces that Velero backs up: `whole`, and `hollow`, whose volume is a folder of its node."""

    cluster: Cluster
    shop: Shop
    platform: KubernetesPlatform
    whole: str
    hollow: str

    def place(self, namespace: str) -> taking.Place:
        return taking.place_of(self.platform, self.shop, namespace)

    def run(self, job: str, namespace: str) -> Ran:
        """The job for one namespace, as Dagster runs it."""
        defs = build_defs(
            [self.shop],
            Settings((), "staging", self.platform.layout.state),
            {"platforms": Platforms(of=lambda _: self.platform)},
        )
        stage: Stage = "backups" if job.startswith("backup") else "restores"
        with dg.DagsterInstance.ephemeral() as instance:
            result = defs.resolve_job_def(job).execute_in_process(
                instance=instance,
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                asset_selection=[dg.AssetKey(keys.velero_path(self.shop, stage, namespace))],
                raise_on_error=False,
            )
        return Ran(result)

    def take(self, namespace: str) -> tuple[Findings, taking.BackupRecord]:
        return taking.take(self.platform, self.shop, namespace, backup="", progress=print)

    def prove(self, namespace: str, backup: str) -> Findings:
        return proving.prove(self.platform, self.shop, namespace, backup=backup, progress=print)[0]


def outcomes(findings: Findings, checks: dict[str, str]) -> dict[str, Outcome]:
    return {each: findings.outcome(each) for each in checks}


def told(findings: Findings) -> str:
    return json.dumps(findings.to_metadata(), indent=1)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    cluster = velero_cluster()
    volume = f"ecom-velero-test-{secrets.token_hex(3)}"
    folder = Path("/tmp") / volume
    with cluster.namespaces("whole") as restricted, cluster.namespaces("hollow", restricted=False) as free:
        whole, hollow = restricted["whole"], free["hollow"]
        try:
            folder.mkdir(mode=0o777)
            folder.chmod(0o777)
            cluster.apply(host_volume(volume, str(folder)))
            make_small_shop(cluster, whole, database=True)
            make_small_shop(cluster, hollow, storageClassName=volume, volumeName=volume)
            with velero(cluster, (whole, hollow)) as own:
                where = Kubernetes(namespace=whole, velero=Velero(namespace=own, namespaces=(whole, hollow)))
                shop = Shop(
                    shop="velero-test",
                    platform="kubernetes",
                    kubernetes=where,
                    databases=(Database(name="shop", managed=True),),
                    stores={"disk": Store(url="file:backups")},
                    encryption=Encryption(managed=True),
                )
                platform = KubernetesPlatform(shop, tmp_path_factory.mktemp("state"))
                yield World(cluster, shop, platform, whole, hollow)
                platform.cluster.close()
        finally:
            cluster.kubectl("delete", "deployment", "keeper", "-n", hollow, "--ignore-not-found")
            cluster.kubectl("delete", "pv", volume, "--ignore-not-found", "--wait=false")
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def backup(world: World) -> taking.BackupRecord:
    findings, record = world.take(world.whole)
    assert outcomes(findings, taking.CHECKS) == dict.fromkeys(taking.CHECKS, Outcome.PASSED), told(findings)
    assert record.volumes == 2
    return record


def test_a_backup_with_its_volume_is_proved_and_leaves_nothing(world: World, backup: taking.BackupRecord) -> None:
    findings, record = proving.prove(world.platform, world.shop, world.whole, backup="latest", progress=print)
    assert (record.claims, record.rows) == (2, 1000)
    assert outcomes(findings, proving.CHECKS) == dict.fromkeys(proving.CHECKS, Outcome.PASSED), told(findings)
    left = world.cluster.kubectl("get", "namespaces", "-l", "ecom/scratch", "-o", "name").stdout
    assert left == ""


def test_a_volume_that_velero_left_out_is_red_though_it_says_completed(world: World) -> None:
    ran = world.run("backup_velero", world.hollow)
    assert not ran.success
    assert ran.materialised() == set()
    red = ran.red()
    assert set(red) == {f"velero-{world.hollow}/volumes"}
    assert "claim data (left out" in red[f"velero-{world.hollow}/volumes"]
    newest = taking.choose(world.place(world.hollow), taking.LATEST)
    assert newest["status"]["phase"] == "Completed"
    assert not newest["status"].get("errors")


def test_such_a_backup_is_not_proved_and_none_of_its_pods_is_started(world: World) -> None:
    ran = world.run("verify_velero", world.hollow)
    assert not ran.success
    assert ran.materialised() == set()
    red = ran.red()
    assert set(red) == {f"velero-{world.hollow}/volumes", f"velero-{world.hollow}/content"}
    assert red[f"velero-{world.hollow}/content"].startswith("inconclusive")
    assert "not restored" in red[f"velero-{world.hollow}/content"]


def test_content_and_objects_that_are_not_what_they_were_are_red(world: World, backup: taking.BackupRecord) -> None:
    """The evidence is exchanged: to the proof that is the same as a backup with another content."""
    place = world.place(world.whole)
    seen = taking.known(place, backup.snapshot)
    assert seen is not None
    other = json.loads(seen.before.model_dump_json())
    other["contents"]["data"] = "0" * 64
    other["databases"]["shop"]["tables"]["public.orders"]["rows"] = 1001
    other["objects"]["configmaps/settings"]["data"]["colour"] = "blue"
    other["objects"]["secrets/token"]["digests"]["token"] = "1" * 64
    lie = seen.model_copy(
        update={"before": seen.before.model_validate(other), "after": seen.after.model_validate(other)}
    )
    made = place.cluster.read("backups", backup.snapshot, place.velero.namespace)
    place.cluster.delete("configmaps", config_map_name(backup.snapshot), place.velero.namespace)
    place.cluster.create("configmaps", as_config_map(lie, made), place.velero.namespace)
    findings = world.prove(world.whole, backup.snapshot)
    content = [each.claim for each in findings.verdicts["content"] if each.outcome is Outcome.FAILED]
    assert content == ["the content of claim data came back", "database shop: every table has its rows and content"]
    red = [each.seen for each in findings.verdicts["objects"] if each.outcome is Outcome.FAILED]
    assert [each.partition(":")[0] for each in red] == ["configmaps/settings", "secrets/token"]


def test_a_backup_that_velero_made_by_itself_is_green_only_against_an_unchanged_source(
    world: World, backup: taking.BackupRecord
) -> None:
    place = world.place(world.whole)
    place.cluster.delete("configmaps", config_map_name(backup.snapshot), place.velero.namespace)
    sql(world.cluster, world.whole, "UPDATE orders SET total = 0 WHERE id = 7")
    findings = world.prove(world.whole, backup.snapshot)
    assert findings.outcome("objects") is Outcome.PASSED, told(findings)
    assert findings.outcome("content") is Outcome.INCONCLUSIVE, told(findings)
    assert "table public.orders" in told(findings)


def test_what_a_killed_proof_left_is_taken_away(world: World) -> None:
    place = world.place(world.whole)
    scratch = Scratch(place.cluster, place.velero.namespace, world.shop.shop, world.whole)
    killed = scratch.namespace(runs=True)
    name = killed.__enter__()
    restore: Object = {
        "apiVersion": "velero.io/v1",
        "kind": "Restore",
        "metadata": {"name": name, "labels": scratch.labels},
        "spec": {"backupName": "nothing", "namespaceMapping": {world.whole: name}},
    }
    place.cluster.create("restores", restore, place.velero.namespace)
    assert len(scratch.left()) == 2
    assert set(scratch.sweep()) == {name}
    assert scratch.left() == []
    assert world.cluster.kubectl("get", "namespace", name, check=False).code != 0


def reaches(world: World, namespace: str, pod: str) -> bool:
    """Whether a pod gets a connection to the S3 server, which lets everybody in. Its name must be found."""
    host = f"store.{world.place(world.whole).velero.namespace}.svc.cluster.local"
    program = (
        f"import socket; address = socket.gethostbyname({host!r}); s = socket.socket(); s.settimeout(3); "
        "print(s.connect_ex((address, 8333)))"
    )
    argv = ("exec", "-n", namespace, pod, "--", "python", "-c", program)
    return world.cluster.kubectl(*argv, seconds=60).stdout.strip() == "0"


def test_scratch_namespaces_admit_no_pod_or_let_it_reach_nothing_outside(world: World) -> None:
    place = world.place(world.whole)
    scratch = Scratch(place.cluster, place.velero.namespace, world.shop.shop, world.whole)
    assert reaches(world, world.whole, "deployment/keeper")

    def pod(namespace: str) -> Object:
        made = hardened_pod("probe", namespace, "python:3.13-slim", labels={}, command=("sleep", "infinity"))
        del made["spec"]["containers"][0]["readinessProbe"]
        return made

    with scratch.namespace(runs=False) as closed, pytest.raises(ConfigurationError, match="quota"):
        place.cluster.create("pods", pod(closed), closed)
    with scratch.namespace(runs=True) as walled:
        world.cluster.apply(pod(walled))
        world.cluster.wait_ready(walled, "probe")
        assert not reaches(world, walled, "probe")
