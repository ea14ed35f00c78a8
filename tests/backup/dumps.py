"""What the tests of the dump share: a database with content, two stores, and a dump of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event

from ecom_platform.backup.catalogue import Catalogue, copy_archive, read_catalogue
from ecom_platform.backup.dump import Options, dump_database
from ecom_platform.backup.manifest import Manifest
from ecom_platform.backup.signing import SigningKey
from ecom_platform.clients.objects import ObjectStore, open_store
from ecom_platform.platforms.protocol import DatabaseAccess, StoreAccess
from tests.backup.servers import ObjectServer, Postgres
from tests.backup.snapshots import KEYS, SHOP, SOURCE, signing_key

CONTENT = """
CREATE TABLE accounts(id int PRIMARY KEY, balance bigint NOT NULL);
INSERT INTO accounts SELECT n, 1000 FROM generate_series(1, 1000) AS n;
CREATE TABLE lines(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, account int REFERENCES accounts, note text);
INSERT INTO lines(account, note) SELECT 1 + n % 1000, repeat(md5(n::text), 4) FROM generate_series(1, 60000) AS n;
CREATE VIEW rich AS SELECT * FROM accounts WHERE balance > 1000;
SELECT lo_from_bytea(0, 'a large object');
"""

QUICK = Options(patience=timedelta(seconds=2))


@dataclass
class Dumper:
    """Dumps one database into stores of a test's own."""

    database: DatabaseAccess
    stores: list[StoreAccess]
    key: SigningKey = field(default_factory=signing_key)
    said: list[str] = field(default_factory=list)

    def dump(self, options: Options = QUICK, progress: Callable[[str], None] | None = None) -> Manifest:
        return dump_database(
            self.database,
            shop=SHOP,
            name=SOURCE.partition("/")[2],
            stores=self.stores,
            recipients=KEYS.recipients,
            signing_key=self.key,
            progress=progress or self.said.append,
            options=options,
        )

    def store(self, name: str) -> ObjectStore:
        return open_store(next(each for each in self.stores if each.name == name), patience=timedelta(seconds=10))

    def catalogue(self, name: str) -> Catalogue:
        return read_catalogue(self.store(name), shop=SHOP, trusted=[self.key.public])

    def archive(self, name: str, manifest: Manifest, archive: str) -> bytes:
        found: list[bytes] = []
        copy_archive(self.store(name), manifest, archive, KEYS, found.append)
        return b"".join(found)

    def objects(self, name: str) -> list[str]:
        return sorted(each.key for each in self.store(name).list())


def dumper(postgres: Postgres, s3: ObjectServer, tmp_path: Path, database: DatabaseAccess) -> Dumper:
    (tmp_path / "store").mkdir()
    local = StoreAccess("local", f"file://{tmp_path}/store")
    return Dumper(database, [local, s3.access(f"dump/{tmp_path.name}")])


class Pause:
    """A progress callback that holds the dump at its first word of an archive, until it is let go."""

    def __init__(self) -> None:
        self.reached, self.go_on = Event(), Event()

    def __call__(self, text: str) -> None:
        self.reached.set()
        assert self.go_on.wait(60)
