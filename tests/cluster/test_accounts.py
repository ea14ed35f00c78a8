"""The platform's accounts, with their real tokens: each may do its work, and is refused all else."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.cluster.conftest import Release
from tests.cluster.tools import Cluster

CHANGE = ("patch", "--type=merge", "-p")
DRY = "--dry-run=server"
SELECTOR = '{"spec":{"selector":{"ecom/colour":"blue"}}}'
SCALE = '{"spec":{"replicas":1}}'
ALLOWED = {
    "run: look at the shop's pods": ("run", "shop", ("get", "pods")),
    "run: look at the shop's rollouts": ("run", "shop", ("get", "deployments,replicasets,statefulsets")),
    "run: look at the shop's addresses": ("run", "shop", ("get", "services,endpointslices.discovery.k8s.io")),
    "run: look at what happened": ("run", "shop", ("get", "events")),
    "run: read the shop's logs": ("run", "shop", ("logs", "deployment/backend-blue", "--tail=1")),
    "run: switch": ("run", "shop", (*CHANGE, SELECTOR, "service", "frontend", DRY)),
    "run: scale": ("run", "shop", (*CHANGE, SCALE, "--subresource=scale", "deployment", "backend-blue", DRY)),
    "run: a command in the shop": ("run", "shop", ("exec", "deployment/backend-blue", "--", "true")),
    "run: see its step pods": ("run", "platform", ("get", "pods")),
    "daemon: see pods": ("daemon", "platform", ("get", "pods")),
    "daemon: see why": ("daemon", "platform", ("get", "events")),
}  # fmt: skip
FORBIDDEN = {
    "run: the shop's secrets": ("run", "shop", ("get", "secrets")),
    "run: one secret of the shop": ("run", "shop", ("get", "secret", "shop-database-owner")),
    "run: the platform's secrets": ("run", "platform", ("get", "secrets")),
    "run: the identity": ("run", "platform", ("get", "secret", "ecom-identity")),
    "run: secrets elsewhere": ("run", "kube-system", ("get", "secrets")),
    "run: pods elsewhere": ("run", "kube-system", ("get", "pods")),
    "run: all namespaces": ("run", "shop", ("get", "namespaces")),
    "run: nodes": ("run", "shop", ("get", "nodes")),
    "run: make a Role": ("run", "shop", ("create", "role", "mine", "--verb=get", "--resource=secrets", DRY)),
    "run: bind a Role": ("run", "platform", ("create", "rolebinding", "me", "--role=daemon", "--user=me", DRY)),
    "run: a command outside the shop": ("run", "platform", ("exec", "deployment/daemon", "--", "true")),
    "run: another Service": ("run", "shop", (*CHANGE, SELECTOR, "service", "database", DRY)),
    "run: the database's set": ("run", "shop", (*CHANGE, SCALE, "statefulset", "database", DRY)),
    "run: take the walls down": ("run", "shop", ("delete", "networkpolicy", "default-deny", DRY)),
    "run: take a pod away": ("run", "shop", ("delete", "pod", "database-0", DRY)),
    "run: make a secret": ("run", "shop", ("create", "secret", "generic", "mine", DRY)),
    "run: another account's token": ("run", "platform", ("create", "token", "daemon")),
    "daemon: the shop": ("daemon", "shop", ("get", "pods")),
    "daemon: secrets": ("daemon", "platform", ("get", "secrets")),
    "daemon: commands": ("daemon", "platform", ("exec", "deployment/webserver", "--", "true")),
    "webserver: anything": ("webserver", "platform", ("get", "pods")),
    "code-location: anything": ("code-location", "platform", ("get", "pods")),
}  # fmt: skip


@pytest.fixture(scope="module")
def accounts(cluster: Cluster, platform: Release, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A kubeconfig for each account that holds its own token and nothing of the caller's."""
    folder = tmp_path_factory.mktemp("accounts")
    view = json.loads(cluster.kubectl("config", "view", "--raw", "--minify", "-o", "json").stdout)
    found = {}
    for account in ("run", "daemon", "webserver", "code-location"):
        token = cluster.kubectl("create", "token", account, "-n", platform.namespace, "--duration=20m").stdout.strip()
        user = [{"name": view["users"][0]["name"], "user": {"token": token}}]
        path = folder / f"{account}.yaml"
        path.touch(mode=0o600)
        path.write_text(yaml.safe_dump({**view, "users": user}), encoding="utf-8")
        found[account] = str(path)
    return found


def act(
    cluster: Cluster, accounts: dict[str, str], namespaces: dict[str, str], deed: tuple[str, str, tuple[str, ...]]
) -> tuple[int, str]:
    """Does the deed as that account; the exit code and what was said."""
    account, where, command = deed
    kubeconfig = ("--kubeconfig", accounts[account], "-n", namespaces.get(where, where))
    done = cluster.kubectl(*kubeconfig, *command, check=False)
    return done.code, done.stderr


@pytest.mark.parametrize("deed", ALLOWED)
def test_an_account_may_do_its_work(
    cluster: Cluster, accounts: dict[str, str], namespaces: dict[str, str], deed: str
) -> None:
    code, said = act(cluster, accounts, namespaces, ALLOWED[deed])
    assert code == 0, said


@pytest.mark.parametrize("deed", FORBIDDEN)
def test_an_account_may_not_do_more(
    cluster: Cluster, accounts: dict[str, str], namespaces: dict[str, str], deed: str
) -> None:
    code, said = act(cluster, accounts, namespaces, FORBIDDEN[deed])
    assert code != 0
    assert "Forbidden" in said or "forbidden" in said
