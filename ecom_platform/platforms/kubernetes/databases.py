"""What a shop in a cluster keeps, as backups and recoveries see it: its databases, stores, objects and secrets.

Not here: how a database is dumped or restored, and what a release does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ecom_platform.clients.commands import Completed
from ecom_platform.errors import MissingError, PreflightError
from ecom_platform.platforms import replacement
from ecom_platform.platforms.kubernetes import inside, objects, scratch, secrets, tasks
from ecom_platform.platforms.kubernetes.life import Life
from ecom_platform.platforms.kubernetes.names import DATABASE, DATABASE_PORT
from ecom_platform.platforms.kubernetes.reach import Reach
from ecom_platform.platforms.protocol import DatabaseAccess, StoreAccess, managed
from ecom_platform.secret_values import resolve
from ecom_platform.spec import Database
from ecom_platform.verdicts import Verdict


class Databases(Life):
    """The half of the platform that holds data."""

    def store(self, name: str, *, removing: bool = False) -> StoreAccess:
        store = self.shop.stores.get(name)
        if store is not None and store.managed and self.operated_inside:
            return self.installation.store(name, removing=removing)
        return super().store(name, removing=removing)

    def documents(self) -> Mapping[str, object]:
        """Objects of the shop's namespaces and the release, without run-time state and secret values."""
        found = objects.documents(self.cluster, self._namespaces())
        where = f"helm/{self.names.namespace}"
        try:
            state = self.release.state()
        except PreflightError as error:  # no Helm here, as in the pod of a run
            return {**found, f"{where}/not-read.json": {"releases": error.seen}}
        if state is not None:
            release = {"revision": state.revision, "chart": self.release.chart.name, "values": self.release.values()}
            found[f"{where}/{self.names.release}.json"] = release
        return found

    def judge_documents(self, folder: Path) -> list[Verdict]:
        """Offers every restored object to the API server in a scratch namespace, gone afterwards."""
        if not self.shop.kubernetes.scratch_namespaces:
            return []
        return [scratch.rehearsed(self.cluster, objects.restored(folder))]

    def secret_values(self) -> Mapping[str, bytes]:
        return {**super().secret_values(), **objects.secret_values(self.cluster, self._namespaces())}

    def _namespaces(self) -> list[str]:
        own = (self.names.namespace, self.names.database_namespace, self.names.platform_namespace)
        return [each for each in dict.fromkeys(own) if self.cluster.find("namespaces", each) is not None]

    def run_task(self, database: Database, command: Sequence[str], *, timeout: float, image: str = "") -> Completed:
        del database  # the chart has one, and its migration's secrets lead to it
        self.install()
        return tasks.run_task(self.cluster, self.names, command, timeout=timeout, image=image)

    def database(self, database: Database, role: secrets.Role) -> DatabaseAccess:
        from ecom_platform.clients import sql

        if database.url is not None:
            return sql.split_url(resolve(database.url, f"the database {database.name}"))
        return self._access(database.name, role)

    def _access(self, database: str, role: secrets.Role) -> DatabaseAccess:
        """Raises ConfigurationError for a role that pods of runs do not have."""
        from ecom_platform.clients import sql

        where = self.names.database_namespace
        if self.cluster.find("services", DATABASE, where) is None:
            raise MissingError(f"reach the database {database}", "the shop is not installed", "Run `ecom up`.")
        host, _, port = Reach(self.cluster, where).service(DATABASE, DATABASE_PORT, DATABASE_PORT).rpartition(":")
        url = sql.url(user=secrets.user(role), host=host, port=port, dbname=database)
        if self.cluster.inside:
            password = resolve(inside.mounted("database", f"{database}-{role}"), f"the role {role} of {database}")
        else:
            password = secrets.read_password(self.cluster, self.names, role)
        return DatabaseAccess(url, password)

    def ensure_server(self, database: Database) -> bool:
        """The cluster itself starts a server that died; one whose volume is gone begins with an empty database."""
        managed(database)
        self._wait_for_database()
        return False

    def fence(self, database: Database, *, closed: bool) -> None:
        replacement.fence(self._superuser(), managed(database).name, closed=closed)

    def replacement(self, database: Database) -> DatabaseAccess:
        owner, users = secrets.user("owner"), (secrets.user("app"), secrets.user("backup"))
        return replacement.make(self._superuser(), managed(database).name, owner=owner, users=users)

    def put_in_place(self, database: Database) -> str:
        return replacement.put_in_place(self._superuser(), managed(database).name)

    def set_aside(self, database: Database) -> tuple[str, ...]:
        return replacement.kept(self._superuser(), managed(database).name)

    def _superuser(self) -> DatabaseAccess:
        return self._access("postgres", "superuser")
