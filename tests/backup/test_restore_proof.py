"""A snapshot is proved by a restore; whatever is wrong with it makes the proof red and names the cause."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ecom_platform.backup.fingerprints import fingerprint
from ecom_platform.backup.restore import Write
from ecom_platform.backup.scratch import sweep
from ecom_platform.backup.verification import verify_snapshot
from ecom_platform.clients import sql
from ecom_platform.errors import (
    CorruptBackup,
    PreflightError,
    UnreachableError,
)
from ecom_platform.platforms.protocol import DatabaseAccess
from ecom_platform.verdicts import Outcome, Verdict, holds
from tests.backup.restoring import (
    SHOP,
    Snapshot,
    archives_of,
    copies,
    dump,
    execute,
    open_folder,
    read_fingerprint,
    taken,
    verify,
    wrong,
)
from tests.backup.servers import Postgres


@pytest.fixture(scope="module")
def shop(postgres_server: Postgres) -> Snapshot:
    return taken(postgres_server, "proof_shop")


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as place:
        yield place


PHASES = {"server", "fetch", "decrypt", "restore", "schema", "data", "indexes", "fingerprint", "compare", "read_path"}
PHASES |= {"cleanup"}


def test_a_good_snapshot_passes_with_its_phases_and_its_numbers(shop: Snapshot, folder: Path) -> None:
    seen: list[str] = []

    def read_path(access: DatabaseAccess) -> Verdict:
        with sql.connect(access) as connection:
            ((count, host),) = sql.fetch(connection, "SELECT count(*), host(inet_server_addr()) FROM products")
        seen.append(host)
        return holds("products can be read", count == 50, f"{count} products")

    verification = verify_snapshot(
        shop.fingerprint, copies(shop.archives), scratch_folder=folder, space_needed=1, read_path=read_path
    )
    assert wrong(verification) == []
    assert verification.outcome is Outcome.PASSED
    assert seen == ["127.0.0.1"]
    assert verification.rows == 2050
    assert verification.tables == 2
    assert set(verification.seconds) >= PHASES
    assert verification.plain_bytes == sum(len(each) for name, each in shop.archives.items() if name != "roles")
    assert verification.as_dict()["outcome"] == "passed"


CHANGES = [
    ("DELETE FROM orders WHERE id = 77", "table public.orders: 1,999 rows, the manifest says 2,000"),
    ("UPDATE products SET name = name || '.' WHERE id = 3", "table public.products: 50 rows as in the manifest, but"),
    ("UPDATE a SET v = 3 - v", "table public.a: 2 rows as in the manifest, but their content differs"),
    ("INSERT INTO b VALUES (1)", "table public.b: 2 rows, the manifest says 1"),
    ("DROP TABLE c", "table public.c: missing, the manifest says 1 rows"),
    ("SELECT setval('orders_id_seq', 1999)", "sequence public.orders_id_seq: 1,999, the manifest says 2,000"),
    (
        "ALTER TABLE orders DROP CONSTRAINT orders_quantity_check",
        "constraint public.orders.orders_quantity_check: missing",
    ),
    ("DROP INDEX orders_product", "index public.orders_product: missing"),
    ("ALTER TABLE b ALTER k SET DEFAULT 1", "column public.b.k: its definition differs"),
    (
        "CREATE OR REPLACE VIEW cheap AS SELECT * FROM products WHERE id < 11",
        "view public.cheap: its definition differs",
    ),
    ("GRANT SELECT ON products TO PUBLIC", "table public.products: its definition differs"),
    ("SELECT lo_from_bytea(1, 'x')", "large objects: 1, the manifest says 0"),
]
MORE = """
CREATE TABLE a (k int, v int); INSERT INTO a VALUES (1, 1), (2, 2);
CREATE TABLE b (k int); INSERT INTO b VALUES (1);
CREATE TABLE c (k int PRIMARY KEY); INSERT INTO c VALUES (1);
"""


def test_a_dump_of_something_else_names_everything_that_differs(postgres_server: Postgres, folder: Path) -> None:
    access = postgres_server.create("proof_changed", SHOP + MORE)
    fingerprint = read_fingerprint(access).model_dump(mode="json")
    execute(access, *(change for change, _ in CHANGES))
    verification = verify(folder, fingerprint, archives_of(access))
    assert verification.outcome is Outcome.FAILED
    told = wrong(verification)
    for _, cause in CHANGES:
        assert any(each.startswith(cause) for each in told), (cause, told)


def test_a_not_null_that_was_lost_is_told_and_not_taken_for_other_content(
    postgres_server: Postgres, folder: Path
) -> None:
    access = postgres_server.create("proof_not_null", SHOP)
    expected = read_fingerprint(access).model_dump(mode="json")
    execute(access, "ALTER TABLE products ALTER name DROP NOT NULL")
    told = wrong(verify(folder, expected, archives_of(access)))
    assert any(each.startswith("column public.products.name: its definition differs") for each in told), told
    assert not any("content" in each for each in told), told


def test_a_snapshot_of_the_first_algorithm_is_still_judged(postgres_server: Postgres, folder: Path) -> None:
    access = postgres_server.create("proof_first", SHOP)
    with sql.connect(access, autocommit=False) as connection:
        chained = fingerprint(connection)
        alone = fingerprint(connection, like=chained.model_copy(update={"tables": {}}))
    old = alone.model_dump(mode="json", exclude={"tables": {"__all__": {"chained"}}}) | {"algorithm": 1}
    assert old["tables"]["public.orders"]["content"] != chained.tables["public.orders"].content
    assert wrong(verify(folder, old, archives_of(access))) == []
    execute(access, "UPDATE products SET price = price + 1 WHERE id = 1")
    assert "table public.products: 50 rows as in the manifest, but their content differs" in wrong(
        verify(folder, old, archives_of(access))
    )


def test_a_dump_of_the_schema_alone_is_red(shop: Snapshot, folder: Path) -> None:
    archives = {"schema": shop.archives["schema"], "data": dump(shop.access, "--schema-only")}
    verification = verify(folder, shop.fingerprint, archives)
    assert "table public.orders: 0 rows, the manifest says 2,000" in wrong(verification)
    without = verify(folder, shop.fingerprint, {"schema": shop.archives["schema"]})
    assert "table public.orders: 0 rows, the manifest says 2,000" in wrong(without)


def test_the_dump_of_an_empty_database_is_red_for_a_full_one_and_green_for_itself(
    postgres_server: Postgres, shop: Snapshot, folder: Path
) -> None:
    access = postgres_server.create("proof_empty")
    archives = archives_of(access)
    assert "table public.orders: missing, the manifest says 2,000 rows" in wrong(
        verify(folder, shop.fingerprint, archives)
    )
    itself = verify(folder, read_fingerprint(access).model_dump(mode="json"), archives)
    assert itself.outcome is Outcome.PASSED
    assert itself.tables == 0


def test_a_database_without_the_schema_public_comes_back_without_it(postgres_server: Postgres, folder: Path) -> None:
    access = postgres_server.create("proof_no_public", "DROP SCHEMA public; CREATE SCHEMA s CREATE TABLE t (a int)")
    verification = verify(folder, read_fingerprint(access).model_dump(mode="json"), archives_of(access))
    assert wrong(verification) == []


@pytest.mark.parametrize(("name", "share"), [("schema", 0.3), ("largest", 0.95), ("data", 0.0)])
def test_a_truncated_archive_is_red_even_if_nobody_noticed_before(
    shop: Snapshot, folder: Path, name: str, share: float
) -> None:
    content = shop.archives[name]
    verification = verify(folder, shop.fingerprint, {**shop.archives, name: content[: int(len(content) * share)]})
    assert verification.outcome is Outcome.FAILED
    assert any("pg_restore" in each for each in wrong(verification)), wrong(verification)


def test_bytes_that_are_found_damaged_on_the_way_are_red_with_that_cause(shop: Snapshot, folder: Path) -> None:
    def damaged(write: Write) -> None:
        write(shop.archives["largest"][:30000])
        raise CorruptBackup("open the archive largest", "altered: SHA-256 is another", "Use another.")

    verification = verify_snapshot(
        shop.fingerprint, {**copies(shop.archives), "largest": damaged}, scratch_folder=folder
    )
    assert wrong(verification) == ["open the archive largest: altered: SHA-256 is another"]
    assert verification.outcome is Outcome.FAILED


def test_a_store_that_does_not_answer_is_no_verdict(shop: Snapshot, folder: Path) -> None:
    def unreachable(write: Write) -> None:
        raise UnreachableError("read an object", "the store does not answer")

    with pytest.raises(UnreachableError):
        verify_snapshot(shop.fingerprint, {**copies(shop.archives), "data": unreachable}, scratch_folder=folder)
    assert [each.name for each in folder.iterdir()] == [".sweep"]


def test_a_server_that_lacks_what_the_snapshot_needs_is_inconclusive(postgres_server: Postgres, folder: Path) -> None:
    snapshot = taken(postgres_server, "proof_extension", "CREATE EXTENSION citext; CREATE TABLE orders ()")
    # An extension that no server has, in place of one with a name of the same length.
    archive = snapshot.archives["schema"].replace(b"citext", b"nosuch")
    verification = verify(folder, snapshot.fingerprint, {**snapshot.archives, "schema": archive})
    assert verification.outcome is Outcome.INCONCLUSIVE
    assert "nosuch" in wrong(verification)[0]


def test_roles_come_from_the_snapshot_itself(postgres_server: Postgres, folder: Path) -> None:
    script = (
        "DROP ROLE IF EXISTS proof_owner, proof_reader;"
        "CREATE ROLE proof_owner; CREATE ROLE proof_reader VALID UNTIL '2020-01-01';"
        "CREATE TABLE orders (a int); ALTER TABLE orders OWNER TO proof_owner; GRANT SELECT ON orders TO proof_reader;"
    )
    snapshot = taken(postgres_server, "proof_roles", script)
    assert wrong(verify(folder, snapshot.fingerprint, snapshot.archives)) == []
    fewer = snapshot.archives["roles"].replace(b"CREATE ROLE proof_reader", b"-- CREATE ROLE proof_reader")
    found = wrong(verify(folder, snapshot.fingerprint, {**snapshot.archives, "roles": fewer}))
    assert "role proof_reader: the database names it, the archive of roles does not" in found
    without = {name: each for name, each in snapshot.archives.items() if name != "roles"}
    assert wrong(verify(folder, snapshot.fingerprint, without)) == []


def test_a_superuser_who_may_not_log_in_at_the_source_does_not_lock_us_out(shop: Snapshot, folder: Path) -> None:
    roles = shop.archives["roles"] + b"\nALTER ROLE postgres NOLOGIN PASSWORD 'x' VALID UNTIL '2020-01-01';\n"
    roles += b"ALTER ROLE postgres SET default_transaction_read_only = on;\n"
    assert wrong(verify(folder, shop.fingerprint, {**shop.archives, "roles": roles})) == []


def test_too_little_room_is_found_before_anything_is_fetched(shop: Snapshot, folder: Path) -> None:
    def never(write: Write) -> None:
        raise AssertionError("fetched")

    with pytest.raises(PreflightError, match="are needed"):
        verify_snapshot(shop.fingerprint, {"schema": never}, scratch_folder=folder, space_needed=1 << 60)


VERIFIER = """
import json, sys, threading
from pathlib import Path
from ecom_platform.backup.verification import verify_snapshot
place = Path(sys.argv[1])
def copy(name):
    def write_all(write):
        content = (place / name).read_bytes()
        if name == sys.argv[2]:
            write(content[: len(content) // 2])
            print("in the middle", flush=True)
            threading.Event().wait()
        write(content)
    return write_all
names = [each.name for each in place.iterdir() if each.is_file() and each.name != "fingerprint"]
verify_snapshot(json.loads((place / "fingerprint").read_text()), {name: copy(name) for name in names},
                scratch_folder=Path(sys.argv[3]))
"""


@pytest.mark.parametrize("name", ["schema", "largest"])
def test_a_killed_verification_leaves_nothing_after_the_sweep(
    shop: Snapshot, folder: Path, tmp_path: Path, name: str
) -> None:
    for archive, content in shop.archives.items():
        (tmp_path / archive).write_bytes(content)
    (tmp_path / "fingerprint").write_text(json.dumps(shop.fingerprint))
    verifier = subprocess.Popen(
        [sys.executable, "-c", VERIFIER, str(tmp_path), name, str(folder)], stdout=subprocess.PIPE, cwd=Path.cwd()
    )
    assert verifier.stdout is not None
    with verifier, verifier.stdout:
        assert verifier.stdout.readline() == b"in the middle\n"
        os.kill(verifier.pid, signal.SIGKILL)
    assert len(sweep(folder)) == 1
    assert [each.name for each in folder.iterdir()] == [".sweep"]
    assert verify(folder, shop.fingerprint, shop.archives).outcome is Outcome.PASSED


def test_a_disk_that_fills_up_says_nothing_of_the_snapshot(postgres_server: Postgres, folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    script = "CREATE TABLE orders AS SELECT i, repeat(md5(i::text), 8) AS t FROM generate_series(1, 150000) i"
    snapshot = taken(postgres_server, "proof_full_disk", script)
    small = folder / "small"
    small.mkdir(mode=0o755)
    mount = ["mount", "-t", "tmpfs", "-o", "size=72m,mode=755", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("cannot mount here")
    try:
        verification = verify_snapshot(snapshot.fingerprint, copies(snapshot.archives), scratch_folder=small)
        assert verification.outcome is Outcome.INCONCLUSIVE
        assert "No space left" in wrong(verification)[0]
        assert [each.name for each in small.iterdir()] == [".sweep"]
    finally:
        subprocess.run(["umount", "--lazy", str(small)], check=True)
