"""Proves a backup of Velero: restored into scratch namespaces, and compared with what the source held.

In two steps. First the objects, where no pod is admitted, so that nothing is done by them. Then the volumes and the
pods that use them, where nothing but each other can be reached: a restored shop must not sell.
"""

from __future__ import annotations

import json
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from ecom_platform.backup import compare, fingerprints
from ecom_platform.backup.signing import ensure_signing_key
from ecom_platform.clients.kubernetes_api import Object
from ecom_platform.clients.kubernetes_kinds import VELERO_API
from ecom_platform.errors import BusyError
from ecom_platform.platforms.kubernetes import secrets as passwords
from ecom_platform.platforms.kubernetes.names import MANAGED
from ecom_platform.platforms.kubernetes.rollout import POLL_SECONDS, refuse_troubled_pods
from ecom_platform.platforms.protocol import Platform
from ecom_platform.records import Findings, Record
from ecom_platform.spec import Shop
from ecom_platform.velero import facts, judge, looking
from ecom_platform.velero.evidence import Evidence
from ecom_platform.velero.scratch import Scratch
from ecom_platform.velero.taking import Place, Progress, choose, known, looked_at_now, place_of
from ecom_platform.verdicts import Verdict, failed, holds, inconclusive

CHECKS = {
    "volumes": "every volume of the namespace is in the backup; one that Velero left out is named",
    "restored": "Velero restored objects and volumes without an error",
    "objects": "every object came back as it was, without run-time state",
    "content": "the files of every volume and every value of the database came back",
    "cleaned_up": "the scratch namespaces and the restores are gone",
}
START_SECONDS = 300.0
"""From the restored volumes to pods that run on them, a database's recovery included."""

_PLACING = "ecom-scratch-pods"
_NOT_AS_OBJECTS = (
    "pods",
    "replicasets.apps",
    "jobs.batch",
    "persistentvolumeclaims",
    "persistentvolumes",
    "ingresses.networking.k8s.io",
    "events",
    "endpoints",
    "endpointslices.discovery.k8s.io",
    "controllerrevisions.apps",
)
_WITH_DATA = (
    "pods",
    "persistentvolumeclaims",
    "persistentvolumes",
    "secrets",
    "configmaps",
    "serviceaccounts",
    "services",
)


@dataclass(frozen=True)
class VeleroProof(Record):
    """A backup of Velero that was restored and compared. seconds by phase."""

    snapshot: str
    namespace: str
    objects: int
    claims: int
    rows: int
    snapshot_timestamp: float
    total_seconds: float
    objects_seconds: float
    data_seconds: float


@dataclass
class _Found:
    """Verdicts by check, as they come in."""

    verdicts: dict[str, list[Verdict]] = field(default_factory=dict)

    def add(self, check: str, *more: Verdict) -> None:
        self.verdicts.setdefault(check, []).extend(more)


def prove(
    platform: Platform, shop: Shop, namespace: str, *, backup: str, progress: Progress
) -> tuple[Findings, VeleroProof]:
    """Verdicts for CHECKS. backup: a name, or `latest`."""
    place = place_of(platform, shop, namespace)
    scratch = Scratch(place.cluster, place.velero.namespace, shop.shop, namespace)
    for each in scratch.sweep():
        progress(f"took away {each}, which an earlier proof left")
    chosen = facts.work(choose(place, backup))
    progress(f"proving {chosen.name}")
    seen = known(place, chosen.name) or looked_at_now(place)
    found = _Found()
    found.add(
        "volumes",
        judge.completed(chosen),
        *judge.volumes(seen.claims, seen.folders, place.items(chosen.name), place.velero.disposable),
    )
    began = time.monotonic()
    _prove_objects(place, scratch, chosen.name, seen, found)
    middle = time.monotonic()
    if all(each.passed for each in found.verdicts["volumes"]):
        _prove_data(place, scratch, chosen.name, seen, found)
    else:
        # Its pods would start with a volume that is missing, or on the very folder that the live ones use.
        found.add("content", inconclusive("the content came back", "not restored: a volume is not in the backup"))
    ended = time.monotonic()
    left = scratch.left()
    found.add("cleaned_up", holds("nothing is left of the proof", not left, ", ".join(left) or "gone"))
    rows = sum(fingerprints.read(each).rows for each in seen.before.databases.values())
    record = VeleroProof(
        chosen.name,
        namespace,
        len(seen.before.objects),
        len(seen.claims),
        rows,
        _timestamp(chosen.started),
        round(ended - began, 3),
        round(middle - began, 3),
        round(ended - middle, 3),
    )
    return Findings(found.verdicts), record


