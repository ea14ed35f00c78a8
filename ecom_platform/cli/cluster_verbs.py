"""`ecom up | down | status | logs | reset` for a shop in Kubernetes, by the kubeconfig."""

from __future__ import annotations

import json
import sys
import time

import click

from ecom_platform.cli.context import Context
from ecom_platform.cli.runs import run_job
from ecom_platform.clients.kubernetes_api import Object
from ecom_platform.errors import MissingError, PreflightError
from ecom_platform.platforms.kubernetes import KubernetesPlatform
from ecom_platform.platforms.kubernetes.rollout import ready
from ecom_platform.verdicts import Outcome

JOBS = ("deploy", "validate", "backup")
"""What `ecom up` runs after the installation, in this order."""


def in_cluster(context: Context) -> bool:
    return context.shop.platform == "kubernetes"


def platform_of(context: Context) -> KubernetesPlatform:
    platform = context.platform
    assert isinstance(platform, KubernetesPlatform)
    return platform


def bring_up(context: Context) -> None:
    """Look at the cluster, install what is not there, deploy, validate, take the first backup, say where things are.

    Each step does nothing where it is done already, so an interrupted one goes on where it was.
    """
    from ecom_platform.validation.cluster import examine

    platform, began = platform_of(context), time.monotonic()
    missing = [each for each in examine(platform) if each.outcome is not Outcome.PASSED]
    if missing:
        told = "\n".join(f"  {each}" for each in missing)
        raise PreflightError(f"bring the shop {context.shop.shop} to the cluster", f"it lacks\n{told}", "Mend that.")
    _say("cluster", "has what is needed", began)
    new = platform.install()
    _say("release", "installed" if new else "is there already", began)
    for job in JOBS:
        if context.shop.databases or job != "backup":
            code = run_job(context, job)
            _say(job, "done" if code == 0 else "FAILED", began)
            if code != 0:
                sys.exit(code)
    for name, place in places(platform).items():
        click.echo(f"{name:<12} {place}")


def _say(name: str, what: str, began: float) -> None:
    click.echo(click.style(f"  {name:<28} {what} after {time.monotonic() - began:.0f} s", dim=True), err=True)


def places(platform: KubernetesPlatform) -> dict[str, str]:
    """Where people and programs find things."""
    names, door = platform.names, platform.shop.front_door.name
    context = f" --context {names.context}" if names.context else ""
    port = platform.cluster.read("services", door, names.namespace)["spec"]["ports"][0]["port"]
    return {
        "namespace": names.namespace,
        "shop": f"http://{door}.{names.namespace}:{port} (inside the cluster)",
        "from here": f"kubectl{context} -n {names.namespace} port-forward service/{door} 8080:{port}",
        "state": str(platform.layout.state),
    }


def take_down(context: Context) -> None:
    """Uninstall the release."""
    platform = platform_of(context)
    platform.down()
    names = platform.names
    click.echo(f"release {names.release} is gone; the database's volume and passwords are left in {names.namespace}")


def show_status(context: Context, *, as_json: bool) -> None:
    """Every pod of the shop; exit code 1 if one is not ready."""
    platform = platform_of(context)
    pods = platform.cluster.list("pods", platform.names.namespace, labels="app.kubernetes.io/name=shop")
    rows = [_row(each) for each in pods if each["status"].get("phase") != "Succeeded"]
    if as_json:
        click.echo(json.dumps({"shop": context.shop.shop, "parts": rows}, indent=2))
    else:
        for row in rows:
            click.echo(f"{row['name']:<44} {row['state']:<10} {row['restarts']:>3} restarts  {row['node']}")
    sys.exit(0 if rows and all(row["state"] == "ready" for row in rows) else 1)


def _row(pod: Object) -> dict[str, object]:
    status = pod["status"]
    return {
        "name": pod["metadata"]["name"],
        "state": "ready" if ready(pod) else str(status.get("phase", "")).lower(),
        "restarts": sum(each.get("restartCount", 0) for each in status.get("containerStatuses") or ()),
        "node": pod["spec"].get("nodeName", ""),
    }


def log_of(context: Context, name: str, lines: int) -> str:
    """The end of the log of a pod, or of those of a service's live colour."""
    platform = platform_of(context)
    for service in context.shop.services:
        colour = platform.live_colour(service)
        if service.name == name and colour:
            return platform.logs(service, colour, lines)
    if platform.cluster.find("pods", name, platform.names.namespace) is None:
        raise MissingError(f"read the log of {name}", "there is no such pod or service", "See `ecom status`.")
    return platform.cluster.logs(name, platform.names.namespace, lines=lines)


def remove_all(context: Context, *, yes: bool) -> None:
    """Uninstall, and remove the namespaces with the database."""
    platform = platform_of(context)
    click.echo(f"removes the namespace {platform.names.namespace} with the shop's database; the backups stay")
    if not yes:
        click.confirm("Remove all that?", abort=True)
    platform.reset()
