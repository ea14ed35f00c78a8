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
    """Make the Secrets that are not there; those that are stay as they are. Gives the names of the new ones.

    Of a database in another namespace they say what its own Secrets say, and its superuser stays there.
    """
    made = []
    for role in ROLES if names.database_namespace == names.namespace else ROLES[1:]:
        name = names.secret(role)
        if cluster.find("secrets", name, names.namespace) is None and _create(cluster, names, role, database):
            made.append(name)
    return made


def _create(cluster: Cluster, names: Names, role: Role, database: str) -> bool:
    elsewhere = names.database_namespace != names.namespace
    known = read_password(cluster, names, role) if elsewhere else password()
    content = {"password": known}
    if role != "superuser":
        host = f"{DATABASE}.{names.database_namespace}" if elsewhere else DATABASE
        content["url"] = f"postgresql://{user(role)}:{known}@{host}:{DATABASE_PORT}/{database}"
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
    content = cluster.read("secrets", names.secret(role), names.database_namespace).get("data") or {}
    if "password" not in content:
        raise MissingError(f"read the Secret {names.secret(role)}", "it has no key `password`")
    return base64.b64decode(content["password"]).decode()
