"""kubectl and helm for the tests: each call is bounded, each namespace is taken away."""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
import yaml

from ecom_platform.clients.commands import Completed, run
from ecom_platform.clients.helm import program as helm_program
from ecom_platform.settings import ROOT
from tests.platforms.cluster import missing
from tests.waiting import wait_until

SCRIPTS = Path(__file__).parent / "scripts"
CHARTS = ROOT / "k8s" / "charts"
RESTRICTED = {
    "pod-security.kubernetes.io/enforce": "restricted",
    "pod-security.kubernetes.io/enforce-version": "latest",
}
Result = TypeVar("Result")


def eventually(what: str, attempt: Callable[[], Result | None], seconds: float) -> Result:
    """The first result that is not None; the test fails if there is none in that time."""
    results: list[Result] = []

    def there_is_one() -> bool:
        result = attempt()
        if result is not None:
            results.append(result)
        return bool(results)

    # A look is mostly a program that is started and asks the API server.
    wait_until(there_is_one, seconds=seconds, what=what, every=0.3)
    return results[0]


@dataclass(frozen=True)
class Cluster:
    """The cluster that KUBECONFIG names, and the images to test with."""

    repository: str
    tag: str

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True, seconds: float = 60) -> Completed:
        return run(
            ["kubectl", *arguments],
            timeout=seconds,
            check=check,
            stdin=None if stdin is None else stdin.encode(),
            keep=None,
        )

    def helm(self, *arguments: str, check: bool = True, seconds: float = 400) -> Completed:
        return run([helm_program(), *arguments], timeout=seconds, check=check, keep=None)

    def get(self, kind: str, namespace: str, *arguments: str) -> Any:
        """One object (`pod/name`) or the items of a kind, as JSON."""
        found = json.loads(self.kubectl("get", kind, "-n", namespace, "-o", "json", *arguments).stdout)
        return found["items"] if found["kind"] == "List" else found

    def apply(self, *objects: Mapping[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))

    def execute(self, namespace: str, pod: str, *command: str, stdin: str | None = None, seconds: float = 60) -> str:
        """Runs a command in a pod's first container and returns what it printed."""
        argv = ("exec", "-n", namespace, *(("-i",) if stdin is not None else ()), pod, "--", *command)
        return self.kubectl(*argv, stdin=stdin, seconds=seconds).stdout

    def script(self, namespace: str, pod: str, name: str, *arguments: str, seconds: float = 60) -> str:
        """Runs a program of scripts/ in a pod, by python or sh; it travels by standard input."""
        program = ("sh", "-s") if name.endswith(".sh") else ("python", "-")
        text = (SCRIPTS / name).read_text(encoding="utf-8")
        return self.execute(namespace, pod, *program, *arguments, stdin=text, seconds=seconds)

    def image(self, name: str) -> str:
        return f"{self.repository}/{name}:{self.tag}"

    @contextmanager
    def namespaces(self, *purposes: str, restricted: bool = True) -> Iterator[dict[str, str]]:
        """New namespaces of our own, by purpose; they and all that is in them are gone afterwards."""
        labels = RESTRICTED if restricted else {}
        names = {each: f"ecom-test-{each}-{secrets.token_hex(3)}" for each in purposes}
        for name in names.values():
            self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels)}})
        try:
            yield names
        finally:
            self.kubectl("delete", "namespace", *names.values(), "--timeout=180s", seconds=200)

    @contextmanager
    def forward(self, namespace: str, target: str, port: int) -> Iterator[str]:
        """The address on this machine (http://127.0.0.1:PORT) that leads to a Service's port."""
        import re
        import subprocess

        process = subprocess.Popen(
            ["kubectl", "port-forward", "-n", namespace, target, f":{port}", "--address", "127.0.0.1"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"127\.0\.0\.1:(\d+)", line)
            assert found, f"kubectl port-forward: {line}"
            yield f"http://127.0.0.1:{found[1]}"
        finally:
            process.terminate()
            process.wait(timeout=20)
            if process.stdout is not None:
                process.stdout.close()

    def wait_ready(self, namespace: str, *pods: str, seconds: int = 120) -> None:
        names = [f"pod/{each}" for each in pods]
        self.kubectl(
            "wait", "-n", namespace, "--for=condition=Ready", *names, f"--timeout={seconds}s", seconds=seconds + 10
        )

    def install(self, chart: str, release: str, namespace: str, sets: Sequence[str], *arguments: str) -> None:
        """`helm upgrade --install` and wait until all is ready."""
        chosen = [part for each in sets for part in ("--set-string" if ".tag=" in each else "--set", each)]
        done = self.helm(
            "upgrade", release, str(CHARTS / chart), "--install", "--namespace", namespace,
            "--wait", "--timeout", "5m", *chosen, *arguments, check=False,
        )  # fmt: skip
        if done.code != 0:
            pytest.fail(f"helm: {done.stderr}\n{self.state(namespace)}")

    def state(self, namespace: str) -> str:
        """What a person would look at first: pods, and the newest events."""
        pods = self.kubectl("get", "pods", "-n", namespace, "-o", "wide", check=False).stdout
        events = self.kubectl("get", "events", "-n", namespace, "--sort-by=.lastTimestamp", check=False).stdout
        return f"{pods}\n{events[-3000:]}"


def open_cluster() -> Cluster:
    """The cluster to test on; the reason is told where something is missing."""
    for program in ("kubectl", helm_program()):
        if shutil.which(program) is None:
            missing(f"{program} is not on PATH")
    if not os.environ.get("KUBECONFIG"):
        missing("KUBECONFIG names no cluster")
    tag = os.environ.get("ECOM_TEST_TAG", "")
    if not tag:
        missing("ECOM_TEST_TAG does not say which images to test: build some with k8s/images/build")
    cluster = Cluster(os.environ.get("ECOM_TEST_REPOSITORY", "ecom"), tag)
    cluster.kubectl("version", "-o", "json", seconds=20)
    return cluster


def hardened_pod(
    name: str, namespace: str, image: str, *, labels: Mapping[str, str], command: Sequence[str]
) -> dict[str, Any]:
    """A small pod that `restricted` admits. It is never ready, so that no Service sends it anything."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "runAsGroup": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "probe",
                    "image": image,
                    "command": list(command),
                    "readinessProbe": {"exec": {"command": ["false"]}, "periodSeconds": 3600},
                    "resources": {
                        "requests": {"cpu": "5m", "memory": "24Mi"},
                        "limits": {"cpu": "500m", "memory": "96Mi"},
                    },
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                }
            ],
            "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "16Mi"}}],
        },
    }
