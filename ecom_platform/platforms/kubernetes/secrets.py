"""The passwords of the shop's database: made once in the namespace, as Secrets, and read from there. Never printed."""

from __future__ import annotations

import base64
from typing import Literal

from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.errors import BusyError, MissingError
from ecom_platform.platforms.kubernetes.names import DATABASE, DATABASE_PORT, MANAGED, Names
from ecom_platform.platforms.local.secrets import password

Role = Literal["superuser", "owner", "app", "backup"]
ROLES: tuple[Role, ...] = ("superuser", "owner", "app", "backup")


def ensure(cluster: Cluster, names: Names, database: str) -> list[str]:
    """Make the Secrets that are not there; those that are stay as they are. Gives the names of the new ones."""
    made = []
    for role in ROLES:
        name = names.secret(role)
        if cluster.find("secrets", name, names.namespace) is None and _create(cluster, names, role, database):
            made.append(name)
    return made


def _create(cluster: Cluster, names: Names, role: Role, database: str) -> bool:
    new = password()
    content = {"password": new}
    if role != "superuser":
        content["url"] = f"postgresql://{user(role)}:{new}@{DATABASE}:{DATABASE_PORT}/{database}"
    secret: Object = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": names.secret(role), "labels": dict(MANAGED)},
        "type": "Opaque",
        "stringData": content,
    }
    try:
        cluster.create("secrets", secret, names.namespace)
    except BusyError:
        return False  # somebody else was first; theirs counts
    return True


def user(role: Role) -> str:
    """The database role's name, as the chart's values have it."""
    return "postgres" if role == "superuser" else f"shop_{role}"


def read_password(cluster: Cluster, names: Names, role: Role) -> str:
    """Raises MissingError if the Secret has none."""
    content = cluster.read("secrets", names.secret(role), names.namespace).get("data") or {}
    if "password" not in content:
        raise MissingError(f"read the Secret {names.secret(role)}", "it has no key `password`")
    return base64.b64decode(content["password"]).decode()
