"""What must not be lost and where its copies lie: databases, folders, stores, retention, encryption."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import ConfigDict, Field, model_validator

from ecom_platform.spec.services import EnvironmentValue
from ecom_platform.spec.words import Duration, Name, Part, SecretReference, Span


class Tasks(Part):
    """Commands that the platform runs to the end, with a service's environment for the owner role."""

    expand: tuple[str, ...] = ()
    contract: tuple[str, ...] = ()
    seed: tuple[str, ...] = ()


class Database(Part):
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


class Retention(Part):
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


class Store(Part):
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


class Encryption(Part):
    """recipients: age public keys that can open every backup. identity: the private key for
    verification on this platform; left out of a platform that only dumps. `managed: true` makes
    a key at first start and keeps it in the state folder. signers: public signing keys of other
    platforms whose snapshots and proofs count here too.
    """

    recipients: tuple[str, ...] = ()
    signers: tuple[str, ...] = ()
    identity: SecretReference | None = None
    managed: bool = False


class Folder(Part):
    """Application data outside the databases, like product pictures."""

    name: Name
    schedule: str = "0 1 * * *"


class Backups(Part):
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
