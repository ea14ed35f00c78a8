"""Whatever a bad disk, a bad store or a bad actor did to a store shows, and is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ecom_platform.backup import catalogue
from ecom_platform.backup.encryption import Identities, NoKeyFits, new_identity
from ecom_platform.backup.manifest import MANIFEST, Manifest, Status, new_id, removal_key
from ecom_platform.clients.objects import ObjectStore
from ecom_platform.errors import CorruptBackup, MissingError
from tests.backup.catalogues import archive, problems, read, statuses
from tests.backup.snapshots import CONTENT, KEYS, SHOP, SOURCE, Taker, signing_key


def swap(one: Path, other: Path) -> None:
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def flip(path: Path, bit: int = 7) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= bit
    path.write_bytes(content)


def test_one_flipped_bit_of_an_archive_is_found_when_it_is_opened(local: Taker, folder: Path) -> None:
    taken = local.take()
    flip(folder / taken.part("data").key)
    with pytest.raises(CorruptBackup, match=r"archive data .* altered: SHA-256"):
        archive(local.stores[0], taken, "data")
    assert archive(local.stores[0], taken, "schema") == CONTENT["schema"]


def test_a_cut_archive_is_found_by_the_listing_and_when_it_is_opened(local: Taker, folder: Path) -> None:
    taken = local.take()
    path = folder / taken.part("data").key
    path.write_bytes(path.read_bytes()[:-100])
    assert statuses(local) == [Status.TAKEN]
    assert "the object data has" in problems(local)[0]
    with pytest.raises(CorruptBackup, match="cut off"):
        archive(local.stores[0], taken, "data")


def test_a_deleted_archive_is_found_by_the_listing_and_when_it_is_opened(taker: Taker) -> None:
    taken = taker.take()
    taker.stores[0].delete(taken.part("data").key)
    assert statuses(taker) == [Status.TAKEN]
    assert problems(taker) == [f"{taken.id}: the object data is not there"]
    with pytest.raises(CorruptBackup, match="is not there"):
        archive(taker.stores[0], taken, "data")


def test_two_exchanged_archives_of_one_snapshot_are_named(local: Taker, folder: Path) -> None:
    taken = local.take({"data": b"a" * 1000, "largest": b"b" * 1000})
    swap(folder / taken.part("data").key, folder / taken.part("largest").key)
    with pytest.raises(CorruptBackup, match="the bytes of the archive largest lie there"):
        archive(local.stores[0], taken, "data")


def test_an_archive_of_another_snapshot_is_found(local: Taker, folder: Path) -> None:
    first, second = local.take({"data": b"a" * 1000}), local.take({"data": b"b" * 1000})
    swap(folder / first.part("data").key, folder / second.part("data").key)
    for each in (first, second):
        with pytest.raises(CorruptBackup, match=r"altered|cut off|bytes are there"):
            archive(local.stores[0], each, "data")


def test_a_wrong_key_names_who_could_open_it(taker: Taker) -> None:
    taken = taker.take()
    with pytest.raises(NoKeyFits) as raised:
        archive(taker.stores[0], taken, "data", Identities(new_identity()))
    assert KEYS.recipients[0] in raised.value.seen
    assert "SECRET" not in str(raised.value)


def test_an_archive_that_is_not_part_of_it_is_named(local: Taker) -> None:
    with pytest.raises(MissingError, match="it has schema, data"):
        archive(local.stores[0], local.take(), "nonsense")


def test_who_leaves_an_archive_early_gets_no_error(local: Taker) -> None:
    taken = local.take({"data": b"x\n" * 5_000_000})
    with catalogue.open_archive(local.stores[0], taken, "data", KEYS) as file:
        assert file.read(4) == b"x\nx\n"


def test_the_cause_takes_the_place_of_its_consequence(local: Taker, folder: Path) -> None:
    """A program that reads a damaged archive fails first; the damage is what must be told."""
    taken = local.take()
    flip(folder / taken.part("data").key)
    with pytest.raises(CorruptBackup, match="altered") as raised:
        fail_at_the_end(local.stores[0], taken)
    assert isinstance(raised.value.__cause__, KeyError) or raised.value.__context__ is not None


def fail_at_the_end(store: ObjectStore, manifest: Manifest) -> None:
    with catalogue.open_archive(store, manifest, "data", KEYS) as file:
        while file.read(1 << 16):
            pass
        raise KeyError


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda text: text.replace('"shop":"ecommerce"', '"shop":"ecommercf"'), "altered after it was signed"),
        (lambda text: text.replace('"plain_bytes":', '"plain_bytes":1'), "altered after it was signed"),
        (lambda text: text[: len(text) // 2], "it is cut off"),
        (lambda text: text[:-1], "it is cut off"),
        (lambda _: "", "it is cut off"),
        (lambda text: text.replace("ed25519:", "rot13:"), "its signature cannot be read"),
    ],
)
def test_an_altered_manifest_is_found_and_never_passed_over(
    local: Taker, folder: Path, damage: Callable[[str], str], said: str
) -> None:
    earlier, latest = local.take(), local.take()
    path = folder / latest.folder / MANIFEST
    path.write_text(damage(path.read_text()))
    assert any(said in each for each in problems(local))
    (store,) = local.stores
    with pytest.raises(CorruptBackup, match=said):
        catalogue.find(store, "latest", trusted=local.trusted)
    with pytest.raises(CorruptBackup, match=said):
        catalogue.find(store, latest.id, trusted=local.trusted)
    with pytest.raises(CorruptBackup, match=said):
        catalogue.snapshots(store, trusted=local.trusted)
    assert catalogue.find(store, earlier.id, trusted=local.trusted) == earlier


def test_a_manifest_of_a_stranger_is_not_trusted(local: Taker) -> None:
    stranger = Taker(local.stores, signing_key())
    local.take()
    forged = stranger.take()
    assert any(
        f"{forged.id}: manifest.json: it was signed by {stranger.key.public}" in each for each in problems(local)
    )
    with pytest.raises(CorruptBackup, match="not trusted here"):
        catalogue.find(local.stores[0], "latest", trusted=local.trusted)


def test_a_stale_snapshot_under_a_new_name_is_found(local: Taker, folder: Path) -> None:
    taken = local.take()
    copy = folder / SHOP / SOURCE / new_id(local.at, taken.id)
    copy.mkdir()
    for each in (folder / taken.folder).iterdir():
        (copy / each.name).write_bytes(each.read_bytes())
    assert any(f"manifest.json is that of {taken.id}" in each for each in problems(local))
    with pytest.raises(CorruptBackup, match="is that of"):
        catalogue.find(local.stores[0], "latest", trusted=local.trusted)


def test_a_snapshot_of_another_database_is_no_snapshot_of_this_one(local: Taker, folder: Path) -> None:
    other = local.take(source="database/other")
    (folder / SHOP / SOURCE).mkdir(parents=True)
    (folder / other.folder).rename(folder / SHOP / SOURCE / other.id)
    assert any("its manifest names another place" in each for each in problems(local))


def test_exchanged_manifests_are_found(local: Taker, folder: Path) -> None:
    first, second = local.take(), local.take()
    swap(folder / first.folder / MANIFEST, folder / second.folder / MANIFEST)
    assert f"{first.id}: manifest.json is that of {second.id}" in problems(local)
    assert f"{second.id}: manifest.json is that of {first.id}" in problems(local)


def test_a_snapshot_that_vanished_is_missed_by_the_one_after_it(taker: Taker) -> None:
    first, second = taker.take(), taker.take()
    for each in taker.stores[0].list(first.folder):
        taker.stores[0].delete(each.key)
    assert problems(taker) == [
        f"{first.id}: it is missing: {second.id} was taken after it, and nothing says it was removed"
    ]


def test_an_older_manifest_in_the_place_of_a_newer_is_found(local: Taker, folder: Path) -> None:
    """The key of the signer signs a second manifest of the same id: the chain has the hash of the first."""
    first = local.take()
    path = folder / first.folder / MANIFEST
    changed = first.model_copy(update={"fingerprint": {"tables": {"t": 1}}})
    local.take()
    path.unlink()
    catalogue.write_manifest(local.stores[0], changed, local.key)
    assert any("is not the one that was there when" in each for each in problems(local))


def test_a_manifest_that_was_taken_away_is_missed_by_its_proofs(local: Taker) -> None:
    taken = local.take()
    (store,) = local.stores
    catalogue.record_proof(store, taken, {"outcome": "passed"}, local.key)
    store.delete(f"{taken.folder}/{MANIFEST}")
    assert problems(local) == [f"{taken.id}: its manifest is missing, and records of it are there"]


@pytest.mark.parametrize("whose", ["another snapshot", "a stranger"])
def test_a_proof_counts_only_for_its_own_snapshot_and_from_a_trusted_hand(
    local: Taker, folder: Path, whose: str
) -> None:
    first, second = local.take(), local.take()
    (store,) = local.stores
    if whose == "a stranger":
        catalogue.record_proof(store, second, {"outcome": "passed"}, signing_key())
    else:
        catalogue.record_proof(store, first, {"outcome": "passed"}, local.key)
        (proof,) = (folder / first.folder).glob("proof-*")
        (folder / second.folder / proof.name).write_bytes(proof.read_bytes())
    found = read(local)
    assert catalogue.find_entry(found, "x", second.id).status is Status.STORED
    assert len(found.problems) == 1


def test_a_removed_snapshot_that_comes_back_is_expired(local: Taker, folder: Path) -> None:
    from ecom_platform.backup.manifest import Removal

    taken = local.take()
    (store,) = local.stores
    entry = read(local).entries[0]
    removal = Removal(
        snapshot=taken.id, at=local.at, snapshot_at=local.at, manifest=entry.digest, reasons=("old",), by="test"
    )
    catalogue.record_removal(store, removal, taken, local.key)
    assert catalogue.status(store, taken, trusted=local.trusted) is Status.EXPIRED
    assert catalogue.snapshots(store, trusted=local.trusted) == []
    with pytest.raises(MissingError):
        catalogue.find(store, "latest", trusted=local.trusted)
    forged = folder / removal_key(SHOP, SOURCE, taken.id)
    flip(forged)
    assert "altered" in problems(local)[0]
