"""Retention in real stores: what it removes, what it leaves behind, and what it does after a kill."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ecom_platform.backup import catalogue
from ecom_platform.backup.manifest import MANIFEST, Manifest, Removal, Status, removal_key
from ecom_platform.backup.retention_apply import Applied, apply_retention, sweep
from ecom_platform.backup.retention_guard import Limits
from ecom_platform.backup.retention_policy import Rules, read_policy
from ecom_platform.clients.objects import open_store
from ecom_platform.errors import RefusedError
from ecom_platform.platforms.protocol import StoreAccess
from tests.backup.servers import ObjectServer, s3_client
from tests.backup.snapshots import SHOP, SOURCE, Taker, signing_key


@pytest.fixture(params=["folder", "bucket"])
def taker(request: pytest.FixtureRequest, tmp_path: Path) -> Taker:
    if request.param == "folder":
        return Taker((open_store(StoreAccess("local", f"file://{tmp_path}/store")),), signing_key())
    server: ObjectServer = request.getfixturevalue("s3_server")
    return Taker((open_store(server.access(f"retention/{tmp_path.name}")),), signing_key())


def prove(taker: Taker, manifest: Manifest) -> None:
    catalogue.record_proof(taker.stores[0], manifest, {"outcome": "passed"}, taker.key)


def apply(taker: Taker, rules: dict[str, object], share: float = 1.0) -> list[Applied]:
    return apply_rules(taker, Rules(read_policy(rules, "the test")), share)


def apply_rules(taker: Taker, rules: Rules, share: float = 1.0) -> list[Applied]:
    return apply_retention(
        taker.stores[0],
        shop=SHOP,
        policy=rules,
        limits=Limits(share=share),
        key=taker.key,
        by="a test",
        progress=print,
        trusted=taker.trusted,
    )


def keys(taker: Taker) -> list[str]:
    return sorted(each.key for each in taker.stores[0].list())


def read(taker: Taker) -> catalogue.Catalogue:
    return catalogue.read_catalogue(taker.stores[0], shop=SHOP, trusted=taker.trusted)


def test_what_is_removed_is_gone_and_its_removal_is_a_record(taker: Taker) -> None:
    first, second, third = (taker.take() for _ in range(3))
    prove(taker, first)
    prove(taker, third)
    (applied,) = apply(taker, {"keep-last": 2})
    assert [each.snapshot for each in applied.removals] == [first.id]
    assert not any(key.startswith(first.folder) for key in keys(taker))
    assert removal_key(SHOP, SOURCE, first.id) in keys(taker)
    found = read(taker)
    assert [each.manifest.id for each in found.entries] == [third.id, second.id]
    assert found.problems == (), "the chain can be followed past what was removed"
    assert found.removals[SOURCE, first.id].reasons == ("no rule keeps it",)
    assert found.removals[SOURCE, first.id].by == "a test"
    assert catalogue.status(taker.stores[0], first, trusted=taker.trusted) is Status.EXPIRED


def test_each_source_is_judged_alone_and_by_the_rules_of_its_kind(taker: Taker) -> None:
    taken = {source: [taker.take(source=source) for _ in range(4)] for source in (SOURCE, "folder/media", "folder/b")}
    for manifests in taken.values():
        prove(taker, manifests[0])
        prove(taker, manifests[-1])
    last = {"keep-last": 1}
    rules = Rules(read_policy(last, "databases"), {"folder": read_policy({"keep-last": 3}, "folders")})
    applied = {each.plan.source: [of.snapshot for of in each.removals] for each in apply_rules(taker, rules)}
    assert applied[SOURCE] == [each.id for each in taken[SOURCE][2::-1]]
    assert applied["folder/media"] == [taken["folder/media"][0].id]
    assert applied["folder/b"] == [taken["folder/b"][0].id]


def test_the_last_proved_of_one_source_is_not_replaced_by_a_proof_of_another(taker: Taker) -> None:
    folder = [taker.take(source="folder/media") for _ in range(3)]
    prove(taker, folder[0])
    prove(taker, taker.take())
    applied = {each.plan.source: each.removals for each in apply(taker, {"keep-last": 1})}
    assert applied["folder/media"] == ()


def test_applying_again_changes_nothing(taker: Taker) -> None:
    for _ in range(3):
        prove(taker, taker.take())
    apply(taker, {"keep-last": 1})
    before = keys(taker)
    (again,) = apply(taker, {"keep-last": 1})
    assert again.removals == ()
    assert keys(taker) == before


def test_the_chain_holds_through_many_removals(taker: Taker) -> None:
    for _ in range(5):
        prove(taker, taker.take())
        apply(taker, {"keep-last": 2})
    found = read(taker)
    assert (len(found.entries), len(found.removals), found.problems) == (2, 3, ())


def test_a_refusal_removes_nothing(taker: Taker) -> None:
    taken = [taker.take() for _ in range(4)]
    for each in taken:
        prove(taker, each)
    before = keys(taker)
    (applied,) = apply(taker, {"keep-last": 1}, share=0.5)
    assert "3 of 4 would go at once" in applied.plan.refused[0]
    assert keys(taker) == before


def test_a_catalogue_with_a_problem_loses_nothing(taker: Taker) -> None:
    taken = [taker.take() for _ in range(3)]
    for each in taken:
        prove(taker, each)
    for key in [each for each in keys(taker) if each.startswith(taken[1].folder)]:
        taker.stores[0].delete(key)
    before = keys(taker)
    (applied,) = apply(taker, {"keep-last": 1})
    assert "it is missing" in applied.plan.refused[0]
    assert keys(taker) == before


@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_a_removal_that_was_killed_is_finished_by_the_next_run(taker: Taker, done: int) -> None:
    """After the record, and after any number of deleted objects."""
    first, second = taker.take(), taker.take()
    prove(taker, second)
    (store,) = taker.stores
    entry = catalogue.find_entry(read(taker), "x", first.id)
    removal = Removal(
        snapshot=first.id,
        at=datetime.now(UTC),
        snapshot_at=first.snapshot_at,
        manifest=entry.digest,
        reasons=("killed after this",),
        by="a test",
        previous=first.previous,
    )
    catalogue.record_removal(store, removal, first, taker.key)
    for key in sorted(each for each in keys(taker) if each.startswith(first.folder))[:done]:
        store.delete(key)
    assert first.id not in [each.id for each in catalogue.snapshots(store, trusted=taker.trusted)]
    apply(taker, {"keep-last": 5})
    sweep(store, shop=SHOP, leased=lambda _: False, progress=print, age=timedelta(0), trusted=taker.trusted)
    assert not any(key.startswith(first.folder) for key in keys(taker))
    assert read(taker).problems == ()


def leave(taker: Taker) -> Manifest:
    """What a dump leaves that died before its manifest."""
    left = taker.take()
    taker.stores[0].delete(f"{left.folder}/{MANIFEST}")
    return left


def test_what_a_broken_dump_left_is_swept_when_it_is_old_and_nobody_is_at_it(taker: Taker) -> None:
    sound = taker.take()
    left = leave(taker)
    (store,) = taker.stores

    def swept(age: timedelta, leased: set[str]) -> list[str]:
        return sweep(
            store, shop=SHOP, leased=lambda each: each in leased, progress=print, age=age, trusted=taker.trusted
        )

    assert list(read(taker).unfinished) == [left.folder]
    assert swept(timedelta(hours=1), set()) == []
    assert swept(timedelta(0), {SOURCE}) == []
    assert swept(timedelta(0), {"database/other"}) == [left.folder]
    assert not any(key.startswith(left.folder) for key in keys(taker))
    assert catalogue.find(store, "latest", trusted=taker.trusted) == sound
    assert swept(timedelta(0), set()) == []


def test_nothing_is_swept_while_a_manifest_may_have_been_taken_away(taker: Taker) -> None:
    left = leave(taker)
    prove_without_manifest(taker, left)
    with pytest.raises(RefusedError, match="its manifest is missing"):
        sweep(taker.stores[0], shop=SHOP, leased=lambda _: False, progress=print, age=timedelta(0))
    assert left.part("data").key in keys(taker)


def prove_without_manifest(taker: Taker, manifest: Manifest) -> None:
    (store,) = taker.stores
    catalogue.write_manifest(store, manifest, taker.key)
    prove(taker, manifest)
    store.delete(f"{manifest.folder}/{MANIFEST}")


@pytest.fixture
def locked(s3_server: ObjectServer, tmp_path: Path) -> Taker:
    """A bucket in which nothing can be deleted for a day."""
    client: Any = s3_client(s3_server)
    bucket = f"locked-{os.getpid()}"
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
    client.put_object_lock_configuration(
        Bucket=bucket, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    access = replace(s3_server.access(""), url=f"s3://{bucket}/{tmp_path.name}")
    return Taker((open_store(access),), signing_key())


def test_what_the_store_keeps_locked_stays_and_is_expired(locked: Taker) -> None:
    for _ in range(2):
        prove(locked, locked.take())
    first = catalogue.snapshots(locked.stores[0])[-1]
    before = keys(locked)
    for _ in range(2):
        apply(locked, {"keep-last": 1})
        assert sorted({*before, removal_key(SHOP, SOURCE, first.id)}) == keys(locked), "a plain delete would hide them"
    assert catalogue.status(locked.stores[0], first, trusted=locked.trusted) is Status.EXPIRED
    assert read(locked).problems == ()


def test_in_a_bucket_with_versions_every_version_of_a_removed_object_goes(
    s3_server: ObjectServer, tmp_path: Path
) -> None:
    client: Any = s3_client(s3_server)
    bucket = f"versions-{os.getpid()}"
    client.create_bucket(Bucket=bucket)
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    taker = Taker((open_store(replace(s3_server.access(""), url=f"s3://{bucket}/{tmp_path.name}")),), signing_key())
    first, second = taker.take(), taker.take()
    prove(taker, second)
    apply(taker, {"keep-last": 1})
    versions = client.list_object_versions(Bucket=bucket)
    assert not [each["Key"] for each in versions["Versions"] if first.folder in each["Key"]]
    assert not versions.get("DeleteMarkers")