def _timestamp(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp() if text else 0.0


def _restore(place: Place, scratch: Scratch, backup: str, into: str, **what: Any) -> facts.Work:
    body: Object = {
        "apiVersion": VELERO_API,
        "kind": "Restore",
        "metadata": {"name": f"{into}-{secrets.token_hex(2)}", "labels": scratch.labels},
        "spec": {
            "backupName": backup,
            "includedNamespaces": [place.namespace],
            "namespaceMapping": {place.namespace: into},
            **what,
        },
    }
    made = place.cluster.create("restores", body, place.velero.namespace)
    return place.wait("restores", made["metadata"]["name"])


def _prove_objects(place: Place, scratch: Scratch, backup: str, seen: Evidence, found: _Found) -> None:
    with scratch.namespace(runs=False) as into:
        done = _restore(
            place, scratch, backup, into, excludedResources=list(_NOT_AS_OBJECTS), includeClusterResources=False
        )
        found.add("restored", judge.restored(done))
        key = ensure_signing_key(place.platform.signing_key())
        came = _without_claims(looking.all_objects(place.cluster, into, key, called=place.namespace))
    verdicts = judge.objects(_without_claims(seen.before.objects), _without_claims(seen.after.objects), came)
    found.add("objects", *_certain(seen, verdicts))


def _without_claims(objects: Any) -> dict[str, object]:
    return {name: it for name, it in objects.items() if not name.startswith(f"{looking.CLAIM_KIND}/")}


def _certain(seen: Evidence, verdicts: list[Verdict]) -> list[Verdict]:
    """A difference from a source that was looked at later may be a change since, and then says nothing."""
    if seen.at_backup:
        return verdicts
    why = "no evidence was taken with this backup, and the source may have changed since"
    return [each if each.passed else inconclusive(each.claim, f"{each.seen}; {why}") for each in verdicts]


def _prove_data(place: Place, scratch: Scratch, backup: str, seen: Evidence, found: _Found) -> None:
    if not seen.claims:
        found.add("content", holds("the content came back", True, "there are no volumes"))
        return
    with scratch.namespace(runs=True) as into:
        done = _restore(
            place,
            scratch,
            backup,
            into,
            includedResources=list(_WITH_DATA),
            restorePVs=True,
            resourceModifier={"kind": "configmap", "name": _free_to_be_placed(place)},
        )
        found.add("restored", judge.restored(done), *_volumes_restored(place, done.name))
        if done.phase != "Completed":
            found.add("content", inconclusive("the content came back", f"the restore is {done.phase or 'not seen'}"))
            return
        _wait_for_pods(place, into, seen.claims)
        skipped = [*place.database_claims, *place.velero.disposable]
        came = looking.contents(place.cluster, into, skipped, seconds=place.seconds)
        verdicts = [
            judge.content(
                f"claim {each}",
                seen.before.contents.get(each, ""),
                seen.after.contents.get(each, ""),
                came.get(each, ""),
            )
            for each in seen.claims
            if each not in skipped
        ]
        for name in place.databases:
            verdicts += _database(place, into, name, seen)
    found.add("content", *_certain(seen, verdicts))


def _free_to_be_placed(place: Place) -> str:
    """The name of the rules by which a restored pod may run on any node, made if they are not there.

    The API server (1.34) writes `matchLabelKeys` into a pod's selector, and then refuses a pod that has both: no
    such pod of a Deployment comes back as it stands in a backup.
    """
    patch = {"spec": {"topologySpreadConstraints": None, "affinity": None}}
    rules = {
        "version": "v1",
        "resourceModifierRules": [
            {
                "conditions": {"groupResource": "pods", "resourceNameRegex": ".*"},
                "mergePatches": [{"patchData": json.dumps(patch)}],
            }
        ],
    }
    body: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": _PLACING, "labels": dict(MANAGED)},
        "data": {"rules.yaml": json.dumps(rules)},
    }
    with suppress(BusyError):  # it is there
        place.cluster.create("configmaps", body, place.velero.namespace)
    return _PLACING


def _volumes_restored(place: Place, restore: str) -> list[Verdict]:
    labels = f"{facts.RESTORE_LABEL}={restore}"
    bad = [
        f"{each['spec']['pod'].get('name')}/{each['spec'].get('volume')}: {(each.get('status') or {}).get('phase')}"
        for each in place.cluster.list("podvolumerestores", place.velero.namespace, labels=labels)
        if (each.get("status") or {}).get("phase") != "Completed"
    ]
    return [failed("Velero wrote every volume back", each) for each in bad]


def _wait_for_pods(place: Place, into: str, claims: tuple[str, ...]) -> None:
    """Until each claim can be looked at, and the database answers; what does not come is judged as unread."""
    deadline = time.monotonic() + START_SECONDS
    tried = f"start what was restored into {into}"
    while time.monotonic() < deadline:
        pods = looking.running_pods(place.cluster, into)
        running = [each for each in pods if looking.ready_to_run(each)]
        open_claims = [each for each in claims if not any(looking.mount_of(pod, each) for pod in running)]
        answers = not place.databases or looking.database_ready(place.cluster, place.names, into)
        if answers and not open_claims:
            return
        needed = [pod for pod in pods if any(looking.mount_of(pod, each) for each in claims)]
        refuse_troubled_pods(place.cluster, into, needed, tried)
        time.sleep(POLL_SECONDS)


def _database(place: Place, into: str, name: str, seen: Evidence) -> list[Verdict]:
    password = passwords.read_password(place.cluster, replace(place.names, namespace=into), "backup")
    known_prints = [each.databases[name] for each in (seen.before, seen.after) if name in each.databases]
    prints = [fingerprints.read(each) for each in known_prints]
    user, like = passwords.user("backup"), next(iter(prints), None)
    came = fingerprints.read(looking.fingerprint(place.cluster, into, name, user, password, like=like))
    unchanged = len({each.model_copy(update={"bytes": 0}).model_dump_json() for each in prints}) == 1
    return judge.databases(name, unchanged, [compare.compare(each, came) for each in prints])
