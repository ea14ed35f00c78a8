"""A Velero of the tests' own: installed as docs/velero.md says, with an S3 server beside it, and gone afterwards."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from ecom_platform.clients.commands import run
from ecom_platform.settings import ROOT
from tests.cluster.tools import Cluster, eventually
from tests.platforms.cluster import missing

VELERO_IMAGE = "velero/velero:v1.18.3"
PLUGIN_IMAGE = "velero/velero-plugin-for-aws:v1.14.3"
PRIVILEGED = {"pod-security.kubernetes.io/enforce": "privileged"}
STORE = "store"


def velero_cluster() -> Cluster:
    """The cluster, where Velero can be tested; the reason is told where it cannot."""
    if not os.environ.get("ECOM_TEST_VELERO"):
        pytest.skip("ECOM_TEST_VELERO is not set: Velero's images are not there")
    for program in ("kubectl", "helm", "velero"):
        if shutil.which(program) is None:
            missing(f"{program} is not on PATH")
    if not os.environ.get("KUBECONFIG"):
        missing("KUBECONFIG names no cluster")
    cluster = Cluster("", "")
    if cluster.kubectl("get", "crd", "backups.velero.io", check=False).code == 0:
        pytest.skip("this cluster has a Velero of its own")
    return cluster


@contextmanager
def velero(cluster: Cluster, namespaces: tuple[str, ...]) -> Iterator[str]:
    """Velero, backing these namespaces up; gives its own namespace."""
    definitions = run(
        ["velero", "install", "--crds-only", "--dry-run", "--output", "yaml"], timeout=60, check=True, keep=None
    ).stdout
    name = f"velero-test-{secrets.token_hex(3)}"
    labels = {**PRIVILEGED}
    cluster.kubectl("apply", "-f", "-", stdin=definitions)
    try:
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
        _store(cluster, name)
        _install(cluster, name, namespaces)
        yield name
    finally:
        _release_restores(cluster, name)
        cluster.helm("uninstall", "ecom", "--namespace", name, "--ignore-not-found", check=False)
        cluster.kubectl("delete", "namespace", name, "--ignore-not-found", "--timeout=180s", seconds=200)
        cluster.kubectl("delete", "--ignore-not-found", "-f", "-", stdin=definitions, seconds=120)


def _release_restores(cluster: Cluster, name: str) -> None:
    """Only a Velero that reaches its bucket lets a Restore go, and the namespace could not go before it."""
    for each in cluster.kubectl("get", "restores", "-n", name, "-o", "name", check=False).stdout.split():
        patch = '{"metadata": {"finalizers": null}}'
        cluster.kubectl("patch", each, "-n", name, "--type", "merge", "-p", patch, check=False)


def _install(cluster: Cluster, name: str, namespaces: tuple[str, ...]) -> None:
    sets = (
        f"namespaces={{{','.join(namespaces)}}}",
        f"storage.endpoint=http://{STORE}.{name}:8333",
        "storage.bucket=velero",
    )
    chosen = [part for each in sets for part in ("--set", each)]
    cluster.helm("install", "ecom", str(ROOT / "k8s" / "velero"), "--namespace", name, *chosen)
    run(
        [
            "velero", "install", "--namespace", name, "--service-account-name", "ecom-velero",
            "--image", VELERO_IMAGE, "--plugins", PLUGIN_IMAGE, "--no-default-backup-location", "--no-secret",
            "--use-volume-snapshots=false", "--use-node-agent", "--schedule-skip-immediately",
            "--disable-informer-cache", "--velero-pod-cpu-request", "20m", "--velero-pod-mem-request", "64Mi",
        ],
        timeout=120,
        check=True,
    )  # fmt: skip
    for what in ("deployment/velero", "daemonset/node-agent"):
        cluster.kubectl("rollout", "status", "-n", name, what, "--timeout=240s", seconds=250)
    eventually("the place of the backups can be reached", lambda: _available(cluster, name), 120)


def _available(cluster: Cluster, name: str) -> bool | None:
    found = cluster.get("backupstoragelocation/default", name)
    return True if (found.get("status") or {}).get("phase") == "Available" else None


def _store(cluster: Cluster, namespace: str) -> None:
    """An S3 server with an empty bucket, and Velero's key to it."""
    access, secret = "velero", secrets.token_urlsafe(18)
    identity = {"name": "velero", "credentials": [{"accessKey": access, "secretKey": secret}], "actions": ["Admin"]}
    cloud = f"[default]\naws_access_key_id={access}\naws_secret_access_key={secret}\n"
    cluster.apply(
        _secret(namespace, "velero-storage", {"cloud": cloud}),
        _secret(namespace, "velero-repo-credentials", {"repository-password": secrets.token_urlsafe(24)}),
        _secret(namespace, STORE, {"s3.json": json.dumps({"identities": [identity]})}),
        _server(namespace),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": STORE, "namespace": namespace},
            "spec": {"selector": {"app": STORE}, "ports": [{"port": 8333}]},
        },
    )
    cluster.wait_ready(namespace, STORE)
    with cluster.forward(namespace, f"service/{STORE}", 8333) as address:
        eventually("the bucket is there", lambda: _bucket(address, access, secret), 60)


def _bucket(address: str, access: str, secret: str) -> bool | None:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client(
        "s3", endpoint_url=address, aws_access_key_id=access, aws_secret_access_key=secret, region_name="us-east-1"
    )
    try:
        client.create_bucket(Bucket="velero")
        client.put_object(Bucket="velero", Key="ready", Body=b"")
        client.delete_object(Bucket="velero", Key="ready")
    except (BotoCoreError, ClientError):
        return None  # it answers before it takes writes
    return True


def _secret(namespace: str, name: str, values: Mapping[str, str]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": dict(values)}


def _server(namespace: str) -> dict[str, Any]:
    arguments = (
        "server -dir=/data -filer -s3 -s3.config=/etc/seaweedfs/s3.json -s3.port=8333 -s3.ip.bind=0.0.0.0 "
        "-s3.port.iceberg=0 -s3.port.lance=0 -ip=127.0.0.1 -ip.bind=127.0.0.1 -master.peers=none "
        "-master.telemetry=false -master.volumeSizeLimitMB=256 -volume.max=0 -volume.preStopSeconds=1"
    )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": STORE, "namespace": namespace, "labels": {"app": STORE}},
        "spec": {
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": "seaweedfs",
                    "image": os.environ.get("ECOM_TEST_SEAWEEDFS", "chrislusf/seaweedfs:latest"),
                    "imagePullPolicy": "IfNotPresent",
                    "args": arguments.split(),
                    "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8333}, "periodSeconds": 1},
                    "volumeMounts": [
                        {"name": "data", "mountPath": "/data"},
                        {"name": "configuration", "mountPath": "/etc/seaweedfs"},
                    ],
                }
            ],
            "volumes": [
                {"name": "data", "emptyDir": {"sizeLimit": "2Gi"}},
                {"name": "configuration", "secret": {"secretName": STORE}},
            ],
        },
    }
