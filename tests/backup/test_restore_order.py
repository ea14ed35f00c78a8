"""Which part of a dump is restored when: indexes and keys first, then foreign keys and what follows them."""

from __future__ import annotations

from ecom_platform.backup.restore import before_foreign_keys, restore_archives
from ecom_platform.backup.scratch import create_database, scratch_server
from ecom_platform.clients import sql
from tests.backup.restoring import SHOP, archives_of, copies, execute, open_folder, read_fingerprint, verify, wrong
from tests.backup.servers import Postgres

LIST = """;
; Selected TOC Entries:
;
3412; 2606 16401 CONSTRAINT public a a_pkey shop
3413; 1259 16402 INDEX public FK CONSTRAINT shop
3420; 2606 16403 FK CONSTRAINT public b b_fkey shop
3421; 0 0 COMMENT public CONSTRAINT b_fkey ON b shop
3430; 3466 16404 EVENT TRIGGER - told shop
""".splitlines()


def test_the_list_is_parted_before_the_first_foreign_key() -> None:
    assert before_foreign_keys(LIST) == (["3412", "3413"], ["3420", "3421", "3430"])
    assert before_foreign_keys(LIST[:5]) == (["3412", "3413"], [])
    assert before_foreign_keys(LIST[:3]) == ([], [])


AROUND = """
CREATE TABLE told (tag text);
COMMENT ON CONSTRAINT orders_product_fkey ON orders IS 'on a foreign key';
CREATE FUNCTION tell() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO public.told VALUES (TG_TAG); END $$;
CREATE MATERIALIZED VIEW busiest AS SELECT product, count(*) AS orders FROM orders GROUP BY product;
CREATE UNIQUE INDEX busiest_product ON busiest (product);
CREATE VIEW by_key AS
    SELECT p.id, p.name, count(o.id) FROM products p LEFT JOIN orders o ON o.product = p.id GROUP BY p.id;
CREATE EVENT TRIGGER tell ON ddl_command_end EXECUTE FUNCTION tell();
"""


def test_what_follows_foreign_keys_comes_after_them(postgres_server: Postgres) -> None:
    """An event trigger would tell of every command that comes after it; a view needs a key to be complete."""
    access = postgres_server.create("order", SHOP + AROUND)
    with open_folder() as folder:
        assert wrong(verify(folder, read_fingerprint(access).model_dump(mode="json"), archives_of(access))) == []


WATCH = """
CREATE SCHEMA watch;
CREATE TABLE watch.seen (command text, memory text);
CREATE FUNCTION watch.note() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN INSERT INTO watch.seen VALUES (current_query(), current_setting('maintenance_work_mem')); END $$;
CREATE EVENT TRIGGER note ON ddl_command_end EXECUTE FUNCTION watch.note();
"""


def test_only_foreign_keys_are_checked_in_little_memory(postgres_server: Postgres) -> None:
    archives = archives_of(postgres_server.create("order_memory", SHOP))
    with open_folder() as folder, scratch_server(folder) as server:
        target = create_database(server.admin, "restored")
        execute(target, WATCH)
        restore_archives(copies(archives), target, programs=server.programs, folder=server.folder)
        with sql.connect(target) as connection:
            seen = dict(sql.fetch(connection, "SELECT command, memory FROM watch.seen"))
            ((own,),) = sql.fetch(connection, "SHOW maintenance_work_mem")
    memory_of = {kind: {memory for command, memory in seen.items() if kind in command} for kind in KINDS}
    assert memory_of == {"PRIMARY KEY": {own}, "CREATE INDEX": {own}, "FOREIGN KEY": {"8MB"}}
    assert own != "8MB"


KINDS = ("PRIMARY KEY", "CREATE INDEX", "FOREIGN KEY")
