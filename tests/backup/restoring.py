"""Real archives of pg_dump, as a restore gets them, and databases to dump; for the tests of proof."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ecom_platform.backup.fingerprints import Fingerprint, fingerprint
from ecom_platform.backup.restore import Copy, Write
from ecom_platform.backup.verification import Verification, verify_snapshot
from ecom_platform.clients import sql
from ecom_platform.platforms.protocol import DatabaseAccess
from tests.backup.servers import PG_BIN, Postgres

EVERYTHING = Path(__file__).with_name("everything.sql")

SHOP = """
CREATE TABLE products (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, price numeric(8, 2));
CREATE TABLE orders (
    id serial PRIMARY KEY, product bigint NOT NULL REFERENCES products, quantity integer CHECK (quantity > 0)
);
CREATE INDEX orders_product ON orders (product);
CREATE VIEW cheap AS SELECT * FROM products WHERE price < 10;
INSERT INTO products (name, price) SELECT 'product ' || i, i FROM generate_series(1, 50) i;
INSERT INTO orders (product, quantity) SELECT 1 + i % 50, 1 + i % 3 FROM generate_series(1, 2000) i;
"""


def run_program(name: str, access: DatabaseAccess, *options: str, programs: Path = PG_BIN) -> bytes:
    argv: list[str | Path] = [programs / name, f"--dbname={access.url}", "--no-password", *options]
    environment = {**os.environ, **sql.libpq_environment(access)}
    done = subprocess.run(argv, env=environment, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def load(access: DatabaseAccess, script: Path) -> None:
    """Statement by statement, as psql does it; fails at the first error."""
    run_program("psql", access, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--file={script}")


def execute(access: DatabaseAccess, *statements: str) -> None:
    with sql.connect(access) as connection:
        for each in statements:
            connection.execute(each.encode())


def read_fingerprint(access: DatabaseAccess) -> Fingerprint:
    """As a dump reads it: in one transaction."""
    with sql.connect(access, autocommit=False) as connection:
        return fingerprint(connection)


def dump(access: DatabaseAccess, *options: str, programs: Path = PG_BIN) -> bytes:
    return run_program("pg_dump", access, "--format=custom", "--compress=0", *options, programs=programs)


def archives_of(access: DatabaseAccess, largest: str = "", programs: Path = PG_BIN) -> dict[str, bytes]:
    """The archives of a snapshot by name; `largest` names a table that gets an archive of its own."""
    options = ["--roles-only", "--no-role-passwords"]
    found = {
        "schema": dump(access, "--section=pre-data", "--section=post-data", programs=programs),
        "roles": run_program("pg_dumpall", access, *options, programs=programs),
    }
    rest = []
    if largest:
        found["largest"] = dump(access, "--section=data", f"--table={largest}", programs=programs)
        rest = [f"--exclude-table-data={largest}"]
    return found | {"data": dump(access, "--section=data", *rest, programs=programs)}


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that the account of a server can enter; pytest's own are closed to all but root."""
    with tempfile.TemporaryDirectory(prefix="ecom-scratch-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def copies(archives: Mapping[str, bytes]) -> dict[str, Copy]:
    return {name: partial(_copy, content) for name, content in archives.items()}


def _copy(content: bytes, write: Write) -> None:
    for at in range(0, len(content), 65536):
        write(content[at : at + 65536])


@dataclass(frozen=True)
class Snapshot:
    """A database and what was taken of it."""

    access: DatabaseAccess
    fingerprint: Mapping[str, Any]
    archives: Mapping[str, bytes]


def taken(server: Postgres, name: str, script: str = SHOP) -> Snapshot:
    access = server.create(name, script)
    return Snapshot(access, read_fingerprint(access).model_dump(mode="json"), archives_of(access, largest="orders"))


def verify(folder: Path, fingerprint: Mapping[str, Any], archives: Mapping[str, bytes]) -> Verification:
    """Judged, and nothing left in the folder."""
    verification = verify_snapshot(fingerprint, copies(archives), scratch_folder=folder)
    assert [each.name for each in folder.iterdir()] == [".sweep"]
    return verification


def wrong(verification: Verification) -> list[str]:
    """What was seen of each claim that does not hold."""
    return [each.seen for each in verification.verdicts if not each.passed]
