"""What the operator's side keeps for a shop in a cluster: keys, stores, reports, Dagster's records, scratch.

In a state folder, as on the local platform; nothing here speaks to the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ecom_platform.backup.keyring import KeyRing
from ecom_platform.errors import ConfigurationError, MissingError
from ecom_platform.platforms.local import read_paths
from ecom_platform.platforms.local.commands import program
from ecom_platform.platforms.local.dagster_home import DagsterHome
from ecom_platform.platforms.local.layout import Layout, make_enterable, make_private
from ecom_platform.platforms.local.ports import Ports
from ecom_platform.platforms.local.secrets import in_files
from ecom_platform.platforms.protocol import ReadPath, StoreAccess
from ecom_platform.secret_values import resolve
from ecom_platform.spec import DatabaseReference, Service, Shop


class Data:
    """The half of the platform that lies in the state folder."""

    def __init__(self, shop: Shop, state: Path) -> None:
        self.shop = shop
        self.layout = Layout(state.resolve())

    def lock(self, name: str) -> Path:
        make_enterable(self.layout.state)
        return make_private(self.layout.locks) / name

    def store(self, name: str, *, removing: bool = False) -> StoreAccess:
        if name not in self.shop.stores:
            raise MissingError(f"find the store {name}", f"the spec has {', '.join(self.shop.stores) or 'none'}")
        store = self.shop.stores[name]
        if store.managed:
            raise ConfigurationError(
                f"open the store {name}",
                "the platform runs no store of its own in a cluster",
                "Give it a `url`; the platform's chart has a SeaweedFS for trials.",
            )
        if store.url.startswith("file:"):
            path = self.layout.state / store.url.removeprefix("file:").removeprefix("//")
            return StoreAccess(name=name, url=path.as_uri())
        access, secret = (resolve(key, f"the store {name}") if key else "" for key in store.keys(removing=removing))
        return StoreAccess(name, store.url, store.endpoint, store.region, access, secret)

    def folder(self, name: str) -> Path:
        raise ConfigurationError(
            f"open the folder {name}", "folders in a cluster are volumes of pods", "Leave `folders` out of this spec."
        )

    def dagster_home(self) -> Path:
        make_enterable(self.layout.state)
        return DagsterHome(self.layout, Ports(self.layout.ports, self.layout.locks / "ports")).write()

    def reports(self) -> Path:
        return make_private(self.layout.reports)

    def scratch(self) -> Path:
        return make_enterable(self.layout.scratch)

    def drills(self) -> Path:
        make_enterable(self.layout.state)
        return make_enterable(self.layout.drills)

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

    def secret_values(self) -> Mapping[str, bytes]:
        """Those of the state folder."""
        return in_files(self.layout.secrets)

    def read_path(self, service: Service, database_url_file: Path) -> ReadPath:
        """The service by its `command` beside the restored copy, which lies on this side and not in the cluster:
        no pod could reach it. The restored data and the service's code are what is tested.
        """
        plain = {name: value for name, value in service.environment.items() if isinstance(value, str)}
        plain |= {
            name: str(database_url_file)
            for name, value in service.environment.items()
            if isinstance(value, DatabaseReference)
        }
        plain |= {"VERSION": service.version, "COLOUR": "read-path", "MEDIA_DIR": str(self.scratch())}
        return read_paths.started(service, program(service.command), plain, self.scratch())
