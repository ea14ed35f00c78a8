"""The drill `database-lost` on a real shop: green when the recovery is good, seen red for each way to fail."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ecom_platform.backup import verification
from ecom_platform.backup.restore import restore_archives
from ecom_platform.clients import sql
from ecom_platform.clients.objects import open_store
from ecom_platform.clients.web import session
from ecom_platform.errors import ProofFailed
from ecom_platform.platforms.protocol import Platform
from ecom_platform.recovery import checks, ledger, ledger_file, probes
from ecom_platform.recovery.course import orders_under
from ecom_platform.recovery.database import proved, recover_database
from ecom_platform.recovery.database_drill import drill_on, hit
from ecom_platform.recovery.faults import FAULTS, Fault
from ecom_platform.recovery.ledger import Moments
from ecom_platform.recovery.record import DrillRecord, judge_time
from ecom_platform.recovery.validation import validate
from ecom_platform.spec import Database
from ecom_platform.verdicts import Outcome, Verdict, worst
from tests.recovery.conftest import Ground

pytestmark = pytest.mark.timeout(900)  # a whole shop, made, lost and recovered

Judged = tuple[dict[str, list[Verdict]], DrillRecord]


def red(judged: Judged) -> dict[str, str]:
    found = {check: [str(each) for each in seen if not each.passed] for check, seen in judged[0].items()}
    return {check: "; ".join(bad) for check, bad in found.items() if bad}


@pytest.fixture(scope="module")
def drilled(ground: Ground) -> Judged:
    """`DELETE` without `WHERE`, and a backup of the damage before anybody notices."""
    return drill_on(ground.site, ground.database, FAULTS["deleted-rows"], ground.rehearsal("deleted"))


def test_the_table_names_every_fault() -> None:
    assert tuple(FAULTS) == checks.DATABASE_VARIANTS


def test_a_shop_whose_rows_were_deleted_sells_again(drilled: Judged) -> None:
    assert red(drilled) == {}
    assert drilled[1].rto_seconds is not None
    assert drilled[1].orders_lost > 0
    assert set(drilled[0]) == set(checks.DATABASE_CHECKS) - {"cleaned_up"}


def test_the_backup_of_the_damage_is_passed_over_by_its_content(drilled: Judged) -> None:
    told = [str(each) for each in drilled[0]["recovered"]]
    assert any("holds the damage" in each and "public.order_lines has" in each for each in told), told


def test_a_budget_of_one_second_is_missed(drilled: Judged) -> None:
    assert worst(judge_time(replace(drilled[1], rto_budget_seconds=1))) is Outcome.FAILED


def test_an_order_that_vanishes_from_the_database_turns_the_ledger_red(ground: Ground, drilled: Judged) -> None:
    attempts = ledger_file.read(ground.live.drills() / "deleted" / "ledger")
    prefix = attempts[0].key[:-6]
    moments = Moments(fault=1e9, stopped=1e9, back=2e9, saved=1e9)
    superuser = ground.site.platform.postgres.superuser(ground.database.name)
    with sql.connect(superuser) as connection, connection.transaction(force_rollback=True):
        before = ledger.reconcile(attempts, orders_under(connection, prefix))
        gone = before.kept[0]
        connection.execute("DELETE FROM order_lines WHERE order_id = %s", (gone.order,))
        connection.execute("DELETE FROM orders WHERE idempotency_key = %s", (gone.key,))
        after = ledger.reconcile(attempts, orders_under(connection, prefix))
    assert {each.key for each in after.lost} - {each.key for each in before.lost} == {gone.key}
    assert worst(ledger.judge(after, moments, 1e9)) is Outcome.FAILED


@pytest.mark.parametrize("name", ["corrupted-page", "volume-gone", "server-gone"])
def test_what_happens_to_the_server_is_noticed_and_mended(ground: Ground, drilled: Judged, name: str) -> None:
    platform, database = ground.site.platform, ground.database
    table, newest = hit(database, ground.site), proved(platform, ground.site.shop, database, [])
    eyes = probes.probes(platform, ground.site.shop, {database.name: {table: 1}})
    FAULTS[name].inflict(platform, database, table)
    assert probes.wait_for_alarm(eyes, seconds=30).seen
    done = recover_database(platform, ground.site.shop, database, progress=print)
    assert done.failures == ()
    assert done.snapshot in newest
    assert [str(each) for each in validate(platform, ground.site.shop) if not each.passed] == []
    kept = list(platform.layout.postgres.glob("data.kept-*"))
    assert bool(kept) or name != "server-gone"


@pytest.fixture
def damaged_store(ground: Ground) -> Iterator[Fault]:
    """The page of a product vanishes with the fault, and so does the newest snapshot's data, in every store."""
    picture = next(each for each in ground.site.platform.folder("media").rglob("*") if each.is_file())
    contents = {picture: picture.read_bytes()}

    def inflict(platform: Platform, database: Database, table: str) -> None:
        FAULTS["dropped-table"].inflict(platform, database, table)
        picture.unlink()
        held = proved(platform, ground.site.shop, database, [])
        manifest = held[max(held)].manifest
        for name in ground.site.shop.stores:
            path = Path(platform.store(name).url.removeprefix("file://")) / manifest.part("data").key
            contents[path] = path.read_bytes()
            path.write_bytes(contents[path][:-100] + bytes(100))

    yield Fault("damaged-store", "a table is dropped, and the newest snapshot is damaged since its proof", inflict)
    for path, content in contents.items():
        path.write_bytes(content)


