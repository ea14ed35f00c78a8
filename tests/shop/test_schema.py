"""Migrations: expand and contract apart, one migrator at a time, the app's role with no more than it needs."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from shop.migrate import FOLDER
from tests.shop.programs import run
from tests.shop.server import ShopDatabase


def migrate(database: ShopDatabase, step: str, **environment: str) -> tuple[int, str, str]:
    done = run(["shop.migrate", step], {"DATABASE_URL_FILE": str(database.owner_file), **environment})
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def test_expand_makes_the_schema_and_a_second_time_does_nothing(empty_database: ShopDatabase) -> None:
    assert migrate(empty_database, "expand") == (0, "expand: e0001", "")
    assert migrate(empty_database, "expand") == (0, "expand: nothing to do", "")


def test_four_migrators_at_once_apply_each_revision_once(empty_database: ShopDatabase) -> None:
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: migrate(empty_database, "expand"), range(4)))
    assert sorted(results) == [(0, "expand: e0001", "")] + [(0, "expand: nothing to do", "")] * 3


def test_a_revision_that_fails_leaves_the_schema_as_it_was(empty_database: ShopDatabase) -> None:
    with psycopg.connect(empty_database.owner_url) as connection:
        connection.execute("CREATE TABLE order_lines (in_the_way int)")
    code, _, said = migrate(empty_database, "expand")
    assert code == 1
    assert 'relation "order_lines" already exists' in said
    with psycopg.connect(empty_database.owner_url) as connection:
        assert connection.execute("SELECT to_regclass('public.products')").fetchone() == (None,)
        connection.execute("DROP TABLE order_lines")
    assert migrate(empty_database, "expand") == (0, "expand: e0001", "")


def test_the_app_role_reads_and_writes_rows_and_nothing_else(database: ShopDatabase) -> None:
    refused = (
        "DROP TABLE products",
        "TRUNCATE sessions",
        "CREATE TABLE mine (x int)",
        "DELETE FROM orders",
        "UPDATE order_lines SET quantity = 1",
        "UPDATE customers SET password_hash = NULL",
        "ALTER TABLE products ADD COLUMN x int",
    )
    for statement in refused:
        with (
            psycopg.connect(database.server.url(database.name, "shop_app")) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement.encode())


@pytest.mark.parametrize("role", ["no_such_role", 'shop_app"; DROP TABLE products; --'])
def test_an_app_role_that_is_none_is_refused(empty_database: ShopDatabase, role: str) -> None:
    code, _, said = migrate(empty_database, "expand", APP_ROLE=role)
    assert code == 2
    assert "APP_ROLE" in said


def test_a_database_that_is_away_is_one_line_without_the_password(empty_database: ShopDatabase, tmp_path: Path) -> None:
    wrong = tmp_path / "url"
    wrong.write_text("postgresql://shop_owner:hidden-word@127.0.0.1:1/shop")
    done = run(["shop.migrate", "expand"], {"DATABASE_URL_FILE": str(wrong)})
    assert done.returncode == 1
    assert "Connection refused" in done.stderr
    assert "hidden-word" not in done.stderr
    assert "Traceback" not in done.stderr


def test_expand_revisions_take_nothing_away() -> None:
    """A version that runs must live through the expand step; what removes or renames belongs into contract."""
    takes_away = re.compile(r"\b(DROP|RENAME|TRUNCATE|DELETE FROM|SET NOT NULL|ALTER COLUMN \w+ TYPE)\b", re.IGNORECASE)
    revisions = sorted((FOLDER / "versions" / "expand").glob("e*.py"))
    assert revisions
    for revision in revisions:
        assert not takes_away.search(revision.read_text()), revision.name


def test_contract_has_nothing_to_do_while_no_version_left_anything_behind(empty_database: ShopDatabase) -> None:
    migrate(empty_database, "expand")
    assert migrate(empty_database, "contract") == (0, "contract: nothing to do", "")
