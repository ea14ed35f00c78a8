"""The managed PostgreSQL: its cluster, its databases, and a role with a password for each use of each.

Roles of a database `shop`: shop_owner (migrations), shop_app (the services; migrations grant it what
it needs), shop_backup (reads everything, writes nothing). Not here: when it starts.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from ecom_platform.clients import launcher
from ecom_platform.clients.postgres_server import server_account, wheel_programs
from ecom_platform.clients.processes import find, works_in
from ecom_platform.clients.supervisor import Program, replace_text
from ecom_platform.errors import DeadlineExceeded, UnreachableError
from ecom_platform.platforms.local.layout import Layout
from ecom_platform.platforms.local.parts import Part, PartFailed, Parts
from ecom_platform.platforms.local.ports import Ports
from ecom_platform.platforms.local.secrets import kept, password
from ecom_platform.platforms.protocol import DatabaseAccess
from ecom_platform.spec import Database, Shop

NAME = "postgres"
SUPERUSER = "postgres"
Role = Literal["owner", "app", "backup"]
ROLES: tuple[Role, ...] = ("owner", "app", "backup")

MAKERS = ("initdb", "postgres")
INITDB_SECONDS = 120
"""A cluster is made in about 1 s; the time is for slow disks, because it is made once."""

RECOVERY_SECONDS = 600.0
"""After a crash it reads up to max_wal_size of log before it answers: seconds, minutes on a slow disk."""

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "128MB",  # the example shop's hot tables; the rest is the system's cache
    "effective_cache_size": "1GB",
    "maintenance_work_mem": "64MB",
    "random_page_cost": "1.1",  # laptops have solid-state disks
    "max_wal_size": "1GB",
    "wal_compression": "on",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_checkpoints": "off",
}


@dataclass(frozen=True)
class Postgres:
    """One server for all managed databases of a shop."""

    layout: Layout
    ports: Ports
    shop: Shop

    @property
    def data(self) -> Path:
        return self.layout.postgres / "data"

    def managed(self) -> tuple[Database, ...]:
        return tuple(each for each in self.shop.databases if each.managed)

    def part(self) -> Part:
        return Part(
            self._program(),
            ready=self._answers,
            before=self._prepare,
            done=self.make_databases,
            seconds=RECOVERY_SECONDS,
            patience=RECOVERY_SECONDS,
        )

    def ensure(self, parts: Parts) -> bool:
        """The server answers; if it cannot be brought up with its files, they are kept aside and it begins anew.

        True if it began anew, with empty databases.
        """
        anew = not self.data.exists()
        if anew:
            # One that tries to start by itself, again and again, would be taken for one that runs already.
            parts.end([NAME])
        try:
            parts.bring_up([self.part()], _quiet)
        except (PartFailed, DeadlineExceeded):
            if anew:
                raise
            parts.end([NAME])
            self.data.rename(self.data.with_name(f"data.kept-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"))
            parts.bring_up([self.part()], _quiet)
            return True
        return anew

    def _program(self) -> Program:
        settings = {**SETTINGS, "port": str(self.ports.of(NAME)), "cluster_name": self.shop.shop}
        argv = [str(wheel_programs() / "postgres"), "-D", str(self.data)]
        argv += [f"--{name}={value}" for name, value in settings.items()]
        return Program(
            NAME,
            tuple(argv),
            folder=str(self.layout.postgres),
            environment={"LC_ALL": "C"},
            account=server_account(),
            stop_signal="INT",  # fast: sends clients away, then a checkpoint
            stop_seconds=30,
        )

    def _prepare(self) -> None:
        """Make the cluster, at once or not at all; take away what a killed server left in the way."""
        self.ports.refuse_taken(NAME)
        account = server_account()
        self.layout.postgres.mkdir(mode=0o700, exist_ok=True)
        if account:
            shutil.chown(self.layout.postgres, account)
        if not self.data.exists():
            self._initialise(account)
        pidfile = self.data / "postmaster.pid"
        if pidfile.exists() and not self.processes():
            # Its number may belong to another program by now, and the server would refuse to start.
            pidfile.unlink()

    def processes(self) -> list[int]:
        """Numbers of all processes of this server, which work in its data folder."""
        return [each.pid for each in find(lambda each: works_in(each, self.data))]

    def leftovers(self) -> list[int]:
        """Those, and whoever makes the cluster's files, which a killed start leaves at work below our folder.

        By name, because a person's shell may stand there too.
        """
        makers = find(lambda each: each.name() in MAKERS and Path(each.cwd()).is_relative_to(self.layout.postgres))
        return sorted({*self.processes(), *(each.pid for each in makers)})

    def _initialise(self, account: str | None) -> None:
        fresh, secret = self.layout.postgres / "data.new", self.layout.postgres / "password"
        shutil.rmtree(fresh, ignore_errors=True)
        replace_text(secret, kept(self.layout.secrets / "postgres-superuser", password))
        if account:
            shutil.chown(secret, account)
        argv = [str(wheel_programs() / "initdb"), f"--pgdata={fresh}", f"--username={SUPERUSER}"]
        argv += ["--auth=scram-sha-256", f"--pwfile={secret}", "--data-checksums", "--encoding=UTF8"]
        argv += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        program = Program("initdb", tuple(argv), str(self.layout.postgres), {"LC_ALL": "C"}, account)
        try:
            launcher_run(program, self.layout.postgres / "initdb.json")
        finally:
            secret.unlink()
        fresh.rename(self.data)

    def access(self, database: str, role: str, secret: str) -> DatabaseAccess:
        where = f"127.0.0.1:{self.ports.of(NAME)}/{quote(database, safe='')}"
        return DatabaseAccess(f"postgresql://{quote(role, safe='')}@{where}", kept(self._secret(secret), password))

    def _secret(self, name: str) -> Path:
        return self.layout.secrets / name

    def superuser(self, database: str = "postgres") -> DatabaseAccess:
        return self.access(database, SUPERUSER, "postgres-superuser")

    def of(self, database: Database, role: Role) -> DatabaseAccess:
        name = role_name(database, role)
        return self.access(database.name, name, f"postgres-{name}")

    def _answers(self) -> bool:
        from ecom_platform.clients.sql import connect

        try:
            with connect(self.superuser(), timeout=2):
                return True
        except UnreachableError:
            return False

    def make_databases(self) -> None:
        """Every managed database of the spec with its roles; what is there already stays."""
        from ecom_platform.clients.sql import connect
        from ecom_platform.platforms.local import postgres_roles

        with connect(self.superuser()) as connection:
            for database in self.managed():
                roles = {role: (role_name(database, role), self.of(database, role).password) for role in ROLES}
                postgres_roles.make(connection, database.name, roles)
            closed = postgres_roles.closed(connection)
        for database in self.managed():
            if database.name in closed:
                continue  # somebody recovers it; nobody gets in meanwhile
            with connect(self.superuser(database.name)) as connection:
                postgres_roles.own_schema(connection, role_name(database, "owner"))


def _quiet(name: str, what: str) -> None:
    del name, what


def role_name(database: Database, role: str) -> str:
    return f"{database.name}_{role}"


def launcher_run(program: Program, definition: Path) -> None:
    """Run a program of an account to its end. Raises CommandFailed."""
    import json
    import sys
    from dataclasses import asdict

    from ecom_platform.clients.commands import run

    replace_text(definition, json.dumps(asdict(program)))
    try:
        argv = [sys.executable, "-I", "-S", launcher.__file__, str(definition)]
        run(argv, timeout=INITDB_SECONDS, check=True, environment={"HOME": os.devnull})
    finally:
        definition.unlink()
