"""The Secrets of the platform's own namespace. What only the cluster needs is made there once; what the spec names
is brought up to date. Never printed, in no argument and in no value of a chart.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.errors import BusyError, MissingError
from ecom_platform.platforms.kubernetes import secrets as shop_secrets
from ecom_platform.platforms.kubernetes.inside import (
    IDENTITY,
    IN_RUNS,
    ROLES,
    SIGNING_KEY,
    references,
)
from ecom_platform.platforms.kubernetes.names import MANAGED, Names
from ecom_platform.platforms.kubernetes.platform_values import DATABASE_KEY, DATABASE_SECRET, SEAWEEDFS_SECRET
from ecom_platform.platforms.local.seaweedfs import ADDER
from ecom_platform.platforms.local.secrets import kept, password
from ecom_platform.platforms.run_secrets import SECRETS, Use
from ecom_platform.secret_values import resolve
from ecom_platform.spec import Shop

REMOVER = "ecom"
ACCESS_KEY, SECRET_KEY = "managed-access-key", "managed-secret-key"
"""Of the chart's own S3 server, in the Secret of the stores; they can add and not remove."""


def ensure(cluster: Cluster, names: Names, shop: Shop, own: Mapping[Use, Mapping[str, str]]) -> None:
    """own: contents that the platform's side knows: the signing key and the identity."""
    _once(cluster, names, DATABASE_SECRET, lambda: {DATABASE_KEY: password()})
    given = {
        use: {key: resolve(each, f"{use} {key}") for key, each in found.items()}
        for use, found in references(shop).items()
    }
    wanted: dict[Use, dict[str, str]] = {use: {**given.get(use, {}), **own.get(use, {})} for use in SECRETS}
    wanted["database"] |= _role_passwords(cluster, names, shop)
    if any(each.managed for each in shop.stores.values()):
        wanted["stores"] |= _seaweedfs_keys(cluster, names)
    for use, content in wanted.items():
        if content or use in IN_RUNS:
            _up_to_date(cluster, names, SECRETS[use], content)


def _role_passwords(cluster: Cluster, names: Names, shop: Shop) -> dict[str, str]:
    return {
        f"{each.name}-{role}": shop_secrets.read_password(cluster, names, role)
        for each in shop.databases
        if each.managed
        for role in ROLES
    }


def _seaweedfs_keys(cluster: Cluster, names: Names) -> dict[str, str]:
    """Of the S3 server's own keys, made once with its configuration, those that add and do not remove."""
    _once(cluster, names, SEAWEEDFS_SECRET, _seaweedfs)
    return dict(zip((ACCESS_KEY, SECRET_KEY), managed_keys(cluster, names, removing=False), strict=True))


def _seaweedfs() -> dict[str, str]:
    every = ["Read", "Write", "List", "Tagging"]
    identities = [
        {
            "name": name,
            "credentials": [{"accessKey": f"ecom{password()[:16]}", "secretKey": password()}],
            "actions": actions,
        }
        for name, actions in ((REMOVER, ["Admin", *every]), (ADDER, every))
    ]
    tokens = ("jwt.signing", "jwt.signing.read", "jwt.filer_signing", "jwt.filer_signing.read")
    security = "".join(f'[{each}]\nkey = "{password()}"\n' for each in tokens)
    return {"s3.json": json.dumps({"identities": identities}), "security.toml": security}


def kept_alike(path: Path, cluster: Cluster, names: Names, use: Use, key: str) -> None:
    """A key of the cluster's Secret, also in the file, if the file is not there: whoever loses the cluster, or
    operates it from another machine, has the same key.
    """
    content = {} if path.exists() else read(cluster, names, SECRETS[use])
    if key in content:
        kept(path, lambda: content[key].splitlines()[0])


def keys_of(signing_key: Path, identities: str) -> dict[Use, dict[str, str]]:
    """What of the state folder goes into the cluster."""
    opened: dict[str, str] = {IDENTITY: identities} if identities else {}
    return {"signing": {SIGNING_KEY: signing_key.read_text(encoding="utf-8").strip()}, "identity": opened}


def read(cluster: Cluster, names: Names, name: str) -> dict[str, str]:
    """The Secret's content; empty if there is none."""
    found = cluster.find("secrets", name, names.platform_namespace)
    return {key: base64.b64decode(each).decode() for key, each in ((found or {}).get("data") or {}).items()}


def managed_keys(cluster: Cluster, names: Names, *, removing: bool) -> tuple[str, str]:
    """Access key and secret key of the chart's S3 server: of who makes buckets and removes, or of who only adds.

    Raises MissingError before they were made.
    """
    content = read(cluster, names, SEAWEEDFS_SECRET)
    if not content:
        raise MissingError("read the keys of the managed store", "they are not there", "Run `ecom up`.")
    wanted = REMOVER if removing else ADDER
    identity = next(each for each in json.loads(content["s3.json"])["identities"] if each["name"] == wanted)
    (pair,) = identity["credentials"]
    return pair["accessKey"], pair["secretKey"]


def _once(cluster: Cluster, names: Names, name: str, make: Callable[[], dict[str, str]]) -> dict[str, str]:
    """The Secret's content; made first if there is none."""
    if not read(cluster, names, name):
        with suppress(BusyError):  # somebody else was first; theirs counts
            cluster.create("secrets", _secret(name, make()), names.platform_namespace)
    return read(cluster, names, name)


def _up_to_date(cluster: Cluster, names: Names, name: str, content: Mapping[str, str]) -> None:
    if cluster.find("secrets", name, names.platform_namespace) is None:
        cluster.create("secrets", _secret(name, content), names.platform_namespace)
    elif read(cluster, names, name) != dict(content):
        data: dict[str, str | None] = dict.fromkeys(read(cluster, names, name))
        data |= {key: base64.b64encode(value.encode()).decode() for key, value in content.items()}
        cluster.patch("secrets", name, {"data": data}, names.platform_namespace)


def _secret(name: str, content: Mapping[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "labels": dict(MANAGED)},
        "type": "Opaque",
        "stringData": dict(content),
    }
