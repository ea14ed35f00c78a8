"""What Velero's objects and a namespace's pods say, as small values. Pure: it parses, and neither reads nor judges."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ecom_platform.spec import duration

Object = Mapping[str, Any]

BACKUP_LABEL = "velero.io/backup-name"
RESTORE_LABEL = "velero.io/restore-name"
_CLAIM = "velero.io/pvc-name"

_ERROR = re.compile(r'level=error msg="((?:[^"\\]|\\.)*)"')

ENDED = frozenset({"Completed", "PartiallyFailed", "Failed", "FailedValidation"})
"""The phases of Backups and Restores that do not change any more."""


@dataclass(frozen=True)
class Work:
    """A Backup or a Restore. phase: Velero's own word, empty before it has seen the object."""

    name: str
    phase: str
    errors: int
    warnings: int
    reason: str
    started: str = ""

    @property
    def ended(self) -> bool:
        return self.phase in ENDED


@dataclass(frozen=True)
class Item:
    """The copy of one volume. claim: empty for a volume of a pod that no claim stands behind."""

    claim: str
    pod: str
    volume: str
    way: str
    phase: str
    message: str
    bytes: int


@dataclass(frozen=True)
class Plan:
    """A Schedule. keep_seconds: how long its backups stay. last: when it last made one, empty for never."""

    name: str
    namespaces: tuple[str, ...]
    phase: str
    paused: bool
    keep_seconds: float
    cron: str
    made: str
    last: str


def work(found: Object) -> Work:
    status = found.get("status") or {}
    reasons = [status.get("failureReason") or "", *(status.get("validationErrors") or ())]
    return Work(
        found["metadata"]["name"],
        status.get("phase") or "",
        int(status.get("errors") or 0),
        int(status.get("warnings") or 0),
        "; ".join(each for each in reasons if each)[:500],
        status.get("startTimestamp") or "",
    )


def errors_of(log: str, name: str) -> str:
    """The errors that Velero's log has of one Backup or Restore; the object itself only counts them."""
    said = [found[1] for line in log.splitlines() if name in line and (found := _ERROR.search(line))]
    return "; ".join(dict.fromkeys(said))[:800]


def items(pod_volumes: Iterable[Object], uploads: Iterable[Object], namespace: str) -> list[Item]:
    """The copies of one namespace's volumes: by files (PodVolumeBackups), and moved snapshots (DataUploads).

    A snapshot that was not moved lies in the storage that it is to survive, and is no copy.
    """
    return [
        *(_by_files(each) for each in pod_volumes if each["spec"]["pod"].get("namespace") == namespace),
        *(_moved(each) for each in uploads if each["spec"].get("sourceNamespace") == namespace),
    ]


def _by_files(found: Object) -> Item:
    status, spec = found.get("status") or {}, found["spec"]
    claim = (found["metadata"].get("annotations") or {}).get(_CLAIM, "")
    return Item(claim, spec["pod"].get("name", ""), spec.get("volume", ""), "copied by files", *_progress(status))


def _moved(found: Object) -> Item:
    claim = found["spec"].get("sourcePVC", "")
    return Item(claim, "", claim, "moved snapshot", *_progress(found.get("status") or {}))


def _progress(status: Object) -> tuple[str, str, int]:
    done = (status.get("progress") or {}).get("bytesDone") or 0
    return status.get("phase") or "", str(status.get("message") or "")[:300], int(done)


def plan(found: Object) -> Plan:
    spec, status = found["spec"], found.get("status") or {}
    template = spec.get("template") or {}
    return Plan(
        found["metadata"]["name"],
        tuple(template.get("includedNamespaces") or ("*",)),
        status.get("phase") or "",
        bool(spec.get("paused")),
        go_duration(template.get("ttl") or "720h0m0s"),
        spec.get("schedule", ""),
        found["metadata"].get("creationTimestamp") or "",
        status.get("lastBackup") or "",
    )


def go_duration(text: str) -> float:
    """Seconds of a duration as Go writes it (720h0m0s). Raises ValueError."""
    seconds, number = 0.0, ""
    for letter in text:
        if letter.isdigit() or letter == ".":
            number += letter
        else:
            seconds += duration(f"{number}{letter}").total_seconds()
            number = ""
    if number:
        raise ValueError(f"{text!r} is no duration")
    return seconds


def host_folders(pods: Iterable[Object]) -> list[str]:
    """POD/VOLUME for each folder of a node that a pod uses directly: Velero never copies these."""
    return sorted(
        f"{pod['metadata']['name']}/{volume['name']}"
        for pod in pods
        for volume in pod["spec"].get("volumes") or ()
        if "hostPath" in volume
    )
