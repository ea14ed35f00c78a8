"""The whole pipeline once, on real parts."""

from pathlib import Path

import pytest

from ecom_platform.backup.catalogue_reading import read_catalogue
from ecom_platform.backup.manifest import Status
from ecom_platform.clients.objects import open_store
from tests.pipeline.conftest import Pipeline, Ran


@pytest.fixture(scope="module")
def everyday(pipeline: Pipeline) -> Ran:
    return pipeline.run("everyday")


def test_every_stage_is_proved(everyday: Ran) -> None:
    assert everyday.red() == {}
    assert everyday.success
    assert everyday.materialised() == {
        "deployments/database_shop",
        "deployments/backend",
        "deployments/frontend",
        "validations/database_shop",
        "validations/backend",
        "validations/frontend",
        "backups/database_shop",
        "backups/folder_media",
        "backups/configuration",
        "backups/complete",
        "restores/database_shop",
        "restores/folder_media",
        "restores/configuration",
        "restores/complete",
        "benchmarks/front_door",
        "reports/evidence",
    }


@pytest.mark.usefixtures("everyday")
@pytest.mark.parametrize("source", ["database/shop", "folder/media", "configuration/all", "complete/all"])
def test_both_stores_hold_the_snapshot_and_the_proof_lies_beside_it(pipeline: Pipeline, source: str) -> None:
    stores = {name: read_catalogue(open_store(pipeline.platform.store(name))) for name in pipeline.shop.stores}
    newest = {name: found.of(source)[0] for name, found in stores.items()}
    assert newest["local"].manifest.id == newest["cloud"].manifest.id
    assert newest["local"].status is Status.PROVED
    assert newest["cloud"].status is Status.STORED
    assert all(found.problems == () for found in stores.values())


@pytest.mark.usefixtures("everyday")
def test_nothing_is_stored_in_clear(pipeline: Pipeline) -> None:
    files = [each for each in (pipeline.platform.layout.state / "backups").rglob("*.age") if each.is_file()]
    assert files
    assert all(each.read_bytes().startswith(b"age-encryption.org/v1") for each in files)


@pytest.mark.usefixtures("everyday")
def test_the_page_of_evidence_is_there_and_says_passed(pipeline: Pipeline) -> None:
    page = Path(pipeline.platform.reports()) / "evidence.html"
    assert "passed" in page.read_text(encoding="utf-8")


@pytest.mark.usefixtures("everyday")
def test_no_secret_is_in_what_the_runs_recorded(pipeline: Pipeline) -> None:
    secrets = [
        each.read_text().strip()
        for each in (pipeline.platform.layout.state / "secrets").rglob("*")
        if each.is_file() and len(each.read_text().strip()) >= 16
    ]
    assert secrets
    for run in pipeline.instance.get_runs():
        recorded = "\n".join(str(each) for each in pipeline.instance.all_logs(run.run_id))
        assert [each for each in secrets if each in recorded] == []
