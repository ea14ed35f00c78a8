"""Makes a database ready to be restored into, and tells when it is not: roles, leftovers, the write-ahead log.

Goes here: what happens to the target before and around the data. Not here: the programs that restore
(restore.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from ecom_platform.backup import schema_fingerprint
from ecom_platform.backup.fingerprint_sql import literal, quoted
from ecom_platform.backup.fingerprints import Facts, Fingerprint, large_objects, pinned
from ecom_platform.backup.restore import Copy, open_spool
from ecom_platform.clients import sql
from ecom_platform.clients.commands import run
from ecom_platform.errors import RefusedError

if TYPE_CHECKING:
    from ecom_platform.clients.sql import Connection
    from ecom_platform.platforms.protocol import DatabaseAccess


def run_roles(copy: Copy, admin: DatabaseAccess, programs: Path, folder: Path) -> list[str]:
    """Runs an archive of roles (SQL of pg_dumpall); its errors. That the superuser is there is none."""
    script = folder / "roles.sql"
    with open_spool(script) as file:
        copy(file.write)
        # The source's superuser may be barred from logging in, or have settings: here it is we ourselves.
        me = quoted(sql.user_of(admin))
        file.write(
            f"\nALTER ROLE {me} LOGIN SUPERUSER PASSWORD {literal(admin.password)} VALID UNTIL 'infinity';".encode()
        )
        file.write(f"\nALTER ROLE {me} CONNECTION LIMIT -1;\nALTER ROLE {me} RESET ALL;\n".encode())
    argv: list[str | Path] = [programs / "psql", f"--dbname={admin.url}", "--no-psqlrc", "--quiet", "--no-password"]
    environment = sql.libpq_environment(admin)
    done = run([*argv, f"--file={script}"], timeout=600, check=False, environment=environment, keep=None)
    errors = [line.partition("ERROR:")[2].strip() for line in done.stderr.splitlines() if "ERROR:" in line]
    there = f'role "{sql.user_of(admin)}" already exists'
    return [each for each in errors if each != there] + ([] if done.code == 0 else [f"psql: exit code {done.code}"])


def create_roles(admin: DatabaseAccess, roles: Iterable[str]) -> tuple[str, ...]:
    """Makes those roles that are not there, without the right to log in; the new ones."""
    with sql.connect(admin) as connection:
        known = {name for (name,) in sql.fetch(connection, "SELECT rolname FROM pg_catalog.pg_roles")}
        missing = tuple(name for name in roles if name not in known)
        for name in missing:
            connection.execute(f"CREATE ROLE {quoted(name)} NOLOGIN".encode())
    return missing


def what_is_there(connection: Connection) -> tuple[str, ...]:
    """Names of what the database holds; empty for a new one. Extensions may be there already."""
    with pinned(connection):
        found = schema_fingerprint.objects(connection)
        objects = large_objects(connection).rows
    names = [each for each in found if each != _PUBLIC and not each.startswith(("extension ", "comment extension "))]
    return (*names, *([f"{objects:,} large objects"] if objects else []))


_PUBLIC = "schema public"


def refuse_unfit(expected: Fingerprint, found: Facts, target: DatabaseAccess, there: Sequence[str]) -> None:
    """Raises RefusedError if the target holds anything, or is of a kind that cannot hold the snapshot."""
    tried = f"restore into {target.url}"
    if there:
        shown = ", ".join(there[:3]) + (f" and {len(there) - 3:,} more" if len(there) > 3 else "")
        raise RefusedError(tried, f"it is not empty: {shown}", "Nothing is overwritten: name a new, empty database.")
    if found.encoding != expected.encoding:
        raise RefusedError(
            tried,
            f"its encoding is {found.encoding}, the snapshot's {expected.encoding}",
            f"CREATE DATABASE ... TEMPLATE template0 ENCODING '{expected.encoding}'",
        )
    if found.server // 10000 < expected.server // 10000:
        raise RefusedError(
            tried,
            f"its server is PostgreSQL {found.server // 10000}, the snapshot's {expected.server // 10000}",
            "A dump restores into its own version or a newer one.",
        )


def drop_unknown_public(expected: Fingerprint, target: DatabaseAccess) -> None:
    """A new database has the schema public; one that was dumped may not, and a dump does not say so."""
    if _PUBLIC not in expected.objects:
        with sql.connect(target) as connection:
            connection.execute("DROP SCHEMA IF EXISTS public")


class WithoutLog:
    """Keeps a throw-away database's tables out of the write-ahead log while they are filled (an eighth of
    a restore's work) by marking them unlogged in the catalogue, and back. Without a crash the mark has no
    other effect; a server whose data matters must never be treated so.
    """

    def __init__(self, target: DatabaseAccess) -> None:
        self._target = target
        self._marked: list[int] = []

    def off(self) -> None:
        query = """UPDATE pg_catalog.pg_class SET relpersistence = 'u'
                   WHERE oid >= 16384 AND relpersistence = 'p' AND relkind IN ('r', 't', 'i') RETURNING oid"""
        with self._superuser() as connection:
            self._marked = [oid for (oid,) in sql.fetch(connection, query)]

    def on(self) -> None:
        with self._superuser() as connection:
            connection.execute(
                "UPDATE pg_catalog.pg_class SET relpersistence = 'p' WHERE oid = ANY (%s::oid[])", (self._marked,)
            )

    def _superuser(self) -> AbstractContextManager[Connection]:
        return sql.connect(self._target, settings={"allow_system_table_mods": "on"})
