"""The seed: the same content from the same seed, once, with the schema left as it was."""

from __future__ import annotations

import hashlib
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from shop.seed.catalogue import COLOURS, KINDS
from tests.shop.programs import make_shop, run
from tests.shop.server import Postgres, ShopDatabase, create_database

TABLES = ("products", "customers", "sessions", "carts", "cart_items", "orders", "order_lines")

_SCHEMA = """SELECT conrelid::regclass::text || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"""


@pytest.fixture(scope="module")
def twins(postgres: Postgres, folder: Path) -> list[ShopDatabase]:
    """Two databases from one seed, and a third from another."""
    made = [create_database(postgres, name, folder) for name in ("twin1", "twin2", "other")]
    for database, seed in zip(made, (7, 7, 8), strict=True):
        make_shop(database, folder / f"media-{database.name}", orders=3000, seed=seed)
    return made


def content(database: ShopDatabase) -> dict[str, str]:
    """A hash of every row of every table, in one order."""
    found = {}
    with psycopg.connect(database.owner_url) as connection:
        for table in TABLES:
            query = sql.SQL("SELECT md5(string_agg(t::text, '|' ORDER BY t::text COLLATE \"C\")) FROM {} t")
            row = connection.execute(query.format(sql.Identifier(table))).fetchone()
            assert row is not None
            found[table] = row[0]
    return found


def number(database: ShopDatabase, query: str) -> int:
    with psycopg.connect(database.owner_url) as connection:
        row = connection.execute(query.encode()).fetchone()
    assert row is not None
    found: int = row[0]
    return found


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(twins: list[ShopDatabase]) -> None:
    first, second, other = (content(each) for each in twins)
    assert first == second
    assert first["products"] != other["products"]
    assert first["orders"] != other["orders"]


def test_everything_scales_with_the_orders(twins: list[ShopDatabase]) -> None:
    counts = {table: number(twins[0], f"SELECT count(*) FROM {table}") for table in TABLES}
    assert (counts["orders"], counts["products"], counts["customers"]) == (3000, 300, 750)
    assert 8_700 < counts["order_lines"] < 9_300
    assert min(counts.values()) > 0


def test_the_orders_add_up_and_the_names_are_told_apart(twins: list[ShopDatabase]) -> None:
    wrong = """SELECT count(*) FROM orders o JOIN
        (SELECT order_id, sum(quantity * price_cents) AS total FROM order_lines GROUP BY 1) l ON l.order_id = o.id
        WHERE o.total_cents <> l.total"""
    assert number(twins[0], wrong) == 0
    assert number(twins[0], "SELECT count(*) - count(DISTINCT name) FROM products") == 0
    assert number(twins[0], "SELECT min(stock) FROM products") >= 500_000


def test_nobody_can_sign_in_as_a_seeded_customer(twins: list[ShopDatabase]) -> None:
    assert number(twins[0], "SELECT count(password_hash) FROM customers") == 0
    assert number(twins[0], "SELECT count(*) FROM sessions WHERE expires_at > now()") == 0


def test_the_schema_is_as_the_migrations_made_it(twins: list[ShopDatabase], empty_database: ShopDatabase) -> None:
    run(["shop.migrate", "expand"], {"DATABASE_URL_FILE": str(empty_database.owner_file)})

    def schema(database: ShopDatabase) -> list[str]:
        with psycopg.connect(database.owner_url) as connection:
            return [row[0] for row in connection.execute(_SCHEMA)]

    assert schema(twins[0]) == schema(empty_database)
    assert len(schema(twins[0])) > 30


def test_the_next_ids_follow_the_seeded_ones(twins: list[ShopDatabase]) -> None:
    for table in ("products", "customers", "orders"):
        behind = f"SELECT nextval(pg_get_serial_sequence('{table}', 'id')) - max(id) FROM {table}"
        assert number(twins[1], behind) == 1


def test_a_second_run_does_nothing_and_other_arguments_are_refused(twins: list[ShopDatabase]) -> None:
    environment = {"DATABASE_URL_FILE": str(twins[0].owner_file)}
    before = content(twins[0])
    again = run(["shop.seed", "--orders", "3000", "--seed", "7"], environment)
    other = run(["shop.seed", "--orders", "3000", "--seed", "9"], environment)
    assert (again.returncode, other.returncode) == (0, 2)
    assert again.stdout.startswith("nothing to do, seeded with orders=3000 seed=7")
    assert "products are there already (seeded with orders=3000 seed=7)" in other.stderr
    assert content(twins[0]) == before


def test_a_shop_that_the_seed_did_not_make_is_left_alone(empty_database: ShopDatabase) -> None:
    environment = {"DATABASE_URL_FILE": str(empty_database.owner_file)}
    run(["shop.migrate", "expand"], environment)
    with psycopg.connect(empty_database.owner_url) as connection:
        connection.execute("INSERT INTO products (name, price_cents, image) VALUES ('mine', 1, 'x.png')")
    done = run(["shop.seed", "--orders", "10"], environment)
    assert (done.returncode, "not from a seed" in done.stderr) == (2, True)
    assert number(empty_database, "SELECT count(*) FROM products") == 1


def test_without_a_schema_it_says_so_in_one_line(empty_database: ShopDatabase) -> None:
    done = run(["shop.seed"], {"DATABASE_URL_FILE": str(empty_database.owner_file)})
    assert done.returncode == 1
    assert 'relation "public.products" does not exist' in done.stderr
    assert "Traceback" not in done.stderr


def test_the_pictures_are_the_same_every_time_and_a_lost_one_comes_back(
    twins: list[ShopDatabase], folder: Path
) -> None:
    def hashes(name: str) -> dict[str, str]:
        return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in (folder / name).iterdir()}

    before = hashes("media-twin1")
    assert len(before) == len(KINDS) * len(COLOURS)
    assert len(set(before.values())) == len(before)
    assert before == hashes("media-other")
    (folder / "media-twin1" / "mug-1.png").unlink()
    environment = {"DATABASE_URL_FILE": str(twins[0].owner_file), "MEDIA_DIR": str(folder / "media-twin1")}
    done = run(["shop.seed", "--orders", "3000", "--seed", "7"], environment)
    assert "1 pictures drawn" in done.stdout
    assert hashes("media-twin1") == before


def test_every_product_has_its_picture(twins: list[ShopDatabase], folder: Path) -> None:
    with psycopg.connect(twins[0].owner_url) as connection:
        images = {row[0] for row in connection.execute("SELECT DISTINCT image FROM products")}
    assert images <= {each.name for each in (folder / "media-twin1").iterdir()}
