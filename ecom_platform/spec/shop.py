"""The whole spec of one shop, and what in it must belong together."""

from __future__ import annotations

from typing import Literal

from pydantic import model_validator

from ecom_platform.spec.cluster import Kubernetes
from ecom_platform.spec.data import Backups, Database, Encryption, Folder, Store
from ecom_platform.spec.demands import Drills, Load, Release, Thresholds
from ecom_platform.spec.people import Contact, Notification
from ecom_platform.spec.services import Service
from ecom_platform.spec.words import Name, Part

Stage = Literal["deployments", "validations", "backups", "restores", "benchmarks", "releases", "drills", "reports"]


class Shop(Part):
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
        if self.load and self.load.workers and not (self.kubernetes.platform_image or self.kubernetes.inside):
            raise ValueError("load.workers are pods of the platform: they need kubernetes.platform_image")
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
