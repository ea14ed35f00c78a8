"""Drills in which the shop goes on selling: folders, configuration, key, a store. Each passes, and was seen to fail."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ecom_platform.backup.encryption import Identities, NoKeyFits, new_identity
from ecom_platform.backup.recovery_set import newest_proved
from ecom_platform.clients.objects import open_store
from ecom_platform.errors import ConfigurationError, EcomError, MissingError, RefusedError
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.platforms.protocol import StoreAccess
from ecom_platform.recovery import checks, part_drills, saving
from ecom_platform.recovery.anew import Escrow, choose_shop, describe
from ecom_platform.recovery.copies import Site
from ecom_platform.recovery.course import Plan, follow
from ecom_platform.recovery.drills import DRILLS
from ecom_platform.recovery.folders import recover_folder
from ecom_platform.recovery.rehearsal import Rehearsal
from tests.recovery.conftest import Ground
from tests.recovery.test_database_drill import red

pytestmark = pytest.mark.timeout(900)  # a whole shop, made, lost and recovered

PLANS: dict[str, Callable[[Site, Rehearsal], Plan]] = {
    checks.MEDIA_LOST: part_drills.media_plan,
    checks.STORE_UNREACHABLE: part_drills.store_plan,
    checks.CONFIGURATION_LOST: part_drills.configuration_plan,
}


@pytest.mark.parametrize("name", sorted(PLANS))
def test_a_part_that_was_lost_comes_back_and_no_order_goes(ground: Ground, name: str) -> None:
    rehearsal = ground.rehearsal(name)
    judged = follow(PLANS[name](ground.site, rehearsal), rehearsal)
    assert red(judged) == {}
    assert judged[1].orders_lost == 0
    assert set(judged[0]) == set(DRILLS[name].checks) - {"cleaned_up"}


@pytest.fixture
def two_keys(ground: Ground) -> Iterator[tuple[Site, str]]:
    """The copy with a second recipient, and that one's private key; its own key is back afterwards."""
    second = new_identity()
    encryption = ground.site.shop.encryption.model_copy(update={"recipients": tuple(Identities(second).recipients)})
    shop = ground.site.shop.model_copy(update={"encryption": encryption})
    own = ground.site.platform.layout.secrets / "age-identity"
    kept = own.read_bytes()
    yield Site(shop, LocalPlatform(shop, ground.site.platform.layout.state)), second
    own.write_bytes(kept)
    own.chmod(0o600)


def test_the_second_key_opens_what_the_lost_one_opened(ground: Ground, two_keys: tuple[Site, str]) -> None:
    rehearsal = ground.rehearsal(checks.KEY_LOST)
    judged = follow(part_drills.key_plan(two_keys[0], rehearsal, two_keys[1]), rehearsal)
    assert red(judged) == {}
    assert set(judged[0]) == set(checks.KEY_CHECKS) - {"cleaned_up"}


def test_a_key_that_was_never_a_recipient_opens_nothing(ground: Ground, two_keys: tuple[Site, str]) -> None:
    rehearsal = ground.rehearsal("stranger")
    with pytest.raises(NoKeyFits):
        follow(part_drills.key_plan(two_keys[0], rehearsal, new_identity()), rehearsal)


def test_a_folder_whose_snapshot_is_damaged_is_left_as_it_is(ground: Ground) -> None:
    platform, shop = ground.site.platform, ground.site.shop
    name = saving.save_folder(platform, shop, "media")
    contents = {}
    for store in shop.stores:
        for path in Path(platform.store(store).url.removeprefix("file://")).rglob(f"{name}/*.age"):
            contents[path] = path.read_bytes()
            path.write_bytes(contents[path][:-50] + bytes(50))
    before = sorted(each.name for each in platform.folder("media").rglob("*"))
    with pytest.raises(EcomError):
        recover_folder(platform, shop, "media", progress=print)
    assert sorted(each.name for each in platform.folder("media").rglob("*")) == before
    for path, content in contents.items():
        path.write_bytes(content)
    assert recover_folder(platform, shop, "media", progress=print).snapshot == name


@pytest.fixture
def escrow(ground: Ground, tmp_path: Path) -> Escrow:
    """What is left when the machine is gone."""
    saving.save_configuration(ground.site.platform, ground.site.shop)
    key = tmp_path / "key"
    key.write_text(ground.site.platform.identities()[0])
    return Escrow(ground.site.platform.store("local").url, str(key))


def test_the_spec_and_the_key_come_to_an_empty_place_and_to_no_other(
    ground: Ground, escrow: Escrow, tmp_path: Path
) -> None:
    store = escrow.store()
    chosen = newest_proved(store, choose_shop(store, ""))
    spec = describe(escrow, store, chosen, tmp_path / "new", None)
    assert "growing" in spec.read_text(encoding="utf-8")
    assert (tmp_path / "new" / chosen.shop / "secrets" / "age-identity").stat().st_mode & 0o777 == 0o600
    assert describe(escrow, store, chosen, tmp_path / "new", None) == spec  # again after a crash
    used = tmp_path / "used" / chosen.shop
    used.mkdir(parents=True)
    (used / "ports.json").touch()
    with pytest.raises(RefusedError, match="Nothing is overwritten"):
        describe(escrow, store, chosen, tmp_path / "used", None)


def test_with_another_key_or_another_store_nothing_is_made(ground: Ground, escrow: Escrow, tmp_path: Path) -> None:
    store = escrow.store()
    chosen = newest_proved(store, choose_shop(store, ""))
    (tmp_path / "other").write_text(new_identity())
    with pytest.raises(NoKeyFits):
        describe(replace(escrow, identity_file=str(tmp_path / "other")), store, chosen, tmp_path / "new", None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(MissingError, match="no snapshot"):
        choose_shop(open_store(StoreAccess("from", (tmp_path / "empty").as_uri())), "")
    with pytest.raises(MissingError, match="it has ecommerce-drill"):
        choose_shop(store, "another")
    with pytest.raises(ConfigurationError, match="private key"):
        replace(escrow, identity_file=str(tmp_path / "none")).identity()
