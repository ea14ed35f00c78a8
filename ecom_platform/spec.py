"""One shop as typed data: services, databases, stores, schedules, budgets.

Read from YAML by spec_file.py, which names the line of an error. Nothing here does I/O.
Secrets are references ({env: NAME} or {file: PATH}), never values.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

_NAME = re.compile(r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$")
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def _name(value: str) -> str:
    if not _NAME.match(value):
        raise ValueError("a name is 1 to 40 of a-z, 0-9 and '-', beginning with a letter")
    return value


def duration(value: object) -> timedelta:
    """A timedelta from text like 90s, 15m, 6h, 30d; raises ValueError for anything else."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.match(str(value))
    if not match:
        raise ValueError(f"{value!r} is no duration; write 90s, 15m, 6h or 30d")
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])


def duration_text(value: timedelta) -> str:
    """The text that `duration` reads as that value."""
    return f"{value.total_seconds():.3f}".rstrip("0").rstrip(".") + "s"


def _span(text: str) -> str:
    from ecom_platform.backup.retention_policy import parse_span

    parse_span(text)
    return text


Name = Annotated[str, AfterValidator(_name)]
Span = Annotated[str, AfterValidator(_span)]
Duration = Annotated[
    timedelta,
    BeforeValidator(duration),
    PlainSerializer(lambda value: f"{value.total_seconds():.15g}s", return_type=str, when_used="json"),
]
Stage = Literal["deployments", "validations", "backups", "restores", "benchmarks", "releases", "drills", "reports"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SecretReference(_Part):
    """Where a secret is: an environment variable or a file (mode 600), never the value."""

    env: str | None = None
    file: str | None = None

    @model_validator(mode="after")
    def _one_of(self) -> SecretReference:
        if (self.env is None) == (self.file is None):
            raise ValueError("a secret is either {env: NAME} or {file: PATH}")
        return self


class DatabaseReference(_Part):
    """In a service's environment: the path of a file that holds the database's URL for a role."""

    database: Name
    role: Literal["owner", "app"] = "app"


class ServiceReference(_Part):
    """In a service's environment: 'host:port host:port' of that service's instances of one colour."""

    service: Name


class FolderReference(_Part):
    """In a service's environment: the path of a folder of application data."""

    folder: Name


EnvironmentValue = str | DatabaseReference | ServiceReference | FolderReference


class Probes(_Part):
    live: str = "/healthz"
    ready: str = "/readyz"
    version: str = "/version"
    start_timeout: Duration = timedelta(seconds=60)


class Endpoint(_Part):
    """One address that a validation calls, and what must come back."""

    path: str
    status: int = 200
    contains: str = ""


class Service(_Part):
    """A program that answers HTTP.

    command: local platform; `python` and `caddy` mean those that the platform brings. It gets HOST,
    PORT, VERSION, COLOUR and INSTANCE in its environment beside `environment`.
    image: Kubernetes. front_door: people's address; exactly one service of a shop has it.
    """

    name: Name
    version: str = "1.0.0"
    command: tuple[str, ...] = ()
    image: str = ""
    port: int = Field(default=8080, ge=1, le=65535)
    replicas: int = Field(default=1, ge=1, le=50)
    front_door: bool = False
    environment: dict[str, EnvironmentValue] = {}
    probes: Probes = Probes()
    endpoints: tuple[Endpoint, ...] = ()


class Tasks(_Part):
    """Commands that the platform runs to the end, with a service's environment for the owner role."""

    expand: tuple[str, ...] = ()
    contract: tuple[str, ...] = ()
    seed: tuple[str, ...] = ()


class Database(_Part):
    """A PostgreSQL database: run by the platform (managed) or by somebody else (url).

    schedule: cron, UTC. rpo, rto: budgets. read_path: the service that is started against a
    restored copy to show that it can read it. dump_bytes_per_second: what a dump may read at most. growing: tables
    (schema.name) that never lose rows in ordinary business; one that has fewer than before is damaged.
    """

    name: Name
    url: SecretReference | None = None
    managed: bool = False
    environment: dict[str, EnvironmentValue] = {}
    tasks: Tasks = Tasks()
    schedule: str = "0 */6 * * *"
    rpo: Duration = timedelta(hours=6)
    rto: Duration = timedelta(hours=1)
    read_path: Name | None = None
    dump_bytes_per_second: int | None = Field(default=None, ge=64 << 10)
    growing: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_of(self) -> Database:
        if self.managed == (self.url is not None):
            raise ValueError("a database is either `managed: true` or has a `url`")
        if self.rpo <= timedelta(0) or self.rto <= timedelta(0):
            raise ValueError("rpo and rto must be longer than nothing")
        return self


class Retention(_Part):
    """How long snapshots stay in one store, with the meaning of restic's `forget`; -1 keeps all."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=lambda name: name.replace("_", "-"))

    keep_last: int | None = Field(default=None, ge=-1)
    keep_hourly: int | None = Field(default=None, ge=-1)
    keep_daily: int | None = Field(default=None, ge=-1)
    keep_weekly: int | None = Field(default=None, ge=-1)
    keep_monthly: int | None = Field(default=None, ge=-1)
    keep_yearly: int | None = Field(default=None, ge=-1)
    keep_within: Span | None = None
    keep_within_hourly: Span | None = None
    keep_within_daily: Span | None = None
    keep_within_weekly: Span | None = None
    keep_within_monthly: Span | None = None
    keep_within_yearly: Span | None = None
    keep_tag: tuple[tuple[str, ...], ...] | None = None


SourceKind = Literal["database", "folder", "configuration", "complete"]


class Store(_Part):
    """Where backups lie: `file:PATH` (relative to the state folder), `s3://BUCKET/PREFIX`,
    or `managed: true` for the platform's own S3 server. removing_*: the keys of retention, where the
    others may add and not delete.

    retention_of: rules of their own for kinds of sources, in place of `retention`.
    """

    url: str = ""
    managed: bool = False
    endpoint: str = ""
    region: str = "us-east-1"
    access_key: SecretReference | None = None
    secret_key: SecretReference | None = None
    removing_access_key: SecretReference | None = None
    removing_secret_key: SecretReference | None = None
    retention: Retention = Retention()
    retention_of: dict[SourceKind, Retention] = {}
    object_lock: Duration | None = None

    @model_validator(mode="after")
    def _one_of(self) -> Store:
        if self.managed == bool(self.url):
            raise ValueError("a store is either `managed: true` or has a `url`")
        if self.url and not self.url.startswith(("file:", "s3://")):
            raise ValueError("a store's url begins with file: or s3://")
        if (self.removing_access_key is None) != (self.removing_secret_key is None):
            raise ValueError("removing_access_key and removing_secret_key go together")
        return self

    def keys(self, *, removing: bool) -> tuple[SecretReference | None, SecretReference | None]:
        """(access key, secret key); retention uses the ordinary ones where it has none of its own."""
        if removing and self.removing_access_key:
            return self.removing_access_key, self.removing_secret_key
        return self.access_key, self.secret_key


class Encryption(_Part):
    """recipients: age public keys that can open every backup. identity: the private key for
    verification on this platform; left out of a platform that only dumps. `managed: true` makes
    a key at first start and keeps it in the state folder.
    """

    recipients: tuple[str, ...] = ()
    identity: SecretReference | None = None
    managed: bool = False


class Folder(_Part):
    """Application data outside the databases, like product pictures."""

    name: Name
    schedule: str = "0 1 * * *"


class Backups(_Part):
    """When the configuration is backed up, when everything together as a set, when older snapshots are proved again.

    schedules: cron, UTC. again_within: no kept snapshot's proof is older than this.
    """

    configuration: str = "15 1 * * *"
    complete: str = "0 2 * * 0"
    verify: str = "30 2 * * *"
    again_within: Duration = timedelta(days=30)

    @model_validator(mode="after")
    def _not_at_once(self) -> Backups:
        if self.again_within < timedelta(days=1):
            raise ValueError("again_within is a day at least")
        return self


class Thresholds(_Part):
    """What the load gate and the alerts demand; one place, so that they agree.

    Source: the user's document, appendix C and the alert table. Its two error rates are 1 % of all
    requests, for the shop's own errors, and 5 % for refusals (4xx), which people cause too.
    """

    p95_ms: float = Field(default=500, gt=0)
    error_rate: float = Field(default=0.01, gt=0, lt=1)
    client_error_rate: float = Field(default=0.05, gt=0, lt=1)
    requests_per_second: float = Field(default=100, gt=0)
    utilisation: float = Field(default=0.8, gt=0, le=1)
    database_connections: int = Field(default=100, ge=1)
    certificate_left: Duration = timedelta(days=21)
    key_age: Duration = timedelta(days=365)
    release_stuck: Duration = timedelta(minutes=30)
    machine_recovery: Duration = timedelta(hours=4)
    configuration_recovery: Duration = timedelta(minutes=30)
    folder_recovery: Duration = timedelta(hours=2)


class NodeLoss(_Part):
    """How a node of the cluster loses its power for the drill, and gets it back; {node} stands for its name.

    A cluster has a way of its own (a cloud's API, a management board), so the operator says it.
    """

    fail: tuple[str, ...]
    revive: tuple[str, ...]


class Drills(_Part):
    """The rehearsals: how much traffic, how long it is steady before the fault, when they run by themselves (UTC)."""

    orders_per_second: float = Field(default=5, gt=0, le=100)
    steady: Duration = timedelta(seconds=3)
    schedule: str = "0 4 * * 0"
    whole_schedule: str = "0 5 1 * *"
    node: NodeLoss | None = None


class Load(_Part):
    """The scheduled load test: arrivals per second, held for a time, and the least that counts."""

    rate: float = Field(default=100, gt=0)
    duration: Duration = timedelta(seconds=10)
    minimum_requests: int = Field(default=500, ge=1)
    processes: int = Field(default=1, ge=1, le=32)
    schedule: str = "0 3 * * *"


class Release(_Part):
    """How a new version goes live (docs/release.md): what it must show before, and how long it is watched after.

    load: how long the load gate holds `load.rate` at the preview. scenario: what its customers do, as in
    the load test, or GETs of `path`. allowed_slow_down: how much slower than the live version its p95 may
    be, as a share; None leaves that comparison out. dwell: how long it is watched before it is promoted,
    with `probes` requests per second to the front door.
    """

    load: Duration = timedelta(seconds=10)
    scenario: Literal["shop", "get"] = "shop"
    path: str = "/"
    allowed_slow_down: float | None = Field(default=0.25, gt=0)
    dwell: Duration = timedelta(minutes=5)
    probes: float = Field(default=20, gt=0, le=1000)

    @model_validator(mode="after")
    def _long_enough(self) -> Release:
        if self.load < timedelta(seconds=1) or self.load > timedelta(hours=1):
            raise ValueError("release.load is from 1s to 1h")
        if self.dwell > timedelta(hours=24):
            raise ValueError("release.dwell is at most 24h: nobody watches a switch for longer")
        return self


class Escalation(_Part):
    """Who is told of a critical alert that nobody has said an ok to, `after` it began."""

    after: Duration
    targets: tuple[SecretReference, ...] = Field(min_length=1)


class Notification(_Part):
    """Where people are told: each target is a reference to an apprise URL (it holds a token).

    targets: told first. again: the same notice goes out at most that often.
    """

    targets: tuple[SecretReference, ...] = ()
    escalation: tuple[Escalation, ...] = ()
    again: Duration = timedelta(hours=4)

    @model_validator(mode="after")
    def _in_order(self) -> Notification:
        if self.escalation and not self.targets:
            raise ValueError("an escalation needs `targets` that are told before it")
        times = [each.after for each in self.escalation]
        if times != sorted(times) or any(each <= timedelta(0) for each in times):
            raise ValueError("escalation goes from sooner to later, each after more than nothing")
        if self.again <= timedelta(0):
            raise ValueError("`again` must be longer than nothing")
        return self


class Contact(_Part):
    """Somebody who is called in a disaster. reach: a telephone number or an address. after: since it began."""

    name: str
    role: str
    reach: str
    after: Duration = timedelta(0)


class Velero(_Part):
    """The cluster's Velero, whose backups are to be proved. namespace: Velero's own.

    namespaces: those that it backs up; none is the shop's own. keep: how long the backups of each of its Schedules
    NAMESPACE-NAME must stay. disposable: claims whose content needs no backup.
    """

    namespace: Name = "velero"
    namespaces: tuple[Name, ...] = ()
    keep: dict[Name, Duration] = {"daily": timedelta(days=30), "weekly": timedelta(days=90)}
    schedule: str = "0 4 * * *"
    timeout: Duration = timedelta(hours=1)
    disposable: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_a_template(self) -> Velero:
        if not self.keep:
            raise ValueError("keep names at least one Schedule; its template is what a backup is made by")
        return self


class Kubernetes(_Part):
    """Where in a cluster the shop runs. context: of the kubeconfig, empty for its current one.

    values: for the shop's chart, beside those that follow from the services.
    platform_image: of the platform's own pods; with it the shop is operated from inside the cluster, by the
    platform's chart, else by the operator's machine. platform_values: for that chart. inside: set by the
    platform in the spec of its own pods. scratch_namespaces: whether a verification may make one, to offer it
    the restored configuration.
    """

    context: str = ""
    namespace: Name | None = None
    platform_namespace: Name = "ecom-platform"
    release: Name = "shop"
    chart: str = ""
    values: dict[str, Any] = {}
    probe_image: str = "python:3.13-slim"
    scratch_namespaces: bool = True
    velero: Velero | None = None
    platform_image: str = ""
    platform_release: Name = "platform"
    platform_values: dict[str, Any] = {}
    inside: bool = False


class Shop(_Part):
    """The whole spec of one shop; its name is the key prefix of its assets."""

    shop: Name
    platform: Literal["local", "kubernetes"] = "local"
    kubernetes: Kubernetes = Kubernetes()
    services: tuple[Service, ...] = ()
    databases: tuple[Database, ...] = ()
    folders: tuple[Folder, ...] = ()
    stores: dict[Name, Store] = {}
    backups: Backups = Backups()
    encryption: Encryption = Encryption()
    thresholds: Thresholds = Thresholds()
    load: Load | None = None
    drills: Drills = Drills()
    release: Release = Release()
    notify: Notification = Notification()
    contacts: tuple[Contact, ...] = ()
    leave_out: tuple[Stage, ...] = ()

    @model_validator(mode="after")
    def _belongs_together(self) -> Shop:
        for kind, names in (
            ("service", [each.name for each in self.services]),
            ("database", [each.name for each in self.databases]),
            ("folder", [each.name for each in self.folders]),
        ):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"two of kind {kind} are called {twice[0]}")
        if self.services and sum(each.front_door for each in self.services) != 1:
            raise ValueError("exactly one service has `front_door: true`")
        if self.databases and not self.stores:
            raise ValueError("a database needs at least one store for its backups")
        if self.stores and not (self.encryption.managed or self.encryption.recipients):
            raise ValueError("stores need `encryption`: recipients, or `managed: true`")
        self._refuse_dangling_references()
        self._refuse_a_short_dwell()
        return self

    def _refuse_a_short_dwell(self) -> None:
        """A dwell whose probes are too few for the error limit could only ever be inconclusive."""
        wanted = 3 / self.thresholds.error_rate
        if self.services and self.release.dwell.total_seconds() * self.release.probes < wanted:
            raise ValueError(
                f"release: dwell x probes is below the {wanted:.0f} requests that show an error rate below "
                f"{self.thresholds.error_rate:g}; lengthen `dwell` or raise `probes`"
            )

    def _refuse_dangling_references(self) -> None:
        known = {
            "database": {each.name for each in self.databases},
            "service": {each.name for each in self.services},
            "folder": {each.name for each in self.folders},
        }
        owners = [(each.name, each.environment) for each in self.services]
        owners += [(each.name, each.environment) for each in self.databases]
        for owner, environment in owners:
            for variable, value in environment.items():
                if isinstance(value, str):
                    continue
                kind = type(value).__name__.removesuffix("Reference").lower()
                target = getattr(value, kind)
                if target not in known[kind]:
                    raise ValueError(f"{owner}: {variable} names the {kind} {target}, which is not in the spec")
        for database in self.databases:
            if database.read_path and database.read_path not in known["service"]:
                raise ValueError(f"{database.name}: read_path names no service: {database.read_path}")

    def service(self, name: str) -> Service:
        return next(each for each in self.services if each.name == name)

    def database(self, name: str) -> Database:
        return next(each for each in self.databases if each.name == name)

    @property
    def front_door(self) -> Service:
        return next(each for each in self.services if each.front_door)
