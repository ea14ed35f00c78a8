"""Has Velero make a backup of a namespace, or looks at one that it made, and judges it.

Goes here: what the `backups` stage does with Velero. Not here: proving that it restores (proving.py).
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

from ecom_platform.backup.signing import ensure_signing_key
from ecom_platform.clients.kubernetes_api import Cluster, Object
from ecom_platform.clients.kubernetes_kinds import VELERO_API
from ecom_platform.errors import ConfigurationError, MissingError
from ecom_platform.platforms.kubernetes import KubernetesPlatform
from ecom_platform.platforms.kubernetes import secrets as passwords
from ecom_platform.platforms.kubernetes.names import MANAGED, Names
from ecom_platform.platforms.kubernetes.rollout import POLL_SECONDS
from ecom_platform.platforms.protocol import Platform
from ecom_platform.records import Findings, Record
from ecom_platform.spec import Shop, Velero
from ecom_platform.velero import evidence, facts, judge, looking
from ecom_platform.velero.evidence import Evidence, Moment

CHECKS = {
    "scheduled": "Velero's own Schedules of the namespace are on, on time, and keep backups as long as promised",
    "own_key": "the files of volumes are encrypted by a key of your own, not by the one in Velero's source",
    "completed": "Velero finished the backup without an error; that alone proves nothing",
    "volumes": "every volume of the namespace is in the backup; one that Velero left out is named",
}
LATEST = "latest"
LOG_LINES = 2000
"""Of Velero's log, for the errors of a Backup or Restore that has just ended; it writes some hundred for one."""

_INSTALL = "Install Velero and k8s/velero; docs/velero.md tells how."

Progress = Callable[[str], None]


@dataclass(frozen=True)
class BackupRecord(Record):
    """A backup that Velero made. Nothing here says that it restores. evidence: whether the source was looked at too."""

    snapshot: str
    namespace: str
    volumes: int
    copied_bytes: int
    objects: int
    warnings: int
    evidence: bool
    snapshot_timestamp: float
    total_seconds: float


@dataclass(frozen=True)
class Place:
    """One namespace of a shop, and the Velero that backs it up. Making it touches nothing."""

    platform: KubernetesPlatform
    shop: Shop
    velero: Velero
    namespace: str

    @property
    def cluster(self) -> Cluster:
        return self.platform.cluster

    @property
    def names(self) -> Names:
        return self.platform.names

    @cached_property
    def database_claims(self) -> tuple[str, ...]:
        if not self.databases:
            return ()
        return looking.database_claims(self.cluster, self.names, self.namespace)

    @property
    def databases(self) -> tuple[str, ...]:
        """Databases whose server runs in this namespace."""
        own = self.namespace == self.names.namespace
        return tuple(each.name for each in self.shop.databases if each.managed and own)

    @property
    def seconds(self) -> float:
        return self.velero.timeout.total_seconds()

    def look(self) -> Moment:
        """The source as it is now."""
        password = passwords.read_password(self.cluster, self.names, "backup") if self.databases else ""
        prints: dict[str, object] = {
            each: looking.fingerprint(self.cluster, self.namespace, each, passwords.user("backup"), password)
            for each in self.databases
        }
        key = ensure_signing_key(self.platform.signing_key())
        return looking.moment(
            self.cluster,
            self.namespace,
            key,
            skipped=self.database_claims,
            databases=prints,
            seconds=self.seconds,
        )

    def wait(self, kind: str, name: str) -> facts.Work:
        """The Backup or Restore when it has ended, or as it is when its time is over."""
        deadline = time.monotonic() + self.seconds
        while True:
            found = facts.work(self.cluster.read(kind, name, self.velero.namespace))
            if found.ended or time.monotonic() > deadline:
                return replace(found, reason=found.reason or self._said(name)) if found.errors else found
            time.sleep(POLL_SECONDS)

    def _said(self, name: str) -> str:
        servers = self.cluster.list("pods", self.velero.namespace, labels="deploy=velero")
        logs = [
            self.cluster.logs(each["metadata"]["name"], self.velero.namespace, lines=LOG_LINES, container="velero")
            for each in servers
        ]
        return facts.errors_of("\n".join(logs), name)

    def items(self, backup: str) -> list[facts.Item]:
        labels = f"{facts.BACKUP_LABEL}={backup}"
        volumes = self.cluster.list("podvolumebackups", self.velero.namespace, labels=labels)
        uploads = self.cluster.list("datauploads", self.velero.namespace, labels=labels)
        return facts.items(volumes, uploads, self.namespace)


def place_of(platform: Platform, shop: Shop, namespace: str) -> Place:
    """Raises ConfigurationError where there is no Velero."""
    velero = shop.kubernetes.velero
    if velero is None or not isinstance(platform, KubernetesPlatform):
        raise ConfigurationError("find Velero", "the spec names none", "Give it `kubernetes.velero`.")
    place = Place(platform, shop, velero, namespace)
    try:
        place.cluster.list("schedules", velero.namespace)
    except MissingError as error:
        raise ConfigurationError("find Velero", "the cluster does not know its kinds", _INSTALL) from error
    return place


