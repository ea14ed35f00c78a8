"""docs/backup.md keeps its word: its commands restore a backup by hand, and every test that it names is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecom_platform.backup import dump_plan
from ecom_platform.settings import ROOT
from tests.backup.dumps import CONTENT, Dumper, dumper
from tests.backup.restoring import read_fingerprint
from tests.backup.servers import PG_BIN, ObjectServer, Postgres
from tests.backup.snapshots import KEY_FILE

GUIDE = (ROOT / "docs" / "backup.md").read_text(encoding="utf-8")


def commands() -> str:
    """The block of the guide that restores by hand; the one before it says where things are."""
    section = GUIDE.partition("\n## By hand\n")[2].partition("\n## ")[0]
    where, restore = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    assert set(re.findall(r"\$([A-Z]+)", restore)) <= set(re.findall(r"\b([A-Z]+)=", where))
    return str(restore)


@pytest.fixture
def dumping(
    postgres_server: Postgres, s3_server: ObjectServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Dumper]:
    monkeypatch.setattr(dump_plan, "LANE_BYTES", 1 << 20)  # one table is very large, as the guide has it
    script = f"{CONTENT}; CREATE ROLE by_hand; GRANT SELECT ON accounts TO by_hand"
    yield dumper(postgres_server, s3_server, tmp_path, postgres_server.create("by_hand", script))
    with postgres_server.connect() as connection:
        for statement in (b"DROP DATABASE by_hand", b"DROP DATABASE IF EXISTS restored", b"DROP ROLE by_hand"):
            connection.execute(statement)


def by_hand(dumping: Dumper, server: Postgres, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """The guide's commands, as it prints them, by a shell that knows nothing else."""
    for program in ("age", "zstd"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on this machine")
    (tmp_path / "key").write_text(KEY_FILE)
    (entry,) = dumping.catalogue("local").entries
    access = server.access()
    told = {"PGHOST": "127.0.0.1", "PGPORT": str(server.port), "PGUSER": "postgres", "PGPASSWORD": access.password}
    places = {"SNAPSHOT": str(tmp_path / "store" / entry.manifest.folder), "KEY": str(tmp_path / "key")}
    return subprocess.run(
        ["bash", "-c", commands()],
        env={"PATH": f"{PG_BIN}:{os.defpath}", "TMPDIR": str(tmp_path), **told, **places},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_commands_of_the_guide_restore_a_backup(dumping: Dumper, postgres_server: Postgres, tmp_path: Path) -> None:
    assert "largest" in dumping.dump().archives
    before = read_fingerprint(dumping.database)
    done = by_hand(dumping, postgres_server, tmp_path)
    assert done.returncode == 0, done.stderr
    after = read_fingerprint(postgres_server.access("restored"))
    for part in ("tables", "sequences", "large_objects", "objects"):
        assert getattr(after, part) == getattr(before, part), part


def test_the_commands_of_the_guide_refuse_a_backup_in_which_a_bit_was_changed(
    dumping: Dumper, postgres_server: Postgres, tmp_path: Path
) -> None:
    path = tmp_path / "store" / dumping.dump().part("data").key
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
    done = by_hand(dumping, postgres_server, tmp_path)
    assert done.returncode != 0
    assert "age: error" in done.stderr
    with postgres_server.connect() as connection:
        assert connection.execute(b"SELECT FROM pg_database WHERE datname = 'restored'").fetchall() == []


def test_every_test_that_the_guide_names_is_there() -> None:
    named = set(re.findall(r"`(test_[a-z0-9_]+)`", GUIDE))
    assert len(named) > 30
    texts = [each.read_text(encoding="utf-8") for each in (ROOT / "tests").rglob("test_*.py")]
    there = {name for text in texts for name in re.findall(r"^def (test_\w+)\(", text, re.MULTILINE)}
    assert named - there == set()
