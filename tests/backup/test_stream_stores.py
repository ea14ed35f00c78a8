"""A folder and a bucket keep the same promises, also when the store or the network does not."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ecom_platform.clients.objects import ObjectStore, open_store
from ecom_platform.errors import (
    ConfigurationError,
    EcomError,
    MissingError,
    PermanentError,
    RefusedError,
    UnreachableError,
)
from ecom_platform.platforms.protocol import StoreAccess
from tests.backup.proxy import Proxy, proxy
from tests.backup.servers import ObjectServer, s3_client

LARGE = os.urandom(1 << 20) * 20
NOBODY: Callable[[str], bool] = lambda _: False  # noqa: E731  # a name for what the tests mean


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return open_store(StoreAccess("local", f"file://{tmp_path}/a folder"))
    server: ObjectServer = request.getfixturevalue("s3_server")
    return open_store(server.access(f"contract/{tmp_path.name}"))


@pytest.fixture
def misbehaving(s3_server: ObjectServer) -> Iterator[Proxy]:
    with proxy(s3_server.port) as server:
        yield server


def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return sorted(each.key for each in store.list(prefix))


def test_what_was_put_is_there_with_its_size_and_time(store: ObjectStore) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    store.put_new("a/b/c.json", b"content")
    (listed,) = store.list()
    assert (listed.key, listed.size) == ("a/b/c.json", 7)
    assert before < listed.modified < datetime.now(UTC) + timedelta(seconds=2)
    assert store.get("a/b/c.json") == b"content"
    assert store.exists("a/b/c.json")


def test_an_object_is_written_once(store: ObjectStore) -> None:
    store.put_new("a/b", b"first")
    with pytest.raises(RefusedError, match="written once"):
        store.put_new("a/b", b"second")
    assert store.get("a/b") == b"first"


def test_of_many_writers_of_one_key_one_wins(store: ObjectStore) -> None:
    together = threading.Barrier(8)

    def put(number: int) -> int | None:
        together.wait()
        try:
            store.put_new("a/race", str(number).encode())
        except RefusedError:
            return None
        return number

    with ThreadPoolExecutor(8) as pool:
        winners = [each for each in pool.map(put, range(8)) if each is not None]
    assert [store.get("a/race")] == [str(each).encode() for each in winners]


def test_a_large_object_comes_back_in_blocks(store: ObjectStore) -> None:
    with store.writer("a/large") as writer:
        for place in range(0, len(LARGE), 3 << 20):
            writer.write(LARGE[place : place + (3 << 20)])
    blocks = list(store.read("a/large"))
    assert b"".join(blocks) == LARGE
    assert len(blocks) > 4


def test_a_large_object_is_invisible_before_it_is_whole(store: ObjectStore) -> None:
    store.put_new("a/other", b"")
    writer = store.writer("a/large")
    with writer:
        writer.write(LARGE)
        assert keys(store) == ["a/other"]
    assert keys(store) == ["a/large", "a/other"]


def test_an_error_in_the_middle_leaves_nothing(store: ObjectStore) -> None:
    store.put_new("a/other", b"")
    with pytest.raises(KeyError):
        write_and_fail(store, "a/large")
    assert keys(store) == ["a/other"]
    assert store.abort_unfinished("a", datetime.now(UTC) + timedelta(days=1), NOBODY) == []


def write_and_fail(store: ObjectStore, key: str) -> None:
    with store.writer(key) as writer:
        writer.write(LARGE)
        raise KeyError


def test_what_is_not_there_is_missing(store: ObjectStore) -> None:
    store.put_new("a/other", b"")
    for action in (lambda: store.get("a/none"), lambda: list(store.read("a/none"))):
        with pytest.raises(MissingError, match="it is not there"):
            action()
    assert not store.exists("a/none")
    assert keys(store, "none") == []


def test_a_prefix_is_made_of_whole_segments(store: ObjectStore) -> None:
    for key in ("a/b/1", "a/b/2", "a/bc/3", "b/4"):
        store.put_new(key, b"")
    assert keys(store, "a/b") == ["a/b/1", "a/b/2"]


def test_removing_twice_is_like_removing_once(store: ObjectStore) -> None:
    store.put_new("a/b/1", b"")
    store.put_new("a/2", b"")
    store.delete("a/b/1")
    store.delete("a/b/1")
    assert keys(store) == ["a/2"]


def test_many_small_objects_come_back_each_under_its_key(store: ObjectStore) -> None:
    for number in range(50):
        store.put_new(f"many/{number}", str(number).encode())
    assert dict(store.get_many(f"many/{number}" for number in range(50))) == {
        f"many/{number}": str(number).encode() for number in range(50)
    }


def test_unfinished_uploads_are_swept_when_they_are_old_and_nobody_claims_them(
    store: ObjectStore, request: pytest.FixtureRequest
) -> None:
    store.put_new("a/other", b"")
    begin_and_die(store, "a/left", request)
    begin_and_die(store, "a/claimed", request)
    assert store.abort_unfinished("a", datetime.now(UTC) - timedelta(hours=1), NOBODY) == []
    later = datetime.now(UTC) + timedelta(hours=1)
    (swept,) = store.abort_unfinished("a", later, lambda key: "claimed" in key)
    assert "left" in swept
    assert len(store.abort_unfinished("a", later, NOBODY)) == 1
    assert keys(store) == ["a/other"]


def begin_and_die(store: ObjectStore, key: str, request: pytest.FixtureRequest) -> None:
    """What a process leaves that is killed while it writes."""
    if store.where.startswith("file:"):
        writer = store.writer(key)
        writer.write(LARGE)
        os.close(writer._file)  # type: ignore[attr-defined]  # as the kernel does it
        writer._file = None  # type: ignore[attr-defined]  # and nothing is tidied
        return
    client: Any = s3_client(request.getfixturevalue("s3_server"))
    path = store.where.split("/", 3)[3] + "/" + key
    upload = client.create_multipart_upload(Bucket="backups", Key=path)["UploadId"]
    client.upload_part(Bucket="backups", Key=path, UploadId=upload, PartNumber=1, Body=LARGE)


@pytest.mark.parametrize("key", ["../a", "a/../../b", "/a", "a//b", "", "a\0b"])
def test_a_key_cannot_leave_the_folder(tmp_path: Path, key: str) -> None:
    store = open_store(StoreAccess("local", f"file://{tmp_path}/store"))
    with pytest.raises(PermanentError, match="no plain path"):
        store.put_new(key, b"")


def test_files_and_folders_of_a_store_are_for_their_owner_alone(tmp_path: Path) -> None:
    open_store(StoreAccess("local", f"file://{tmp_path}/store")).put_new("a/b", b"")
    assert (tmp_path / "store" / "a").stat().st_mode & 0o077 == 0
    assert (tmp_path / "store" / "a" / "b").stat().st_mode & 0o077 == 0


def test_a_folder_that_is_not_there_is_not_an_empty_catalogue(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="not there"):
        list(open_store(StoreAccess("local", f"file://{tmp_path}/none")).list())


def test_wrong_keys_are_an_error_at_once(s3_server: ObjectServer) -> None:
    access = StoreAccess("cloud", "s3://backups/x", s3_server.access("x").endpoint, access_key="tests", secret_key="no")
    started = time.monotonic()
    with pytest.raises(PermanentError, match="403") as raised:
        open_store(access).put_new("a", b"")
    assert time.monotonic() - started < 5
    assert "secret-of-the-tests" not in str(raised.value)


@pytest.mark.parametrize("url", ["", "backups", "ftp://x/y", "s3:///x", "file:"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="is no address"):
        open_store(StoreAccess("local", url))


def write_large(store: ObjectStore, key: str) -> None:
    with store.writer(key) as writer:
        for place in range(0, len(LARGE), 1 << 20):
            writer.write(LARGE[place : place + (1 << 20)])


def test_a_time_of_503_is_survived(s3_server: ObjectServer, misbehaving: Proxy) -> None:
    """`make torture` makes it a minute, with the patience that dumps have."""
    store = open_store(s3_server.access("faults-503", port=misbehaving.port))
    misbehaving.mode = "unavailable"
    away = float(os.environ.get("AWAY_SECONDS", "3"))
    threading.Timer(away, lambda: setattr(misbehaving, "mode", "pass")).start()
    write_large(store, "large")
    store.put_new("small", b"x")
    assert misbehaving.seen["unavailable"] >= 3
    assert b"".join(store.read("large")) == LARGE


def test_a_connection_that_breaks_in_the_middle_of_a_part_is_survived(
    s3_server: ObjectServer, misbehaving: Proxy
) -> None:
    store = open_store(s3_server.access("faults-cut", port=misbehaving.port), patience=timedelta(seconds=60))
    misbehaving.mode, misbehaving.cut_bodies_over = "cut", 1 << 20
    threading.Timer(1.5, lambda: setattr(misbehaving, "mode", "pass")).start()
    write_large(store, "large")
    assert misbehaving.seen["cut"] >= 1
    assert b"".join(store.read("large")) == LARGE


def test_a_store_that_stays_away_is_unreachable_and_nothing_of_the_object_is_there(
    s3_server: ObjectServer, misbehaving: Proxy
) -> None:
    store = open_store(s3_server.access("faults-down", port=misbehaving.port), patience=timedelta(seconds=2))
    store.put_new("other", b"")
    started = time.monotonic()
    misbehaving.mode = "unavailable"
    with pytest.raises(UnreachableError, match="503"):
        write_large(store, "large")
    assert time.monotonic() - started < 10, "an upload that failed is not tried again to abort it"
    misbehaving.mode = "pass"
    assert keys(store) == ["other"]


def test_a_server_that_is_not_there_is_unreachable(s3_server: ObjectServer) -> None:
    with proxy(s3_server.port) as gone:
        port = gone.port
    store = open_store(s3_server.access("x", port=port), patience=timedelta(seconds=1))
    with pytest.raises(UnreachableError, match="write small"):
        store.put_new("small", b"")


def test_a_full_disk_is_said_and_leaves_nothing(small_disk: Path) -> None:
    store = open_store(StoreAccess("local", f"file://{small_disk}/store"))
    with pytest.raises(EcomError, match="the disk is full"):
        write_large(store, "large")
    assert keys(store) == []
    assert store.abort_unfinished("", datetime.now(UTC) + timedelta(days=1), NOBODY) == []
    store.put_new("small", b"there is room again")
