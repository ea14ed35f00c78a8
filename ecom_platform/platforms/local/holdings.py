"""The half of the protocol that speaks of data: databases, stores, folders, keys, and folders to work in.

Not here: processes and services (platform.py), and how anything of this is kept (data.py, postgres.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from ecom_platform.backup.keyring import KeyRing
from ecom_platform.backup.sources.tree_reader import TreeReader
from ecom_platform.backup.sources.trees import LocalTree, Tree
from ecom_platform.clients.commands import Completed, run
from ecom_platform.platforms import replacement
from ecom_platform.platforms.local.commands import program
from ecom_platform.platforms.local.dagster_home import DagsterHome
from ecom_platform.platforms.local.data import Data
from ecom_platform.platforms.local.layout import Layout, make_enterable, make_private
from ecom_platform.platforms.local.lifecycle import Lifecycle
from ecom_platform.platforms.local.parts import Parts, quiet
from ecom_platform.platforms.local.postgres import Postgres, role_name
from ecom_platform.platforms.protocol import DatabaseAccess, StoreAccess, managed
from ecom_platform.settings import ROOT
from ecom_platform.spec import Database
from ecom_platform.verdicts import Verdict


class Holdings:
    """What LocalPlatform inherits; it sets the parts."""

    layout: Layout
    parts: Parts
    postgres: Postgres
    data: Data
    dagster: DagsterHome
    _life: Lifecycle

    def run_task(self, database: Database, command: Sequence[str], *, timeout: float, image: str = "") -> Completed:
        del image
        environment = self.data.task_environment(database)
        return run(program(command), timeout=timeout, check=True, environment=environment, folder=ROOT)

    def database(self, database: Database, role: Literal["owner", "app", "backup"]) -> DatabaseAccess:
        return self.data.database(database, role)

    def ensure_server(self, database: Database) -> bool:
        managed(database)
        with self._life.alone("the recovery of the database server", quiet):
            self._life.start_supervisor()
            return self.postgres.ensure(self.parts)

    def fence(self, database: Database, *, closed: bool) -> None:
        replacement.fence(self.postgres.superuser(), managed(database).name, closed=closed)

    def replacement(self, database: Database) -> DatabaseAccess:
        users = (role_name(database, "app"), role_name(database, "backup"))
        owner = role_name(managed(database), "owner")
        return replacement.make(self.postgres.superuser(), database.name, owner=owner, users=users)

    def put_in_place(self, database: Database) -> str:
        return replacement.put_in_place(self.postgres.superuser(), managed(database).name)

    def set_aside(self, database: Database) -> tuple[str, ...]:
        files = sorted(each.name for each in self.layout.postgres.glob("data.kept-*"))
        return (*files, *replacement.kept(self.postgres.superuser(), managed(database).name))

    def store(self, name: str, *, removing: bool = False) -> StoreAccess:
        return self.data.store(name, removing=removing)

    def folder(self, name: str) -> Path:
        return self.data.folder(name)

    def folder_tree(self, name: str) -> Tree:
        return LocalTree(name, TreeReader(str(self.folder(name))))

    def documents(self) -> Mapping[str, object]:
        return self.data.documents()

    def judge_documents(self, folder: Path) -> list[Verdict]:
        del folder  # ports are chosen anew where these are taken, and colours are switched: all of it would do
        return []

    def secret_values(self) -> Mapping[str, bytes]:
        return self.data.secret_values()

    def dagster_home(self) -> Path:
        return self.dagster.write()

    def reports(self) -> Path:
        return make_private(self.layout.reports)

    def scratch(self) -> Path:
        """Root's may be entered, not read: throw-away servers run below it under an account of their own."""
        return make_enterable(self.layout.scratch)

    def drills(self) -> Path:
        """Root's may be entered, as above: copies of the shop run below it."""
        return make_enterable(self.layout.drills)

    def keyring(self) -> KeyRing:
        return self.data.keyring()

    def recipients(self) -> tuple[str, ...]:
        return self.data.recipients()

    def identities(self) -> tuple[str, ...]:
        return self.data.identities()

    def signing_key(self) -> Path:
        return self.data.signing_key()