def take(
    platform: Platform, shop: Shop, namespace: str, *, backup: str, progress: Progress
) -> tuple[Findings, BackupRecord]:
    """Verdicts for CHECKS and the record. backup: empty makes a new one by the first Schedule's template; a name, or
    `latest`, looks at one that is there.
    """
    place = place_of(platform, shop, namespace)
    started = time.monotonic()
    if backup:
        chosen = choose(place, backup)
        done = place.wait("backups", chosen["metadata"]["name"])
        seen = known(place, done.name) or looked_at_now(place)
    else:
        done, seen = _made(place, progress)
    progress(f"{done.name}: {done.phase}")
    items = place.items(done.name)
    plans = [facts.plan(each) for each in place.cluster.list("schedules", place.velero.namespace)]
    verdicts = {
        "scheduled": judge.scheduled(plans, namespace, place.velero.keep, datetime.now(UTC)),
        "own_key": [judge.own_key(_repository_key(place))],
        "completed": [judge.completed(done)],
        "volumes": judge.volumes(seen.claims, seen.folders, items, place.velero.disposable),
    }
    record = BackupRecord(
        done.name,
        namespace,
        len(items),
        sum(each.bytes for each in items),
        len(seen.before.objects),
        done.warnings,
        seen.at_backup,
        datetime.fromisoformat(done.started).timestamp() if done.started else 0.0,
        round(time.monotonic() - started, 3),
    )
    return Findings(verdicts), record


def _repository_key(place: Place) -> bytes:
    """Never printed; empty if there is none."""
    found = place.cluster.find("secrets", "velero-repo-credentials", place.velero.namespace) or {}
    return base64.b64decode((found.get("data") or {}).get("repository-password", ""))


def _made(place: Place, progress: Progress) -> tuple[facts.Work, Evidence]:
    """A new backup, between two looks at the source, which are kept beside it."""
    body = _body(place)
    claims = looking.claims(place.cluster, place.namespace)
    folders = facts.host_folders(looking.running_pods(place.cluster, place.namespace))
    before = place.look()
    progress(f"{len(before.objects)} objects, {len(claims)} claims, {len(before.databases)} databases looked at")
    made = place.cluster.create("backups", body, place.velero.namespace)
    done = place.wait("backups", made["metadata"]["name"])
    seen = Evidence(namespace=place.namespace, claims=claims, folders=tuple(folders), before=before, after=place.look())
    place.cluster.create("configmaps", evidence.as_config_map(seen, made), place.velero.namespace)
    return done, seen


def _body(place: Place) -> Object:
    """As `velero backup create --from-schedule` would, of one namespace."""
    schedule = f"{place.namespace}-{next(iter(place.velero.keep))}"
    found = place.cluster.find("schedules", schedule, place.velero.namespace)
    if found is None:
        raise ConfigurationError(
            f"back up {place.namespace} by Velero",
            f"there is no Schedule {schedule} in {place.velero.namespace}",
            _INSTALL,
        )
    at = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    labels = {**MANAGED, "velero.io/schedule-name": schedule, "ecom/shop": place.shop.shop}
    return {
        "apiVersion": VELERO_API,
        "kind": "Backup",
        "metadata": {"name": f"{place.namespace[:36]}-{at}-{secrets.token_hex(2)}", "labels": labels},
        "spec": {**found["spec"]["template"], "includedNamespaces": [place.namespace]},
    }


def choose(place: Place, backup: str) -> Object:
    """The Backup of that name, or for `latest` the newest of the namespace that Velero has begun.

    Raises MissingError.
    """
    if backup != LATEST:
        return place.cluster.read("backups", backup, place.velero.namespace)
    begun = [
        each
        for each in place.cluster.list("backups", place.velero.namespace)
        if place.namespace in (each["spec"].get("includedNamespaces") or ())
        and (each.get("status") or {}).get("startTimestamp")
        and each["status"].get("phase") != "Deleting"
    ]
    if not begun:
        raise MissingError(
            f"find a Velero backup of {place.namespace}", "there is none", "Make one with `ecom launch backup_velero`."
        )
    return max(begun, key=lambda each: (each["status"]["startTimestamp"], each["metadata"]["name"]))


def known(place: Place, backup: str) -> Evidence | None:
    """What was kept beside the backup when it was made; None for one that Velero made by itself."""
    found = place.cluster.find("configmaps", evidence.config_map_name(backup), place.velero.namespace)
    return None if found is None else evidence.from_config_map(found)


def looked_at_now(place: Place) -> Evidence:
    now = place.look()
    return Evidence(
        namespace=place.namespace,
        claims=looking.claims(place.cluster, place.namespace),
        folders=tuple(facts.host_folders(looking.running_pods(place.cluster, place.namespace))),
        before=now,
        after=now,
        at_backup=False,
    )
