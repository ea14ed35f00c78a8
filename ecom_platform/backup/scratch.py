"""Throw-away servers and databases in which a snapshot is proved; gone afterwards, whatever happened.

Goes here: making them, tuning them, room on the disk, finding what a killed process left.
Not here: what is restored into them (restore.py).
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ecom_platform.backup.fingerprint_sql import literal, quoted
from ecom_platform.backup.postgres_tools import tools_for
from ecom_platform.backup.restore import INDEX_JOBS
from ecom_platform.clients import postgres_server, sql
from ecom_platform.clients.memory import usable_bytes
from ecom_platform.errors import PreflightError
from ecom_platform.platforms.protocol import DatabaseAccess

SUPERUSER = "postgres"
PREFIX = "ecom_scratch_"
EMPTY_SERVER_BYTES = 350_000_000
"""An empty server is 40 MB; beside it 256 MB of WAL (max_wal_size) and what a checkpoint is late."""

GROWTH = 1.25
"""A restored database has no bloat, so it is at most as large as its source; the largest index is
sorted on disk while it is built, and no index had more than a quarter of its database."""

TEXT_GROWTH = 4.0
"""For a dump whose database size nobody wrote down: a row has 28 bytes beside its values and an index
entry about 20, so rows of 15 bytes of text grow fourfold; wider rows grow less (1.55 for the shop)."""

_SOCKET_PATH_BYTES = 107  # the kernel's limit, for the whole path with the file's name in it

_PACKAGED = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")

# Safe here only: what is lost in a crash is thrown away anyway.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    "checkpoint_timeout": "1d",
    "autovacuum": "off",
    "max_connections": "40",
    "max_prepared_transactions": "0",
    "dynamic_shared_memory_type": "mmap",  # a posix segment would outlive a killed server
    "jit": "off",
    "log_min_messages": "warning",
}


_MEMORY_SHARE = 16
"""Of what is usable: a small part, because the kernel's own cache of the files wants the rest."""

_LEAST_AND_MOST_MB = (128, 2048)
"""The least does for 2 GB; more than the most made no restore faster."""


