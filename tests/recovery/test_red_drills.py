"""Whole drills that end red, each on the real shop: what a recovery got wrong, or did too late, shows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ecom_platform.backup import snapshot
from ecom_platform.backup.recovery_set import newest_proved
from ecom_platform.clients import sql
from ecom_platform.clients.objects import open_store
from ecom_platform.errors import EcomError
from ecom_platform.recovery import checks, part_drills, release_drill
from ecom_platform.recovery.copies import Site
from ecom_platform.recovery.course import follow
from ecom_platform.recovery.rehearsal import Rehearsal
from ecom_platform.recovery.validation import validate
from ecom_platform.spec import Endpoint
from tests.recovery.conftest import Ground
from tests.recovery.test_database_drill import red

pytestmark = pytest.mark.timeout(900)  # a whole shop, made, lost and recovered

NO_RECOVERY_SECONDS = 0.05
"""A budget that nothing keeps."""


@contextmanager
def damaged(*paths: Path) -> Iterator[None]:
    """Their last bytes are others meanwhile."""
    contents = {path: path.read_bytes() for path in paths}
    assert contents, "there is something to damage"
    for path, content in contents.items():
        path.write_bytes(content[:-50] + bytes(50))
    try:
        yield
    finally:
        for path, content in contents.items():
            path.write_bytes(content)


def stored(site: Site, store: str, name: str) -> list[Path]:
    """The files of a snapshot in a store that is a folder."""
    return list(Path(site.platform.store(store).url.removeprefix("file://")).rglob(f"{name}/*.age"))


def newest_configuration(site: Site) -> list[Path]:
    """In the store from which the drill recovers."""
    first = next(iter(site.shop.stores))
    chosen = newest_proved(open_store(site.platform.store(first)), site.shop.shop)
    return stored(site, first, chosen.member("configuration/all").id)


def test_a_configuration_that_came_back_late_and_without_a_picture_is_red(ground: Ground) -> None:
    """What the recovered spec says must be there is tested; nothing but the configuration was recovered."""
    media = ground.site.platform.folder("media")
    picture = next(each for each in media.rglob("*") if each.is_file())
    content = picture.read_bytes()
    backend, front = ground.site.shop.services
    page = Endpoint(path=f"/media/{picture.relative_to(media)}")
    services = (backend, front.model_copy(update={"endpoints": (*front.endpoints, page)}))
    site = replace(ground.site, shop=ground.site.shop.model_copy(update={"services": services}))
    rehearsal = ground.rehearsal("late-configuration")
    plan = part_drills.configuration_plan(site, rehearsal)

    def fault() -> None:
        picture.unlink()
        plan.fault()

    judged = follow(replace(plan, fault=fault, budget_seconds=NO_RECOVERY_SECONDS), rehearsal)
    picture.write_bytes(content)
    assert set(red(judged)) == {"in_time", "validated"}
    assert page.path in red(judged)["validated"]


def test_a_configuration_whose_snapshot_does_not_restore_brings_nothing_back(ground: Ground) -> None:
    rehearsal = ground.rehearsal("damaged-configuration")
    plan = part_drills.configuration_plan(ground.site, rehearsal)

    def recover() -> Any:
        with damaged(*newest_configuration(ground.site)):
            return plan.recover()

    with pytest.raises(EcomError, match="configuration"):
        follow(replace(plan, recover=recover), rehearsal)
    plan.recover()  # mended, the same steps bring it back
    assert [str(each) for each in validate(*plan.shop()) if not each.passed] == []


def test_a_dump_that_does_not_restore_from_the_store_that_took_it_is_red(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, stays = snapshot.take, next(iter(ground.site.shop.stores))

    def take_and_damage(*arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(snapshot, "take", take)  # the next one is whole again
        findings, record = take(*arguments, **named)
        for path in stored(ground.site, stays, record.snapshot):
            path.write_bytes(path.read_bytes()[:-50] + bytes(50))
        return findings, record

    rehearsal = ground.rehearsal("damaged-store")
    plan = part_drills.store_plan(ground.site, rehearsal)
    inflict = plan.fault

    def fault() -> None:
        inflict()
        monkeypatch.setattr(snapshot, "take", take_and_damage)

    judged = follow(replace(plan, fault=fault), rehearsal)
    assert set(red(judged)) == {"recovered"}
    assert f"the dump went to {stays} and restores from there" in red(judged)["recovered"]


def test_a_bad_release_that_cost_an_order_and_turned_back_late_is_red(ground: Ground) -> None:
    """Turned back well, but late, and one order that was acknowledged is not in the database any more."""
    rehearsal = ground.rehearsal(checks.BAD_RELEASE)
    plan = release_drill.release_plan(ground.site, rehearsal)
    afterwards, late = (lambda: lose_an_order(ground, rehearsal)), NO_RECOVERY_SECONDS
    judged = follow(replace(plan, afterwards=afterwards, budget_seconds=late), rehearsal)
    assert set(red(judged)) == {"ledger", "in_time"}
    assert judged[1].orders_lost == 1


def lose_an_order(ground: Ground, rehearsal: Rehearsal) -> dict[str, list[Any]]:
    with sql.connect(ground.site.platform.postgres.superuser(ground.database.name)) as connection:
        query = "SELECT min(id) FROM orders WHERE pg_catalog.starts_with(idempotency_key, %s)"
        (first,) = sql.fetch(connection, query, (rehearsal.prefix,))[0]
        connection.execute("DELETE FROM order_lines WHERE order_id = %s", (first,))
        connection.execute("DELETE FROM orders WHERE id = %s", (first,))
    return {}
