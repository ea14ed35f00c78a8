"""The programs that answer HTTP: how they are started, probed and checked, and what they are told."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import Field

from ecom_platform.spec.words import Duration, Name, Part


class DatabaseReference(Part):
    """In a service's environment: the path of a file that holds the database's URL for a role."""

    database: Name
    role: Literal["owner", "app"] = "app"


class ServiceReference(Part):
    """In a service's environment: 'host:port host:port' of that service's instances of one colour."""

    service: Name


class FolderReference(Part):
    """In a service's environment: the path of a folder of application data."""

    folder: Name


EnvironmentValue = str | DatabaseReference | ServiceReference | FolderReference


class Probes(Part):
    live: str = "/healthz"
    ready: str = "/readyz"
    version: str = "/version"
    start_timeout: Duration = timedelta(seconds=60)


class Endpoint(Part):
    """One address that a validation calls, and what must come back."""

    path: str
    status: int = 200
    contains: str = ""


class Service(Part):
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
