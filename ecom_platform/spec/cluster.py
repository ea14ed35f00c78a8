"""Where in a Kubernetes cluster the shop runs, and the Velero there."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from pydantic import model_validator

from ecom_platform.spec.words import Duration, Name, Part


class Velero(Part):
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


class Kubernetes(Part):
    """Where in a cluster the shop runs. context: of the kubeconfig, empty for its current one.

    values: for the shop's chart, beside those that follow from the services.
    platform_image: of the platform's own pods; with it the shop is operated from inside the cluster, by the
    platform's chart, else by the operator's machine. platform_values: for that chart. inside: set by the
    platform in the spec of its own pods. scratch_namespaces: whether a verification may make one, to offer it
    the restored configuration. database_namespace: where the database runs, when the shop moved away from there;
    another release of the chart, of the same name.
    """

    context: str = ""
    namespace: Name | None = None
    database_namespace: Name | None = None
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

    @model_validator(mode="after")
    def _one_database(self) -> Kubernetes:
        if self.database_namespace and self.database_namespace == self.namespace:
            raise ValueError("database_namespace is another one than namespace; leave it out")
        if self.database_namespace and self.platform_image:
            raise ValueError("with database_namespace the shop is operated from outside: no platform_image")
        return self
