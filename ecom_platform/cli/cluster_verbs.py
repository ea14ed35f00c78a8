"""`ecom up | down | status | logs | reset` for a shop in Kubernetes, by the kubeconfig."""

from __future__ import annotations

import json
import sys

import click

from ecom_platform.cli.context import Context
from ecom_platform.clients.kubernetes_api import Object
from ecom_platform.errors import MissingError
from ecom_platform.platforms.kubernetes import KubernetesPlatform
from ecom_platform.platforms.kubernetes.rollout import ready


def in_cluster(context: Context) -> bool:
    return context.shop.platform == "kubernetes"


def platform_of(context: Context) -> KubernetesPlatform:
    platform = context.platform
    assert isinstance(platform, KubernetesPlatform)
    return platform


def places(platform: KubernetesPlatform) -> dict[str, str]:
    """Where people and programs find things."""
    names, door = platform.names, platform.shop.front_door.name
    context = f" --context {names.context}" if names.context else ""
    port = platform.cluster.read("services", door, names.namespace)["spec"]["ports"][0]["port"]
    return {
        "namespace": names.namespace,
        "shop": f"http://{door}.{names.namespace}:{port} (inside the cluster)",
        "from here": f"kubectl{context} -n {names.namespace} port-forward service/{door} 8080:{port}",
        **({"dagster": _dagster(platform, context)} if platform.operated_inside else {}),
        "state": str(platform.layout.state),
    }


def _dagster(platform: KubernetesPlatform, context: str) -> str:
    where = platform.names.platform_namespace
    return f"kubectl{context} -n {where} port-forward service/webserver 3000:80, then http://127.0.0.1:3000"


def take_down(context: Context) -> None:
    """Uninstall the releases."""
    platform = platform_of(context)
    platform.down()
    names = platform.names
    gone = f"{names.release} and {names.platform_release}" if platform.operated_inside else names.release
    click.echo(f"gone: {gone}; volumes (the database, managed stores) and passwords are left in {names.namespace}")


def show_status(context: Context, *, as_json: bool) -> None:
    """Every pod of the shop and the platform; exit code 1 if one is not ready."""
    platform = platform_of(context)
    pods = platform.cluster.list("pods", platform.names.namespace, labels="app.kubernetes.io/name=shop")
    pods += platform.installation.pods() if platform.operated_inside else []
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
    names = platform.names
    managed = [name for name, each in context.shop.stores.items() if each.managed and platform.operated_inside]
    stay = f" and the backups in the store {', '.join(managed)}" if managed else "; the backups stay"
    click.echo(f"removes the namespaces {names.namespace} and {names.platform_namespace} with the database{stay}")
    if not yes:
        click.confirm("Remove all that?", abort=True)
    platform.reset()
