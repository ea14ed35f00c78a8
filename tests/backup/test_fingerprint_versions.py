"""Between versions: what an older server holds is proved on its own version and on the wheel's.

Needs a packaged server older than the wheel's (Debian: postgresql-15); skipped where there is none.
"""

from __future__ import annotations

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
from tests.backup.restoring import EVERYTHING, archives_of, copies, load, open_folder

PACKAGED = sorted(each.parent for each in Path("/usr/lib/postgresql").glob("1[4567]/bin/postgres"))
WHEELS_BUILD_LACKS = re.compile(r"DO \$(icu|xml)\$.*?END \$\1\$;", re.DOTALL)


@pytest.fixture
def older() -> Iterator[tuple[DatabaseAccess, Path]]:
    if not PACKAGED:
        pytest.skip("no packaged server of an older version is on this machine")
    with open_folder() as folder, scratch_server(folder, programs=PACKAGED[0]) as server:
        yield create_database(server.admin, "everything"), folder


def test_an_older_database_with_everything_is_proved_on_its_own_version(older: tuple[DatabaseAccess, Path]) -> None:
    access, folder = older
    load(access, EVERYTHING)
    with sql.connect(access) as connection:
        expected = fingerprint(connection).model_dump(mode="json")
    found = verify_snapshot(expected, copies(archives_of(access, programs=PACKAGED[0])), scratch_folder=folder)
    assert [str(each) for each in found.verdicts if not each.passed] == []


def test_an_older_database_is_proved_on_a_newer_version_or_says_what_that_lacks(
    older: tuple[DatabaseAccess, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    access, folder = older
    monkeypatch.setattr(verification, "server_programs", lambda _: wheel_programs())
    script = folder / "portable.sql"
    script.write_text(WHEELS_BUILD_LACKS.sub("", EVERYTHING.read_text()))
    load(access, script)
    with sql.connect(access) as connection:
        expected = fingerprint(connection).model_dump(mode="json")
        found = verify_snapshot(expected, copies(archives_of(access)), scratch_folder=folder)
        assert [str(each) for each in found.verdicts if not each.passed] == []
        connection.execute(
            "CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
        )
        lacking = verify_snapshot(expected, copies(archives_of(access)), scratch_folder=folder)
    assert lacking.outcome is Outcome.INCONCLUSIVE
    assert "ICU" in str(lacking.verdicts)
