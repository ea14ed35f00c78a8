"""The local platform's doors: who may come in, and where its secrets are seen."""

from __future__ import annotations

import stat
from collections.abc import Iterator

import psutil
import pytest

from ecom_platform.clients.buckets import Buckets
from ecom_platform.clients.web import session
from ecom_platform.errors import EcomError
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.platforms.protocol import StoreAccess
from tests.platforms.conftest import Place


@pytest.fixture
def platform(place: Place) -> LocalPlatform:
    assert isinstance(place.platform, LocalPlatform)
    return place.platform


def secrets_of(platform: LocalPlatform) -> list[str]:
    files = [each for each in platform.layout.secrets.rglob("*") if each.is_file() and each.suffix != ".pem"]
    return [each.read_text().strip() for each in files if "access-key" not in each.name]


def family(platform: LocalPlatform) -> Iterator[psutil.Process]:
    number = platform.parts.supervisor.pid()
    assert number is not None
    supervisor = psutil.Process(number)
    yield supervisor
    yield from supervisor.children(recursive=True)


def test_secrets_lie_in_files_that_only_their_owner_reads(platform: LocalPlatform) -> None:
    for path in platform.layout.secrets.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert len(secrets_of(platform)) >= 8


def test_no_secret_is_in_an_argument_an_environment_or_a_log(platform: LocalPlatform, place: Place) -> None:
    place.platform.deploy(place.service("inner"), "blue")
    seen = [" ".join(each.cmdline()) + str(each.environ()) for each in family(platform)]
    seen += [each.read_text(errors="replace") for each in platform.layout.logs.glob("*")]
    seen += [each.read_text() for each in platform.layout.parts.glob("*")]
    for secret in secrets_of(platform):
        assert not any(secret in text for text in seen)


def test_everything_listens_on_loopback_alone(platform: LocalPlatform) -> None:
    listening = {
        (connection.laddr.ip, connection.laddr.port)
        for process in family(platform)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert {ip for ip, _ in listening} == {"127.0.0.1"}
    assert {port for _, port in listening} <= set(platform.ports.known().values())


def test_the_object_server_asks_for_its_credentials(platform: LocalPlatform) -> None:
    access = platform.store("far")
    stranger = Buckets(StoreAccess("far", "", access.endpoint, access_key=access.access_key, secret_key="guessed"))
    assert not stranger.takes_writes()
    with session(access.endpoint) as s3:
        assert s3.get("/contract-far").status == 403
        assert s3.send("DELETE", "/contract-far").status == 403


@pytest.mark.parametrize("path", ["/col/delete?collection=contract-far", "/dir/assign", "/dir/lookup?fileId=1,01"])
def test_the_object_servers_master_cannot_be_used_around_them(platform: LocalPlatform, path: str) -> None:
    with session(f"http://127.0.0.1:{platform.ports.of('s3/master')}") as master:
        assert master.get(path).status == 404


def test_the_object_servers_filer_and_volumes_cannot_be_used_around_them(platform: LocalPlatform) -> None:
    with session(f"http://127.0.0.1:{platform.ports.of('s3/filer')}") as filer:
        assert filer.send("DELETE", "/buckets/contract-far?recursive=true").status == 404
    with session(f"http://127.0.0.1:{platform.ports.of('s3/volume')}") as volume:
        assert volume.send("DELETE", "/1,01637037d6").status == 401
        assert volume.get("/1,01637037d6").status == 401


@pytest.mark.parametrize("door", ["s3/master-grpc", "s3/filer-grpc", "s3/volume-grpc", "s3/grpc"])
def test_the_object_servers_own_calls_need_a_certificate(platform: LocalPlatform, door: str) -> None:
    import grpc  # type: ignore[import-untyped]  # it brings no types

    with grpc.insecure_channel(f"127.0.0.1:{platform.ports.of(door)}") as channel:
        call = channel.unary_unary("/filer_pb.SeaweedFiler/DeleteEntry")
        with pytest.raises(grpc.RpcError) as refused:
            call(b"", timeout=5)
    assert refused.value.code() == grpc.StatusCode.UNAVAILABLE  # the handshake failed; UNIMPLEMENTED is an answer


def test_the_database_wants_a_password_from_the_superuser_too(platform: LocalPlatform) -> None:
    from ecom_platform.clients.sql import connect

    access = platform.postgres.superuser()
    with pytest.raises(EcomError, match="password"), connect(type(access)(access.url, "")):
        pass
    with connect(access) as connection:
        assert connection.execute("SHOW data_checksums").fetchone() == ("on",)
