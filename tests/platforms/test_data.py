"""What every platform does for databases, stores, keys and copies of a service against other data."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecom_platform.clients.objects import open_store
from ecom_platform.clients.sql import connect, url_with_password
from ecom_platform.clients.web import session
from ecom_platform.errors import CommandFailed, ConfigurationError, DeadlineExceeded, EcomError, MissingError
from ecom_platform.spec import Database
from tests.platforms.conftest import Place

PRINT_ACCESS = """
import os, pathlib
url = pathlib.Path(os.environ["DATABASE_URL_FILE"]).read_text()
print(url.split("://")[1].split(":")[0], os.environ["APP_ROLE"])
"""


@pytest.fixture
def database(place: Place) -> Iterator[Database]:
    """The shop's database with one table of two rows, which the app role may read and write."""
    database = place.shop.database("shop-data")
    with connect(place.platform.database(database, "owner")) as connection:
        connection.execute("CREATE TABLE things (id bigint PRIMARY KEY, name text)")
        connection.execute("INSERT INTO things VALUES (1, 'cup'), (2, 'pot')")
        connection.execute('GRANT SELECT, INSERT ON things TO "shop-data_app"')
        yield database
        connection.execute("DROP TABLE things")


def test_a_task_runs_as_the_owner_and_is_told_the_app_role(place: Place) -> None:
    done = place.platform.run_task(place.shop.databases[0], [sys.executable, "-c", PRINT_ACCESS], timeout=30)
    assert done.stdout.split() == ["shop-data_owner", "shop-data_app"]


def test_a_task_that_fails_says_why(place: Place) -> None:
    command = [sys.executable, "-c", "raise SystemExit('column shoe_size is missing')"]
    with pytest.raises(CommandFailed, match="shoe_size"):
        place.platform.run_task(place.shop.databases[0], command, timeout=30)


def test_a_task_gets_no_more_than_its_time(place: Place) -> None:
    with pytest.raises(DeadlineExceeded):
        place.platform.run_task(
            place.shop.databases[0], [sys.executable, "-c", "import time; time.sleep(60)"], timeout=0.5
        )


def test_the_app_role_changes_rows_and_no_tables(place: Place, database: Database) -> None:
    with connect(place.platform.database(database, "app")) as connection:
        connection.execute("INSERT INTO things VALUES (3, 'pan')")
    with (
        pytest.raises(ConfigurationError, match="permission denied"),
        connect(place.platform.database(database, "app")) as connection,
    ):
        connection.execute("CREATE TABLE public.others (id int)")


def test_the_backup_role_reads_every_row_in_an_exported_snapshot_and_writes_nothing(
    place: Place, database: Database
) -> None:
    with connect(place.platform.database(database, "owner")) as connection:
        connection.execute("ALTER TABLE things ENABLE ROW LEVEL SECURITY")
    access = place.platform.database(database, "backup")
    with connect(access, autocommit=False) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        assert connection.execute("SELECT pg_export_snapshot()").fetchone()
        assert connection.execute("SELECT count(*) FROM things").fetchone() == (2,)
    with pytest.raises(ConfigurationError, match="permission denied"), connect(access) as connection:
        connection.execute("DELETE FROM things")


def test_each_role_has_a_password_of_its_own_that_nobody_prints(place: Place) -> None:
    database = place.shop.databases[0]
    found = [
        place.platform.database(database, "owner"),
        place.platform.database(database, "app"),
        place.platform.database(database, "backup"),
    ]
    assert len({each.password for each in found}) == 3
    assert all(each.password and each.password not in repr(each) + each.url for each in found)
    with pytest.raises(ConfigurationError), connect(type(found[0])(found[0].url, found[1].password)):
        pass


@pytest.mark.parametrize("name", ["near", "far"])
def test_a_store_keeps_small_and_large_objects(place: Place, name: str) -> None:
    store = open_store(place.platform.store(name))
    store.put_new("tests/small", b"small")
    with store.writer("tests/large") as writer:
        for number in range(20):
            writer.write(bytes([number]) * 1_000_000)
    assert store.get("tests/small") == b"small"
    assert b"".join(store.read("tests/large")) == b"".join(bytes([number]) * 1_000_000 for number in range(20))
    assert sorted(each.key for each in store.list("tests")) == ["tests/large", "tests/small"]
    removing = open_store(place.platform.store(name, removing=True))
    for each in ("tests/small", "tests/large"):
        removing.delete(each)
    assert list(store.list("tests")) == []


def test_a_store_that_the_spec_does_not_have_is_missing(place: Place) -> None:
    with pytest.raises(MissingError, match="near, far"):
        place.platform.store("elsewhere")


def test_what_recipients_encrypt_identities_decrypt(place: Place) -> None:
    import pyrage

    recipients = [pyrage.x25519.Recipient.from_str(each) for each in place.platform.recipients()]
    identities = [pyrage.x25519.Identity.from_str(each) for each in place.platform.identities()]
    assert pyrage.decrypt(pyrage.encrypt(b"rows", recipients), identities) == b"rows"


def test_a_service_reads_another_database_for_as_long_as_it_is_asked_to(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(url_with_password(place.platform.database(place.shop.databases[0], "owner")))
    file.chmod(0o600)
    with place.platform.read_path(place.service("inner"), file) as address, session(address) as copy:
        said = copy.get("/version").json()
    assert said["instance"].startswith("inner-read-path")
    assert said["database_url_file"] == str(file)
    with pytest.raises(EcomError), session(address) as gone:
        gone.get("/version")


def test_a_service_that_cannot_read_the_other_database_says_why(place: Place, tmp_path: Path) -> None:
    service = place.service("inner", MODE="exit")
    with pytest.raises(CommandFailed, match="FROBNICATE"), place.platform.read_path(service, tmp_path / "none"):
        pass
