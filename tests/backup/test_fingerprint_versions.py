"""Between versions: what an older server holds is proved on its own version and on the wheel's.

Needs a server older than the wheel's: packaged (Debian: postgresql-15), or the folders of programs that
ECOM_TEST_POSTGRES names, joined by colons. Skipped where there is none.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecom_platform.backup import verification
from ecom_platform.backup.fingerprints import fingerprint
from ecom_platform.backup.scratch import create_database, scratch_server
from ecom_platform.backup.verification import verify_snapshot
from ecom_platform.clients import sql
from ecom_platform.clients.postgres_server import wheel_programs
from ecom_platform.platforms.protocol import DatabaseAccess
from ecom_platform.verdicts import Outcome
from tests.backup.restoring import EVERYTHING, archives_of, copies, execute, load, open_folder
from tests.backup.test_restore_end_to_end import dumped, verified, wrong

PACKAGED = sorted(each.parent for each in Path("/usr/lib/postgresql").glob("1[4567]/bin/postgres"))
NAMED = [Path(each) for each in os.environ.get("ECOM_TEST_POSTGRES", "").split(os.pathsep) if each]
WHEELS_BUILD_LACKS = re.compile(r"DO \$(icu|xml)\$.*?END \$\1\$;", re.DOTALL)


SERVERS: list[Path | None] = [*PACKAGED, *NAMED]


@pytest.fixture(params=SERVERS or [None], ids=str)
def older(request: pytest.FixtureRequest) -> Iterator[tuple[DatabaseAccess, Path, Path]]:
    """A new database, its server's programs, and a folder."""
    if request.param is None:
        pytest.skip("no server of an older version is on this machine")
    with open_folder() as folder, scratch_server(folder, programs=request.param) as server:
        yield create_database(server.admin, "everything"), request.param, folder


def test_an_older_database_with_everything_is_proved_on_its_own_version(
    older: tuple[DatabaseAccess, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    access, programs, folder = older
    if not (programs / "pg_dump").exists():
        pytest.skip(f"{programs} has a server and no pg_dump")
    monkeypatch.setattr(verification, "server_programs", lambda _: programs)
    load(access, EVERYTHING)
    with sql.connect(access) as connection:
        expected = fingerprint(connection).model_dump(mode="json")
    found = verify_snapshot(expected, copies(archives_of(access, programs=programs)), scratch_folder=folder)
    assert [str(each) for each in found.verdicts if not each.passed] == []


def test_an_older_database_is_proved_on_a_newer_version_or_says_what_that_lacks(
    older: tuple[DatabaseAccess, Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    access, _, folder = older
    monkeypatch.setattr(verification, "server_programs", lambda _: wheel_programs())
    script = folder / "portable.sql"
    script.write_text(WHEELS_BUILD_LACKS.sub("", EVERYTHING.read_text()))
    load(access, script)
    assert wrong(verified(*dumped(access, tmp_path / "store"))) == []
    execute(access, "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
    lacking = verified(*dumped(access, tmp_path / "store"))
    assert lacking.outcome is Outcome.INCONCLUSIVE
    assert "ICU" in str(lacking.verdicts)
