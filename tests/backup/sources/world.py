"""What the tests of sets share: a database, a folder and a configuration, taken together into two stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ecom_platform.backup.catalogue import record_proof
from ecom_platform.backup.catalogue_reading import Catalogue, read_catalogue
from ecom_platform.backup.dump import dump_database
from ecom_platform.backup.manifest import Manifest
from ecom_platform.backup.signing import SigningKey, ensure_signing_key
from ecom_platform.backup.sources import complete, configuration
from ecom_platform.backup.sources.folder import folder_source
from ecom_platform.backup.sources.taking import Writing, take_snapshot
from ecom_platform.clients.objects import ObjectStore, open_store
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.platforms.protocol import DatabaseAccess, StoreAccess
from ecom_platform.settings import EXAMPLE_SPEC
from ecom_platform.spec import Shop
from ecom_platform.spec_file import read_spec
from tests.backup.dumps import CONTENT
from tests.backup.servers import ObjectServer, Postgres
from tests.backup.snapshots import KEYS, SHOP
from tests.backup.sources.trees import fill


@dataclass
class World:
    """began: when the run of the set began. members: id by source."""

    place: Path
    platform: LocalPlatform
    database: DatabaseAccess
    accesses: Sequence[StoreAccess]
    key: SigningKey
    began: datetime
    members: dict[str, str]

    @property
    def shop(self) -> Shop:
        return self.platform.shop

    @property
    def writing(self) -> Writing:
        return Writing(SHOP, self.accesses, KEYS.recipients, self.key, patience=timedelta(seconds=5))

    @property
    def folder(self) -> Path:
        return self.place / "media"

    def store(self, name: str = "local") -> ObjectStore:
        return open_store(next(each for each in self.accesses if each.name == name), patience=timedelta(seconds=5))

    def catalogue(self, name: str = "local") -> Catalogue:
        return read_catalogue(self.store(name), shop=SHOP, trusted=[self.key.public])

    def take_all(self) -> None:
        """Database, folder and configuration, as members of a new set."""
        self.began = datetime.now(UTC)
        taken = [
            dump_database(
                self.database,
                shop=SHOP,
                name="shop",
                stores=self.accesses,
                recipients=KEYS.recipients,
                signing_key=self.key,
                progress=lambda _: None,
            ),
            take_snapshot(folder_source("media", self.folder), self.writing),
            self.take_configuration(),
        ]
        self.members = {each.source: each.id for each in taken}

    def take_configuration(self) -> Manifest:
        documents = configuration.gather(self.platform, self.shop, self.key)
        return take_snapshot(configuration.configuration_source(documents), self.writing)

    def take_set(self) -> Manifest:
        return complete.take_set(self.members, self.began, self.writing)

    def record(self, manifest: Manifest, outcome: str = "passed", store: str = "local") -> None:
        """A proof of that outcome beside the snapshot."""
        record_proof(self.store(store), manifest, {"outcome": outcome, "verdicts": []}, self.key)

    def member(self, source: str, store: str = "local") -> Manifest:
        return next(each.manifest for each in self.catalogue(store).entries if each.manifest.id == self.members[source])


def make_world(postgres: Postgres, s3: ObjectServer, place: Path) -> World:
    database = postgres.create(f"world_{place.name}", CONTENT)
    (place / "store").mkdir()
    fill(place / "media")
    platform = LocalPlatform(read_spec(EXAMPLE_SPEC), place / "state")
    accesses = [
        StoreAccess("local", (place / "store").as_uri()),
        replace(s3.access(f"world/{place.name}"), name="cloud"),
    ]
    key = ensure_signing_key(platform.signing_key())
    made = World(place, platform, database, accesses, key, datetime.now(UTC), {})
    made.take_all()
    return made
