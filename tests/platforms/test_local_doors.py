"""The local platform's doors: who may come in, and where its secrets are seen."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError

from ecom_platform.clients.buckets import Buckets
from ecom_platform.clients.objects import open_store
from ecom_platform.clients.web import session
from ecom_platform.errors import EcomError, RefusedError
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


def test_who_takes_backups_can_add_to_the_object_server_and_destroy_nothing(platform: LocalPlatform) -> None:
    """What somebody who stole the keys of the dump's side would try."""
    store, bucket, key = open_store(platform.store("far")), "contract-far", "kept/first"
    store.put_new(key, b"a backup")
    with pytest.raises(RefusedError, match="may not delete"):
        store.delete(key)
    client: Any = store._boto  # type: ignore[attr-defined]  # the same keys, other calls
    version = client.list_object_versions(Bucket=bucket, Prefix=key)["Versions"][0]["VersionId"]
    attempts: list[Callable[[], object]] = [
        lambda: client.delete_object(Bucket=bucket, Key=key),
        lambda: client.delete_object(Bucket=bucket, Key=key, VersionId=version),
        lambda: client.delete_bucket(Bucket=bucket),
        lambda: client.delete_bucket_policy(Bucket=bucket),
        lambda: client.put_bucket_policy(Bucket=bucket, Policy="{}"),
        lambda: client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}),
        lambda: client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=AT_ONCE),
        lambda: client.put_object_lock_configuration(Bucket=bucket, ObjectLockConfiguration={}),
    ]
    for attempt in attempts:
        with pytest.raises(ClientError, match="AccessDenied"):
            attempt()
    answer = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})
    assert [each["Code"] for each in answer["Errors"]] == ["AccessDenied"]
    client.put_object(Bucket=bucket, Key=key, Body=b"ransom")
    old = client.get_object(Bucket=bucket, Key=key, VersionId=version)["Body"].read()
    assert old == b"a backup", "what was overwritten is there as an older version"
    removing = open_store(platform.store("far", removing=True))
    removing.delete(key)
    assert "Versions" not in client.list_object_versions(Bucket=bucket, Prefix=key)


AT_ONCE = {"Rules": [{"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}]}


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