def test_a_snapshot_that_no_longer_restores_and_a_validation_that_does_not_pass_are_red(
    ground: Ground, drilled: Judged, damaged_store: Fault
) -> None:
    media = ground.site.platform.folder("media")
    picture = next(each for each in media.rglob("*") if each.is_file()).relative_to(media)
    backend, front = ground.site.shop.services
    page = front.endpoints[0].model_copy(update={"path": f"/media/{picture}"})
    shop = ground.site.shop.model_copy(
        update={"services": (backend, front.model_copy(update={"endpoints": (*front.endpoints, page)}))}
    )
    judged = drill_on(replace(ground.site, shop=shop), ground.database, damaged_store, ground.rehearsal("damaged"))
    # What it fell back to is older, so the ledger too says that more was lost than may be.
    assert set(red(judged)) == {"recovered", "ledger", "validated"}
    assert "from local" in red(judged)["recovered"]
    assert "from cloud" in red(judged)["recovered"]
    assert str(picture) in red(judged)["validated"]


def test_a_restore_that_loses_the_last_table_never_serves(
    ground: Ground, drilled: Judged, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform, database = ground.site.platform, ground.database
    restore = restore_archives

    def forgetful(archives: Any, target: Any, **others: Any) -> Any:
        done = restore(archives, target, **others)
        with sql.connect(target) as connection:
            connection.execute("DROP TABLE order_lines")
        return done

    with monkeypatch.context() as patched:
        patched.setattr(verification, "restore_archives", forgetful)
        with pytest.raises(ProofFailed, match="order_lines"):
            recover_database(platform, ground.site.shop, database, progress=print)
    # What is behind the fence is damaged: nobody gets in, and the shop says so.
    with session(platform.address(ground.site.shop.front_door, "active")) as door:
        assert door.get("/api/products?limit=1").status == 503
    assert recover_database(platform, ground.site.shop, database, progress=print).failures == ()
    assert [str(each) for each in validate(platform, ground.site.shop) if not each.passed] == []


def test_without_a_proved_snapshot_nothing_is_touched(ground: Ground, drilled: Judged, tmp_path: Path) -> None:
    from ecom_platform.errors import MissingError

    platform = ground.site.platform
    folder = Path(platform.store("local").url.removeprefix("file://"))
    other = Path(platform.store("cloud").url.removeprefix("file://"))
    for each in (folder, other):
        shutil.move(each, tmp_path / each.name)
    try:
        with pytest.raises(MissingError, match="proved"):
            recover_database(platform, ground.site.shop, ground.database, progress=print)
        with session(platform.address(ground.site.shop.front_door, "active")) as door:
            assert door.get("/api/products?limit=1").status == 200
    finally:
        for each in (folder, other):
            shutil.rmtree(each, ignore_errors=True)
            shutil.move(tmp_path / each.name, each)
    assert open_store(platform.store("local"))
