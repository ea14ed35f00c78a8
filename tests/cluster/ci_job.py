"""A job of a pipeline, as a pod of its runner: the platform's image, an account of its own, and `ecom launch`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tests.cluster.tools import Cluster, eventually, hardened_pod

RBAC = "rbac.authorization.k8s.io"
TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"
NEEDED = [
    {"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["create", "get"]},
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"]},
]
"""All that docs/kubernetes.md asks for, in the platform's namespace."""


def kubeconfig() -> str:
    """Of a pod's own account: no secret stands in it."""
    cluster = {"server": "https://kubernetes.default.svc", "certificate-authority": f"{TOKEN}/ca.crt"}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "here", "cluster": cluster}],
            "users": [{"name": "ci", "user": {"tokenFile": f"{TOKEN}/token"}}],
            "contexts": [{"name": "here", "context": {"cluster": "here", "user": "ci"}}],
            "current-context": "here",
        }
    )


def account(runner: str, platform: str) -> list[Mapping[str, Any]]:
    """The runner's account, and its rights in the platform's namespace."""
    about = {"name": "ci", "namespace": platform}
    subjects = [{"kind": "ServiceAccount", "name": "ci", "namespace": runner}]
    role = {"apiGroup": RBAC, "kind": "Role", "name": "ci"}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "ci", "namespace": runner}},
        {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": about, "rules": NEEDED},
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": about,
            "roleRef": role,
            "subjects": subjects,
        },
    ]


def job(name: str, runner: str, image: str, arguments: Sequence[str]) -> dict[str, Any]:
    """The pod of `ecom ARGUMENTS`; its exit code is the container's."""
    command = ["ecom", "--spec", "/ci/shop.yaml", *arguments]
    pod = hardened_pod(name, runner, image, labels={"app": "ci"}, command=command)
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    spec |= {"restartPolicy": "Never", "serviceAccountName": "ci", "automountServiceAccountToken": True}
    spec["volumes"].append({"name": "ci", "configMap": {"name": "ci"}})
    del container["readinessProbe"]
    container["resources"]["limits"] = {"cpu": "1", "memory": "512Mi"}
    container["volumeMounts"].append({"name": "ci", "mountPath": "/ci", "readOnly": True})
    settings = {"KUBECONFIG": "/ci/kubeconfig", "ECOM_STATE": "/tmp/state", "HOME": "/tmp"}
    container["env"] = [{"name": key, "value": value} for key, value in settings.items()]
    return pod


def launched(
    cluster: Cluster, spec: str, platform: str, commands: Mapping[str, Sequence[str]], seconds: float
) -> dict[str, tuple[int, str]]:
    """Runs `ecom ARGUMENTS` with that spec in pods of a namespace of the runner's, all at once; then it is gone.

    platform: the platform's namespace. Gives each one's exit code and what it said.
    """
    with cluster.namespaces("ci") as names:
        runner = names["ci"]
        about, files = {"name": "ci", "namespace": runner}, {"shop.yaml": spec, "kubeconfig": kubeconfig()}
        cluster.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": about, "data": files})
        cluster.apply(*account(runner, platform))
        cluster.apply(*(job(name, runner, cluster.image("platform"), each) for name, each in commands.items()))
        return exit_codes(cluster, runner, list(commands), seconds)


def exit_codes(cluster: Cluster, runner: str, names: Sequence[str], seconds: float) -> dict[str, tuple[int, str]]:
    """Of each job, when all are over: its exit code and what it said."""

    def over() -> dict[str, int] | None:
        found = {}
        for each in cluster.get("pods", runner, "-l", "app=ci"):
            for status in each["status"].get("containerStatuses") or ():
                if ended := status["state"].get("terminated"):
                    found[each["metadata"]["name"]] = int(ended["exitCode"])
        return found if set(names) <= set(found) else None

    codes = eventually("the jobs of the pipeline end", over, seconds)
    return {name: (codes[name], cluster.kubectl("logs", name, "-n", runner).stdout) for name in names}
