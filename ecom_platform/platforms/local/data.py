"""What services and tasks run with: databases, stores, folders and keys, and the environment that names them.

Works from files alone, so it answers while the platform is down. Not here: the servers themselves.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from ecom_platform.backup.keyring import KeyRing
from ecom_platform.clients.supervisor import replace_text
from ecom_platform.errors import MissingError
from ecom_platform.platforms.local.document import FileDocument
from ecom_platform.platforms.local.layout import Layout, make_private
from ecom_platform.platforms.local.ports import Ports
from ecom_platform.platforms.local.postgres import Postgres, role_name
from ecom_platform.platforms.local.seaweedfs import SeaweedFS
from ecom_platform.platforms.local.secrets import in_files
from ecom_platform.platforms.local.switch import Switch
from ecom_platform.platforms.protocol import Colour, DatabaseAccess, StoreAccess
from ecom_platform.secret_values import resolve
from ecom_platform.spec import (
    Database,
    DatabaseReference,
    EnvironmentValue,
    FolderReference,
    Service,
    ServiceReference,
    Shop,
)


@dataclass(frozen=True)
class Data:
    """Everything of one shop that outlives its processes."""

    shop: Shop
    layout: Layout
    ports: Ports
    postgres: Postgres
    switchboard: Switch

    @cached_property
    def s3(self) -> SeaweedFS:
        return SeaweedFS(self.layout, self.ports, self.shop)

    def has_managed_store(self) -> bool:
        return any(each.managed for each in self.shop.stores.values())

    def service_environment(self, service: Service, colour: Colour) -> Mapping[str, str]:
        """All that every instance of the colour has in common."""
        values = {name: self._value(value, colour) for name, value in service.environment.items()}
        return {"PYTHONUNBUFFERED": "1", **values, "VERSION": service.version, "COLOUR": colour}

    def task_environment(self, database: Database) -> Mapping[str, str]:
        values = {name: self._value(value, "blue") for name, value in database.environment.items()}
        return {**values, "APP_ROLE": role_name(database, "app")}

    def _value(self, value: EnvironmentValue, colour: Colour) -> str:
        match value:
            case DatabaseReference():
                return str(self._url_file(self.shop.database(value.database), value.role))
            case ServiceReference():
                # The address of the colour, not of its instances: they come and go.
                return self.switchboard.address(value.service, colour)
            case FolderReference():
                return str(self.folder(value.folder))
            case _:
                return value

    def database(self, database: Database, role: Literal["owner", "app", "backup"]) -> DatabaseAccess:
        if database.url is None:
            return self.postgres.of(database, role)
        from ecom_platform.clients.sql import split_url

        return split_url(resolve(database.url, f"the database {database.name}"))

    def _url_file(self, database: Database, role: Literal["owner", "app"]) -> Path:
        from ecom_platform.clients.sql import url_with_password

        folder = make_private(self.layout.secrets / "urls")
        path = folder / f"{database.name}-{role}"
        replace_text(path, url_with_password(self.database(database, role)) + "\n")
        return path

    def store(self, name: str, *, removing: bool = False) -> StoreAccess:
        if name not in self.shop.stores:
            raise MissingError(f"find the store {name}", f"the spec has {', '.join(self.shop.stores) or 'none'}")
        store = self.shop.stores[name]
        if store.managed:
            return self.s3.access(name, removing=removing)
        if store.url.startswith("file:"):
            path = self.layout.state / store.url.removeprefix("file:").removeprefix("//")
            return StoreAccess(name=name, url=path.as_uri())
        access, secret = (resolve(key, f"the store {name}") if key else "" for key in store.keys(removing=removing))
        return StoreAccess(name, store.url, store.endpoint, store.region, access, secret)

    def folder(self, name: str) -> Path:
        return make_private(self.layout.folders / name)

    def keyring(self) -> KeyRing:
        return KeyRing(self.layout.secrets, self.layout.recipients, self.shop.encryption)

    def recipients(self) -> tuple[str, ...]:
        return self.keyring().recipients()

    def identities(self) -> tuple[str, ...]:
        return self.keyring().identities()

    def signing_key(self) -> Path:
        from ecom_platform.backup.signing import ensure_signing_key

        path = make_private(self.layout.secrets) / "signing-key"
        ensure_signing_key(path)
        return path

    def documents(self) -> Mapping[str, object]:
        live = {each.name: self.switchboard.live(each) for each in self.shop.services}
        found: dict[str, object] = {"settings/ports.json": dict(self.ports.known()), "settings/live-colours.json": live}
        text, _ = FileDocument(self.layout.documents / "release.json").read()
        if text:
            # What is live, and how it came about; who drives at this moment is of this moment.
            found["settings/release.json"] = {**json.loads(text), "lease": None, "ask": None}
        return found

    def secret_values(self) -> Mapping[str, bytes]:
        return in_files(self.layout.secrets)
