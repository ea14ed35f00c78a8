"""The database is restarted, the store is slow, full or lists late while a dump is made: what is left is true."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ecom_platform.backup.catalogue import find
from ecom_platform.backup.dump import Options
from ecom_platform.backup.manifest import new_id
from ecom_platform.backup.retention_apply import apply_retention
from ecom_platform.backup.retention_guard import Limits
from ecom_platform.backup.retention_policy import read_policy
from ecom_platform.clients.objects import open_store
from ecom_platform.clients.sql import connect
from ecom_platform.errors import EcomError, MissingError
from ecom_platform.platforms.protocol import DatabaseAccess
from tests.backup.disks import mounted
from tests.backup.dumps import CONTENT, Dumper, dumper
from tests.backup.proxy import proxy
from tests.backup.servers import ObjectServer, Postgres, object_server
from tests.backup.snapshots import SHOP
from tests.shop.server import running_postgres
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def shop(postgres_server: Postgres) -> str:
    postgres_server.create("dump_places", CONTENT)
    return "dump_places"


@pytest.fixture
def dumping(postgres_server: Postgres, s3_server: ObjectServer, tmp_path: Path, shop: str) -> Dumper:
    return dumper(postgres_server, s3_server, tmp_path, postgres_server.access(shop))


def test_a_database_that_restarts_in_the_middle_fails_the_dump_and_the_next_one_is_whole(
    dumping: Dumper,
) -> None:
    with running_postgres() as server:
        dumping.database = DatabaseAccess(
            f"postgresql://postgres@127.0.0.1:{server.port}/postgres", password=server.password
        )
        with connect(dumping.database) as connection:
            connection.execute(CONTENT.encode())

        def restart(text: str) -> None:
            if "read" in text:
                server.stop("immediate")
                server.start()

        with pytest.raises(EcomError, match=r"terminat|closed"):
            dumping.dump(Options(bytes_per_second=4e6), progress=restart)
        assert dumping.objects("local") == dumping.objects("cloud") == []
        assert dumping.dump().complete


def test_a_slow_store_slows_the_dump_and_nothing_else(dumping: Dumper, s3_server: ObjectServer, tmp_path: Path) -> None:
    with proxy(s3_server.port) as slow:
        dumping.stores[1] = s3_server.access(f"dump/{tmp_path.name}", port=slow.port)
        slow.mode = "slow"
        assert dumping.dump().complete
        assert slow.seen["slow"] > 0
        assert dumping.catalogue("cloud").problems == ()


def test_a_full_disk_of_the_s3_server_does_not_take_the_other_store_with_it(
    dumping: Dumper, postgres_server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "small").mkdir()
    with mounted(tmp_path / "small", megabytes=40) as small:
        monkeypatch.setattr(tempfile, "tempdir", str(small))
        with object_server() as server:
            monkeypatch.setattr(tempfile, "tempdir", None)
            dumping.stores[1] = server.access("full")
            assert dumping.dump().complete
            free = shutil.disk_usage(small).free
            (small / "filler").write_bytes(b"x" * (free - (1 << 20)))
            manifest = dumping.dump()
            assert manifest.stores["local"] == "stored"
            assert manifest.stores["cloud"].startswith("failed: ")
            (small / "filler").unlink()
            assert dumping.dump().complete
            assert dumping.catalogue("cloud").problems == ()
            assert len(dumping.catalogue("cloud").entries) == 2


def test_a_store_that_lists_late_loses_nothing_and_is_not_believed_to_be_whole(
    dumping: Dumper, s3_server: ObjectServer, tmp_path: Path
) -> None:
    with proxy(s3_server.port) as late:
        dumping.stores = [s3_server.access(f"late/{tmp_path.name}", port=late.port)]
        first = dumping.dump()
        dumping.catalogue("cloud")
        late.mode = "late"
        # Which is not told of the first: an id of the same second would be in no order with it.
        wait_until(lambda: new_id(datetime.now(UTC))[:16] > first.id[:16], seconds=5, what="the next second")
        second = dumping.dump()
        assert late.seen["late"] > 0
        store = open_store(dumping.stores[0], patience=timedelta(seconds=5))
        with pytest.raises(MissingError):
            find(store, second.id, shop=SHOP)
        policy, limits = read_policy({"keep-last": 1}, "x"), Limits(share=1.0)
        apply_retention(store, shop=SHOP, policy=policy, limits=limits, key=dumping.key, by="test", progress=print)
        late.mode = "pass"
        third = dumping.dump()
        assert third.previous is not None
        assert third.previous.id == second.id
        catalogue = dumping.catalogue("cloud")
        assert catalogue.problems == ()
        assert [each.manifest.id for each in catalogue.of(None)] == [third.id, second.id, first.id]
