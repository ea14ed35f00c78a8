"""What a namespace held when it was backed up: objects, volumes, databases. A value that lies beside the Backup.

Goes here: the value and its form as a ConfigMap. Not here: reading it from a cluster (looking.py).
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ecom_platform.errors import CorruptBackup, RefusedError
from ecom_platform.platforms.kubernetes.names import MANAGED
from ecom_platform.velero.facts import BACKUP_LABEL

ALGORITHM = 1
"""Changes with anything that gives the same namespace other evidence."""

_KEY = "evidence.json.gz"
_LARGEST_BYTES = 900_000
"""A ConfigMap holds 1 MiB, its own fields included."""


class Moment(BaseModel):
    """One look at a namespace.

    objects: documents by KIND/NAME, without run-time state; Secrets with keyed digests in place of values.
    contents: digest of the files of each claim, empty if they could not be read; without a database's own claim.
    databases: fingerprints by name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    objects: Mapping[str, Any]
    contents: Mapping[str, str]
    databases: Mapping[str, Any]


class Evidence(BaseModel):
    """before, after: the backup; the same where it was looked at only once. at_backup: false where it was looked at
    later, so that a difference may be a change since.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    algorithm: int = ALGORITHM
    namespace: str
    claims: tuple[str, ...]
    folders: tuple[str, ...]
    before: Moment
    after: Moment
    at_backup: bool = True


def config_map_name(backup: str) -> str:
    return f"ecom-evidence-{backup}"


def as_config_map(evidence: Evidence, backup: Mapping[str, Any]) -> dict[str, Any]:
    """It goes when the Backup goes. Raises RefusedError if it is too large to be kept there."""
    packed = base64.b64encode(gzip.compress(evidence.model_dump_json().encode(), mtime=0)).decode()
    name = backup["metadata"]["name"]
    if len(packed) > _LARGEST_BYTES:
        raise RefusedError(
            f"keep the evidence for the backup {name}",
            f"it has {len(packed):,} bytes and a ConfigMap holds {_LARGEST_BYTES:,}",
            "Part the namespace, or leave its database to the platform's own backups.",
        )
    owner = {"apiVersion": backup["apiVersion"], "kind": backup["kind"], "name": name, "uid": backup["metadata"]["uid"]}
    metadata = {"name": config_map_name(name), "labels": {**MANAGED, BACKUP_LABEL: name}, "ownerReferences": [owner]}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "immutable": True,
        "binaryData": {_KEY: packed},
    }


def from_config_map(found: Mapping[str, Any]) -> Evidence:
    """Raises CorruptBackup if it cannot be read."""
    try:
        packed = base64.b64decode(found["binaryData"][_KEY])
        return Evidence.model_validate_json(gzip.decompress(packed))
    except (KeyError, OSError, ValueError, ValidationError) as error:
        name = found.get("metadata", {}).get("name")
        raise CorruptBackup(f"read the evidence {name}", f"{type(error).__name__}: {error}"[:300]) from error
