"""From a store and a key alone: what can be recovered, and that it comes back. By the program and by hand."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ecom_platform.backup import recovery_set
from ecom_platform.backup.encryption import Identities, new_identity
from ecom_platform.backup.manifest import Manifest
from ecom_platform.backup.recovery_set import RecoverySet
from ecom_platform.backup.sources import complete
from ecom_platform.backup.sources.tree_writer import read_tree
from ecom_platform.backup.verification import restore_to_database
from ecom_platform.clients.objects import open_store
from ecom_platform.errors import MissingError
from ecom_platform.platforms.protocol import StoreAccess
from ecom_platform.verdicts import Outcome
from tests.backup.servers import PG_BIN, Postgres
from tests.backup.snapshots import KEY_FILE, KEYS, SHOP, signing_key
from tests.backup.sources.world import World


@pytest.fixture(scope="module")
def taken(world: World) -> Manifest:
    """The set, with nothing proved yet."""
    return world.take_set()


@pytest.fixture(scope="module")
def proved(world: World, taken: Manifest) -> RecoverySet:
    """The set, with every member and the set itself proved in the local store."""
    for source in world.members:
        world.record(world.member(source), store="local")
    world.record(taken)
    return recovery_set.newest_set(world.store(), SHOP)


@pytest.mark.usefixtures("taken")
def test_nothing_that_was_not_proved_is_offered(world: World) -> None:
    with pytest.raises(MissingError, match="is not proved"):
        recovery_set.newest_set(world.store("cloud"), SHOP)
    with pytest.raises(MissingError, match="none is proved"):
        recovery_set.newest_proved(world.store("cloud"), SHOP)


def test_a_store_says_which_shops_it_holds(world: World, tmp_path: Path) -> None:
    assert recovery_set.shops(world.store()) == [SHOP]
    with pytest.raises(MissingError, match="no snapshot"):
        recovery_set.shops(open_store(StoreAccess("from", tmp_path.as_uri())))


def test_a_proved_set_names_everything_that_belongs_together(world: World, proved: RecoverySet) -> None:
    assert {source: each.id for source, each in proved.members.items()} == world.members
    assert (proved.databases, proved.folders, proved.has_configuration) == (("shop",), ("media",), True)
    assert proved.warnings == ()
    assert proved.signers == {world.key.public}
    assert [each.usable for each in recovery_set.sets(world.store(), SHOP)] == [True]


def test_the_spec_comes_back_as_it_was(world: World, proved: RecoverySet) -> None:
    assert recovery_set.read_configuration(world.store(), proved, KEYS) == world.shop


def test_the_folder_comes_back(world: World, proved: RecoverySet, tmp_path: Path) -> None:
    recovery_set.restore_folder(world.store(), proved, "media", KEYS, tmp_path / "media")
    pipe = "pipe"
    assert read_tree(tmp_path / "media") == {
        path: each for path, each in read_tree(world.folder).items() if path != pipe
    }


def test_the_database_comes_back(world: World, proved: RecoverySet, postgres_server: Postgres, tmp_path: Path) -> None:
    manifest, archives = recovery_set.database_archives(world.store(), proved, "shop", KEYS)
    target = postgres_server.create("recovered")
    done = restore_to_database(manifest.fingerprint, archives, target, folder=tmp_path)
    assert done.outcome is Outcome.PASSED


def test_newer_proved_snapshots_are_offered_beside_the_set(world: World, proved: RecoverySet) -> None:
    newer = world.take_configuration()
    assert recovery_set.newest_proved(world.store(), SHOP).members["configuration/all"].id != newer.id
    world.record(newer)
    chosen = recovery_set.newest_proved(world.store(), SHOP)
    assert chosen.members["configuration/all"].id == newer.id
    assert recovery_set.newest_set(world.store(), SHOP).members == proved.members


def test_another_key_is_refused_by_name(world: World, proved: RecoverySet, tmp_path: Path) -> None:
    with pytest.raises(Exception, match=KEYS.recipients[0]):
        recovery_set.restore_folder(world.store(), proved, "media", Identities(new_identity()), tmp_path / "x")


def test_a_member_that_is_not_there_is_named(proved: RecoverySet) -> None:
    with pytest.raises(MissingError, match="configuration/all, database/shop, folder/media"):
        proved.member("folder/other")


NEEDED = ("age", "zstd", "tar", "bash")


@pytest.mark.skipif(any(shutil.which(each) is None for each in NEEDED), reason=f"needs {', '.join(NEEDED)}")
@pytest.mark.usefixtures("proved")
def test_the_rebuild_file_rebuilds_by_hand(
    world: World, taken: Manifest, postgres_server: Postgres, tmp_path: Path
) -> None:
    """Its own commands, as they stand there, run by a shell."""
    text = (world.place / "store" / taken.part(complete.REBUILD).key).read_text()
    commands = [line.removeprefix("    ") for line in text.splitlines() if line.startswith("    ")]
    asked = ("export STORE", "export KEY", "export TARGET", "export PGHOST", "ecom ")
    script = "\n".join(each for each in commands if not each.startswith(asked))
    key = tmp_path / "key"
    key.write_text(KEY_FILE)
    with postgres_server.connect() as connection:
        connection.execute("DROP DATABASE IF EXISTS shop WITH (FORCE)")
    server = urlsplit(postgres_server.access().url)
    given = {
        "PATH": f"{PG_BIN}:{os.environ['PATH']}",
        "STORE": str(world.place / "store"),
        "KEY": str(key),
        "TARGET": str(tmp_path / "target"),
        "PGHOST": "127.0.0.1",
        "PGPORT": str(server.port),
        "PGUSER": "postgres",
        "PGPASSWORD": postgres_server.access().password,
    }
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, **given},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    back = read_tree(tmp_path / "target" / "folders" / "media")
    assert back == {path: each for path, each in read_tree(world.folder).items() if path != "pipe"}
    with postgres_server.connect("shop") as connection:
        assert connection.execute("SELECT count(*), max(length(note)) FROM lines").fetchone() == (60000, 128)
    assert "shop: ecommerce" in (tmp_path / "target" / "configuration" / "spec.yaml").read_text()


def test_what_a_stranger_signed_is_not_offered(world: World, proved: RecoverySet) -> None:
    key = signing_key()
    assert recovery_set.newest_proved(world.store(), SHOP, [world.key.public]).members.keys() == proved.members.keys()
    with pytest.raises(MissingError, match="none is proved"):
        recovery_set.newest_proved(world.store(), SHOP, [key.public])