def machine_settings(usable_bytes: int, cores: int) -> dict[str, str]:
    """A server that takes what the machine has to spare writes fewer pages twice. The workers of one index would take
    the cores of the others. Sorts stay at PostgreSQL's own 64 MB: more of it is slower, because no cache holds it.
    """
    least, most = _LEAST_AND_MOST_MB
    share = min(most, max(least, usable_bytes // _MEMORY_SHARE // 2**20))
    return {"shared_buffers": f"{share}MB", "max_parallel_maintenance_workers": str(max(0, cores // INDEX_JOBS - 1))}


def server_programs(source: int) -> Path:
    """Programs of a server that can take a dump of a server of that version (server_version_num).

    The nearest release that is not older: a packaged server of the source's own major version
    compares best and has libraries that the wheel's lacks. Raises PreflightError without any.
    """
    packaged = [folder for pattern in _PACKAGED for folder in sorted(Path("/").glob(pattern))]
    servers = [each for each in (postgres_server.wheel_programs(), *packaged) if (each / "postgres").exists()]
    return tools_for(source, tuple(servers)).folder


@dataclass(frozen=True, slots=True)
class ScratchServer:
    """A running throw-away server. admin: its superuser on the database postgres."""

    admin: DatabaseAccess
    folder: Path
    programs: Path

    def log_tail(self) -> str:
        return postgres_server.log_tail(self.folder)


def space_for(database_bytes: int = 0, plain_bytes: int = 0) -> int:
    """Bytes of disk that a verification needs: from the source's size, else from the dump's plain length."""
    content = database_bytes * GROWTH if database_bytes else plain_bytes * TEXT_GROWTH
    return int(content) + EMPTY_SERVER_BYTES


def check_space(folder: Path, needed: int) -> None:
    """Raises PreflightError if the folder's file system has less than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise PreflightError(
            f"restore in {folder}",
            f"{free / 1e9:.2f} GB are free, {needed / 1e9:.2f} GB are needed",
            "Make room, or set ECOM_STATE to a folder on a larger disk.",
        )


@contextmanager
def scratch_server(
    folder: Path, *, needed: int = 0, programs: Path | None = None, superuser: str = SUPERUSER
) -> Iterator[ScratchServer]:
    """A new PostgreSQL below `folder`, on a Unix socket and a loopback port, with a password.

    needed: bytes of disk that must be free. programs: another build's folder; the wheel's by default.
    superuser: the source's, so that what it owns and granted restores as it was.
    Leftovers of dead processes below `folder` are swept first. When this process is killed, the
    kernel ends the server, and the next sweep removes its folder.
    """
    programs = programs or postgres_server.wheel_programs()
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    check_space(folder, needed)
    with _own_folder(folder) as place:
        account = postgres_server.server_account()
        password = secrets.token_urlsafe(24)
        postgres_server.own_folder(place, account)
        postgres_server.initialise(place, programs, account, superuser=superuser, password=password)
        with _running(place, programs, account, superuser) as url:
            yield ScratchServer(DatabaseAccess(url, password), place, programs)


@contextmanager
def _running(place: Path, programs: Path, account: str | None, superuser: str) -> Iterator[str]:
    settings = machine_settings(usable_bytes(), os.cpu_count() or 1) | _SETTINGS
    for last in (False, False, True):
        where = _address(place, superuser)
        server = postgres_server.start(place, programs, account, settings | where.settings)
        try:
            try:
                postgres_server.wait_until_ready(server, programs, where.host, where.port)
            except PreflightError:
                if last or not postgres_server.port_taken(server):
                    raise
                continue  # somebody took the port since we saw it free
            yield where.url("postgres")
            return
        finally:
            postgres_server.stop(server.process)


def create_database(
    admin: DatabaseAccess, name: str, *, encoding: str = "UTF8", collation: str = "C"
) -> DatabaseAccess:
    """A new database with the collation if this server has it, else with one that orders by code points.

    Order is not part of what is compared, so another collation does not make another verdict.
    """
    import psycopg

    where = f"CREATE DATABASE {quoted(name)} TEMPLATE template0 ENCODING '{encoding}'"
    choices = [f"LC_COLLATE {literal(collation)} LC_CTYPE {literal(collation)}"]
    choices += ["LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"] if encoding == "UTF8" else []
    choices += ["LC_COLLATE 'C' LC_CTYPE 'C'"]
    with sql.connect(admin) as connection:
        for number, choice in enumerate(choices, start=1):
            try:
                connection.execute(f"{where} {choice}".encode())
                break
            except (psycopg.errors.WrongObjectType, psycopg.errors.SyntaxError, psycopg.errors.InvalidParameterValue):
                if number == len(choices):
                    raise
    return sql.with_database(admin, name)


@dataclass(frozen=True, slots=True)
class _Address:
    host: str
    port: int
    user: str
    settings: dict[str, str]

    def url(self, database: str) -> str:
        return sql.url(user=self.user, host=self.host, port=str(self.port), dbname=database)


def _address(place: Path, user: str) -> _Address:
    port = postgres_server.free_port()
    socket = str(place.resolve())
    fits = len(os.fsencode(f"{socket}/.s.PGSQL.{port}")) <= _SOCKET_PATH_BYTES
    settings = {
        "port": str(port),
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": socket if fits else "",
    }
    return _Address(socket if fits else "127.0.0.1", port, user, settings)


def loopback(access: DatabaseAccess) -> DatabaseAccess:
    """The same scratch database over TCP on loopback, for programs that know no Unix sockets."""
    return sql.with_host(access, "127.0.0.1")


@contextmanager
def scratch_database(
    admin: DatabaseAccess, *, encoding: str = "UTF8", collation: str = "C"
) -> Iterator[DatabaseAccess]:
    """A throw-away database on a server that somebody lends, dropped afterwards; those of dead processes
    are dropped first. admin: a role that may create databases, on any database of that server.
    """
    sweep_databases(admin)
    name = f"{PREFIX}{secrets.token_hex(4)}"
    with sql.connect(admin) as holder:
        # A lock of the session: it ends with this process, unlike the database.
        holder.execute(f"SELECT {_LOCK}", (name,))
        try:
            yield create_database(admin, name, encoding=encoding, collation=collation)
        finally:
            holder.execute(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)".encode())


_LOCK = "pg_catalog.pg_advisory_lock(pg_catalog.hashtextextended(%s, 0))"
_TRY_LOCK = _LOCK.replace("advisory_lock", "try_advisory_lock")


def sweep_databases(admin: DatabaseAccess) -> tuple[str, ...]:
    """Drops the scratch databases of processes that died; their names. Those in use stay."""
    query = "SELECT datname FROM pg_catalog.pg_database WHERE pg_catalog.starts_with(datname, %s) ORDER BY 1"
    removed = []
    with sql.connect(admin) as connection:
        for (name,) in sql.fetch(connection, query, (PREFIX,)):
            with connection.transaction():
                ours = sql.fetch(connection, f"SELECT {_TRY_LOCK}", (name,))[0][0]
            if ours:
                connection.execute(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)".encode())
                removed.append(name)
    return tuple(removed)


@contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """A new empty folder below `folder` but for its lock, gone afterwards; leftovers of dead processes are
    swept first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    with _own_folder(folder) as place:
        yield place


@contextmanager
def _own_folder(folder: Path) -> Iterator[Path]:
    """A new folder that this process holds by a lock; the lock dies with the process, unlike the folder."""
    with _sweep_lock(folder):
        place = folder / f"{PREFIX}{secrets.token_hex(4)}"
        place.mkdir(mode=0o700)
        held = os.open(place / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield place
    finally:
        with _sweep_lock(folder):
            _remove(place)
            os.close(held)


@contextmanager
def _sweep_lock(folder: Path) -> Iterator[None]:
    """Between making a folder and locking it nobody may sweep."""
    held = os.open(folder / ".sweep", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def sweep(folder: Path) -> tuple[str, ...]:
    """Ends the servers and removes the folders of processes that died; their names. Those in use stay."""
    if not folder.exists():
        return ()
    removed = []
    with _sweep_lock(folder):
        for place in sorted(folder.glob(f"{PREFIX}*")):
            if place.is_dir() and _abandoned(place):
                postgres_server.stop_leftover(place)
                _remove(place)
                removed.append(place.name)
    return tuple(removed)


def _remove(place: Path) -> None:
    """Also what was restored without the right to write or enter."""
    for inside, folders, _ in os.walk(place):
        for each in (Path(inside, name) for name in folders):
            if not each.is_symlink() and not os.access(each, os.R_OK | os.W_OK | os.X_OK):
                each.chmod(0o700)
    shutil.rmtree(place)


def _abandoned(place: Path) -> bool:
    held = os.open(place / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(held)
    return True
