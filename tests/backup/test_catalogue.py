"""The catalogue tells the truth about a store, and whatever somebody did to the store shows."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ecom_platform.backup import catalogue
from ecom_platform.backup.manifest import MANIFEST, Status
from ecom_platform.backup.signing import ensure_signing_key, open_record, read_signing_key
from ecom_platform.clients.objects import open_store
from ecom_platform.errors import ConfigurationError, MissingError, UnreachableError
from ecom_platform.platforms.protocol import StoreAccess
from tests.backup.catalogues import archive, problems, read, statuses
from tests.backup.servers import ObjectServer
from tests.backup.snapshots import CONTENT, SHOP, SOURCE, Taker, signing_key


def test_snapshots_are_listed_newest_first_and_open(taker: Taker) -> None:
    taken = [taker.take() for _ in range(3)]
    (store,) = taker.stores
    listed = catalogue.snapshots(store, shop=SHOP, trusted=taker.trusted)
    assert [each.id for each in listed] == [each.id for each in reversed(taken)]
    assert listed == list(reversed(taken))
    assert {name: archive(store, listed[0], name) for name in listed[0].archives} == CONTENT
    assert statuses(taker) == [Status.STORED] * 3


def test_a_snapshot_is_found_by_latest_by_id_and_by_its_beginning(taker: Taker) -> None:
    first, second = taker.take(), taker.take()
    (store,) = taker.stores
    assert catalogue.find(store, "latest", SOURCE) == second
    assert catalogue.find(store, first.id) == first
    assert catalogue.find(store, first.id[:-3]) == first
    with pytest.raises(MissingError, match="not among 2"):
        catalogue.find(store, "2019")
    with pytest.raises(MissingError, match="2 begin with that"):
        catalogue.find(store, first.id[:4])
    with pytest.raises(MissingError, match="not among 0"):
        catalogue.find(store, "latest", "database/other")


def test_sources_have_chains_of_their_own(local: Taker) -> None:
    local.take()
    other = local.take(source="database/other")
    second = local.take()
    assert other.previous is None
    assert second.previous is not None
    assert problems(local) == []
    assert catalogue.find(local.stores[0], "latest", "database/other") == other


def test_a_snapshot_is_proved_failed_and_proved_again_by_records_of_its_own(taker: Taker) -> None:
    (store,) = taker.stores
    first, second = taker.take(), taker.take()
    seen = []
    for outcome in ("inconclusive", "passed", "failed", "inconclusive", "passed"):
        catalogue.record_proof(store, first, {"outcome": outcome, "tables": 3}, taker.key)
        seen.append(catalogue.status(store, first, trusted=taker.trusted))
    assert seen == [Status.STORED, Status.PROVED, Status.FAILED, Status.FAILED, Status.PROVED]
    assert catalogue.status(store, second, trusted=taker.trusted) is Status.STORED
    entry = catalogue.find_entry(read(taker), "x", first.id)
    assert [each.verification["tables"] for each in entry.proofs] == [3] * 5
    assert entry.proved_at == entry.proofs[-1].at


def test_a_hold_keeps_until_it_is_let_go(taker: Taker) -> None:
    (store,) = taker.stores
    taken = taker.take()
    catalogue.record_hold(store, taken, held=True, by="ann", reason="audit", key=taker.key)
    assert read(taker).entries[0].held is not None
    catalogue.record_hold(store, taken, held=False, by="ann", reason="audit is over", key=taker.key)
    assert read(taker).entries[0].held is None


def test_a_manifest_tells_which_stores_have_the_snapshot(tmp_path: Path, s3_server: ObjectServer) -> None:
    local = open_store(StoreAccess("local", f"file://{tmp_path}/store"))
    cloud = open_store(s3_server.access(f"two/{tmp_path.name}"))
    taken = Taker((local, cloud), signing_key()).take()
    assert taken.stores == {"local": "stored", "cloud": "stored"}
    assert taken.complete
    assert catalogue.find(cloud, "latest").objects == catalogue.find(local, "latest").objects


def test_a_store_that_does_not_answer_is_no_empty_catalogue(s3_server: ObjectServer) -> None:
    from datetime import timedelta

    from tests.backup.proxy import proxy

    with proxy(s3_server.port) as gone:
        port = gone.port
    store = open_store(s3_server.access("x", port=port), patience=timedelta(seconds=1))
    with pytest.raises(UnreachableError):
        catalogue.snapshots(store)


def test_what_others_keep_in_the_store_is_left_alone(local: Taker, folder: Path) -> None:
    local.take()
    (folder / "README.txt").write_text("ours too")
    (folder / SHOP / "notes.json").write_text("{}")
    assert problems(local) == []


def test_ids_follow_the_order_of_taking_even_if_the_clock_went_backwards(local: Taker) -> None:
    from datetime import timedelta

    first = local.take()
    local.at -= timedelta(days=3)
    second = local.take()
    assert second.id > first.id
    assert second.previous is not None
    assert second.previous.id == first.id
    assert catalogue.find(local.stores[0], "latest") == second
    assert problems(local) == []


def test_the_signing_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secrets" / "signing.key"
    program = (
        "import sys; from pathlib import Path; from ecom_platform.backup.signing import ensure_signing_key\n"
        "print(ensure_signing_key(Path(sys.argv[1])).public)"
    )
    racing = [
        subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    found = {each.communicate(timeout=60)[0].strip() for each in racing}
    assert found == {ensure_signing_key(path).public}
    assert path.stat().st_mode & 0o077 == 0
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"nonsense", b"c2hvcnQ="])
def test_a_file_that_holds_no_signing_key_is_said(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match="holds no key"):
        read_signing_key(path)


def test_a_record_is_json_that_everybody_can_read(local: Taker, folder: Path) -> None:
    taken = local.take()
    record = (folder / taken.folder / MANIFEST).read_bytes()
    assert json.loads(record.splitlines()[0])["id"] == taken.id
    assert open_record(record, None).key == local.key.public
