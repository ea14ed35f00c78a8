"""Folders, the configuration and sets through their jobs and verbs: proved when whole, red when not, brought back."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ecom_platform.backup.catalogue_reading import Catalogue, read_catalogue
from ecom_platform.backup.manifest import Manifest, Status
from ecom_platform.backup.sources.tree_writer import read_tree
from ecom_platform.clients.objects import open_store
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.report import stored_facts
from ecom_platform.report.evidence import Cell
from ecom_platform.spec import Store
from ecom_platform.verdicts import Outcome
from tests.pipeline.conftest import Pipeline


@pytest.fixture(scope="module", autouse=True)
def set_of_all(pipeline: Pipeline) -> None:
    """One whole set, taken and proved."""
    assert pipeline.run("deploy").success
    ran = pipeline.run("backup_complete")
    assert ran.red() == {}
    ran = pipeline.run("verify_complete")
    assert ran.red() == {}
    assert ran.success


def catalogue(pipeline: Pipeline, store: str = "local") -> Catalogue:
    return read_catalogue(open_store(pipeline.platform.store(store)), shop=pipeline.shop.shop)


def newest(pipeline: Pipeline, source: str, store: str = "local") -> Manifest:
    return catalogue(pipeline, store).of(source)[0].manifest


def test_a_set_names_what_its_own_run_took(pipeline: Pipeline) -> None:
    found = newest(pipeline, "complete/all")
    named = {each["source"]: each["id"] for each in found.fingerprint["members"]}
    assert named == {each: newest(pipeline, each).id for each in ("configuration/all", "database/shop", "folder/media")}


def test_a_set_is_not_recorded_of_what_another_run_took(pipeline: Pipeline) -> None:
    before = newest(pipeline, "complete/all").id
    ran = pipeline.run("backup_complete", assets=["backups/complete"])
    assert not ran.success
    assert "was not backed up in this run" in ran.red()["complete/members"]
    assert newest(pipeline, "complete/all").id == before


def test_what_was_not_proved_in_a_store_is_proved_in_turn(pipeline: Pipeline) -> None:
    cloud = [each.status for each in catalogue(pipeline, "cloud").of(None)]
    assert Status.STORED in cloud
    ran = pipeline.run("verify_restore", assets=["restores/kept"])
    assert ran.red() == {}
    assert {each.status for each in catalogue(pipeline, "cloud").of(None)} == {Status.PROVED}
    again = pipeline.run("verify_restore", assets=["restores/kept"])
    assert again.success
    metadata = again.result.get_asset_materialization_events()[0].materialization.metadata
    assert metadata["proved_now"].value == 0


def damage(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)


DAMAGES = [
    pytest.param(damage, "altered", id="a flipped bit"),
    pytest.param(lambda path: path.write_bytes(b"age-encryption.org/v1"), "cut off", id="a truncated object"),
]


@pytest.mark.parametrize(("harm", "seen"), DAMAGES)
def test_a_damaged_folder_is_never_proved(pipeline: Pipeline, harm: Callable[[Path], None], seen: str) -> None:
    assert pipeline.run("backup_folders").success
    found = newest(pipeline, "folder/media")
    path = pipeline.platform.layout.state / "backups" / found.part("content").key
    before = path.read_bytes()
    path.chmod(0o600)
    harm(path)
    try:
        ran = pipeline.run("verify_folders")
        assert not ran.success
        assert seen in ran.red()["folder-media/restored"]
    finally:
        path.write_bytes(before)
    assert pipeline.run("verify_folders").success


def test_the_verbs_take_prove_and_bring_back_a_folder(pipeline: Pipeline, tmp_path: Path) -> None:
    taken = pipeline.ecom("backup", "folder-media")
    assert taken.returncode == 0, taken.stderr
    found = newest(pipeline, "folder/media")
    proved = pipeline.ecom("verify", found.id)
    assert proved.returncode == 0, proved.stderr
    back = pipeline.ecom("restore", found.id, "--to", str(tmp_path / "media"))
    assert back.returncode == 0, back.stderr
    assert read_tree(tmp_path / "media") == read_tree(pipeline.platform.folder("media"))


def test_the_list_shows_every_source(pipeline: Pipeline) -> None:
    done = pipeline.ecom("snapshots", "--json")
    assert done.returncode == 0, done.stderr
    assert {each["source"] for each in json.loads(done.stdout)} == {
        "complete/all",
        "configuration/all",
        "database/shop",
        "folder/media",
    }


def test_the_list_says_that_a_set_is_broken(pipeline: Pipeline) -> None:
    member = next(
        each for each in newest(pipeline, "complete/all").fingerprint["members"] if each["source"] == "folder/media"
    )
    place = pipeline.platform.layout.state / "backups" / "ecommerce" / "folder" / "media" / member["id"]
    content = place / "content.tar.zst.age"
    hidden = Path(shutil.move(content, pipeline.platform.layout.state / "hidden"))
    try:
        done = pipeline.ecom("snapshots", "--store", "local")
        assert done.returncode == 1
        assert f"the set is broken: folder/media {member['id']} lacks an object" in done.stderr
        assert not pipeline.run("verify_complete", assets=["restores/complete"]).success
    finally:
        shutil.move(hidden, content)


def test_the_table_of_the_report_has_the_truth_beside_every_row(pipeline: Pipeline) -> None:
    (table,) = stored_facts.backups(pipeline.platform, pipeline.shop, {"folder/media": 1.5}, datetime.now(UTC))
    assert [row[0] for row in table.rows] == [
        "Application data: media",
        "Configuration",
        "Complete cluster",
        "Database: shop",
    ]
    cells = [cell for row in table.rows for cell in row if isinstance(cell, Cell)]
    assert not [each.text for each in cells if each.truth == "not backed up here"]
    assert not [f"{each.text}: {each.truth}" for each in cells if each.outcome is Outcome.FAILED]
    assert table.rows[0][-1] == Cell("below 2 h", "took 1.5 s", Outcome.PASSED)


def test_a_store_that_cannot_be_read_is_named_on_the_page_and_proves_nothing(
    pipeline: Pipeline, tmp_path: Path
) -> None:
    away = {name: Store(url=f"file:{tmp_path}/{name}") for name in pipeline.shop.stores}
    shop = pipeline.shop.model_copy(update={"stores": away})
    platform = LocalPlatform(shop, pipeline.platform.layout.state)
    table, unread = stored_facts.backups(platform, shop, {}, datetime.now(UTC))
    assert [row[0] for row in unread.rows] == list(away)
    cells = [cell for each in (table, unread) for row in each.rows for cell in row if isinstance(cell, Cell)]
    assert not [each for each in cells if each.outcome is Outcome.PASSED]
    assert stored_facts.load_tests(platform, shop) == ([], [])


@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        (("restore", "latest", "--source", "complete", "--to", "x"), "a set is no content"),
        (("restore", "latest", "--source", "folder-media", "--to", "postgresql://me@host/x"), "the path of an empty"),
        (("restore", "latest", "--to", "somewhere"), "a database's URL"),
        (("verify", "latest", "--source", "folder-nothing"), "'folder-media'"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_runs(
    pipeline: Pipeline, arguments: tuple[str, ...], seen: str
) -> None:
    done = pipeline.ecom(*arguments)
    assert done.returncode == 2
    assert seen in done.stderr
