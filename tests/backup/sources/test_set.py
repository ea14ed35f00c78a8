"""A set whose member is missing, altered or not proved is never called whole, and its members outlive their rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ecom_platform.backup.catalogue_reading import Catalogue, Entry
from ecom_platform.backup.manifest import Manifest, Status
from ecom_platform.backup.retention_guard import Limits, guarded_plan
from ecom_platform.backup.retention_policy import Policy, Rules, rules_of
from ecom_platform.backup.sources import complete
from ecom_platform.backup.sources.set_members import broken, broken_sets, members_of
from ecom_platform.errors import MissingError, RefusedError
from ecom_platform.spec import Retention, Store
from ecom_platform.verdicts import Outcome, Verdict, worst
from tests.backup.samples import START, catalogue, entry, manifest
from tests.backup.sources.world import World


@pytest.fixture(scope="module")
def taken(world: World) -> Manifest:
    made = world.take_set()
    for source in world.members:
        world.record(world.member(source))
    return made


def judge(world: World, manifest: Manifest) -> dict[str, Verdict]:
    verdicts = complete.verify_set(world.store(), world.catalogue(), manifest)
    return {each.claim: each for each in verdicts}


def test_a_whole_set_is_proved_by_its_members_proofs(world: World, taken: Manifest) -> None:
    verdicts = judge(world, taken)
    assert worst(verdicts.values()) is Outcome.PASSED, verdicts
    assert list(broken_sets(world.catalogue())) == []
    assert sorted(each.source for each in members_of(taken)) == ["configuration/all", "database/shop", "folder/media"]


def test_the_rebuild_file_is_read_without_a_key(world: World, taken: Manifest) -> None:
    text = world.store().get(taken.part(complete.REBUILD).key).decode()
    assert "How to rebuild the shop ecommerce" in text
    for each in members_of(taken):
        assert each.id in text


def test_members_that_are_not_proved_make_it_inconclusive(world: World, taken: Manifest) -> None:
    verdicts = complete.verify_set(world.store("cloud"), world.catalogue("cloud"), taken)
    assert {each.claim: each.outcome for each in verdicts}[complete.MEMBERS_PROVED] is Outcome.INCONCLUSIVE


def test_an_altered_rebuild_file_is_seen(world: World, taken: Manifest) -> None:
    path = world.place / "store" / taken.part(complete.REBUILD).key
    before = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(before.replace(b"age --decrypt", b"age --decrypX"))
    try:
        assert judge(world, taken)[complete.REBUILD_FITS].outcome is Outcome.FAILED
    finally:
        path.write_bytes(before)


def hide(path: Path) -> Path:
    return path.rename(path.with_name(f".hidden-{path.name}"))


def test_a_member_that_lacks_an_object_breaks_the_set(world: World, taken: Manifest) -> None:
    path = world.place / "store" / world.member("folder/media").part("content").key
    hidden = hide(path)
    try:
        assert "lacks an object" in judge(world, taken)[complete.MEMBERS_THERE].seen
        assert "the set is broken: folder/media" in "".join(broken_sets(world.catalogue()))
    finally:
        hidden.rename(path)


def test_a_member_that_is_gone_breaks_the_set(world: World, taken: Manifest) -> None:
    path = world.place / "store" / world.member("folder/media").folder / "manifest.json"
    hidden = hide(path)
    try:
        verdicts = judge(world, taken)
        assert "folder/media" in verdicts[complete.MEMBERS_THERE].seen
        assert verdicts[complete.MEMBERS_PROVED].outcome is Outcome.FAILED
    finally:
        hidden.rename(path)


def test_a_set_of_what_is_not_there_is_not_recorded(world: World) -> None:
    members = {**world.members, "folder/media": "20200101T000000Z-00000000"}
    before = len(world.catalogue().entries)
    with pytest.raises(MissingError, match="folder/media 20200101T000000Z-00000000"):
        complete.take_set(members, world.began, world.writing)
    with pytest.raises(RefusedError, match="no members"):
        complete.take_set({}, world.began, world.writing)
    assert len(world.catalogue().entries) == before


def test_members_of_another_run_are_seen(world: World) -> None:
    late = complete.take_set(world.members, datetime.now(UTC), world.writing)
    assert judge(world, late)[complete.TOGETHER].outcome is Outcome.FAILED


# From here on without a store.

NOW = START + timedelta(days=60)
ONE = Policy.model_validate({"keep-last": 1})


def with_set(*states: Status, digest: str = "") -> tuple[Catalogue, list[Entry]]:
    """A snapshot a day, and a set of the first of them."""
    entries = [entry(START + timedelta(days=day), status) for day, status in enumerate(states)]
    first = entries[0]
    member = {
        "source": first.manifest.source,
        "id": first.manifest.id,
        "manifests": {"local": digest or first.digest},
    }
    at = START + timedelta(hours=1)
    of = manifest(at, source="complete/all", kind="complete", fingerprint={"members": [member], "began": str(START)})
    return catalogue([*entries, Entry(of, Status.STORED, digest="set")]), entries


def test_a_member_stays_as_long_as_its_set() -> None:
    of, entries = with_set(Status.PROVED, Status.PROVED, Status.PROVED)
    plan = guarded_plan(of, "database/shop", ONE, NOW, Limits(share=1))
    assert [each.manifest.id for each, _ in plan.remove] == [entries[1].manifest.id]
    reasons = {each.manifest.id: why for each, why in plan.keep}[entries[0].manifest.id]
    assert "needs it" in reasons[0]


@pytest.mark.parametrize(
    ("status", "digest", "seen"),
    [
        (Status.PROVED, "another", "is not the one that was named"),
        (Status.FAILED, "", "failed its verification"),
        (Status.TAKEN, "", "lacks an object"),
        (Status.EXPIRED, "", "is missing"),
    ],
)
def test_what_breaks_a_set_is_named(status: Status, digest: str, seen: str) -> None:
    of, _ = with_set(status, digest=digest)
    found = next(each.manifest for each in of.entries if each.manifest.kind == "complete")
    assert seen in broken(of, found)[0]


def test_rules_of_a_kind_take_the_place_of_the_stores_own() -> None:
    def keeps(span: str) -> Retention:
        return Retention.model_validate({"keep-within": span})

    store = Store(url="file:backups", retention=keeps("7d"), retention_of={"complete": keeps("90d")})
    rules = rules_of(store, "local")
    assert str(rules.of("complete/all").keep_within) == "90d"
    assert str(rules.of("folder/media").keep_within) == "7d"
    assert Rules(ONE).of("database/shop") == ONE
