"""Brings the database's schema to where this version wants it: `python -m shop.migrate expand|contract`.

Expand revisions go before a release, contract revisions after it, when nobody runs the old version.
Only one migrator works at a time; a second waits and then finds nothing left to do.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from shop.database_url import NotConfigured, database_url

FOLDER = Path(__file__).parent / "migrations"

LOCK = 0x73686F70
"""The advisory lock's number ("shop"): any fixed number, the same in every version."""

# A revision that waits for a table holds up everyone who comes after it; it gives up instead and is run again.
LOCK_TIMEOUT = "10s"

# The least that the backend's statements need; it never creates, alters or truncates.
GRANTS = {
    "products": "SELECT, UPDATE",
    "customers": "SELECT, INSERT",
    "sessions": "SELECT, INSERT, DELETE",
    "carts": "SELECT, INSERT, UPDATE, DELETE",
    "cart_items": "SELECT, INSERT, UPDATE, DELETE",
    "orders": "SELECT, INSERT",
    "order_lines": "SELECT, INSERT",
}


def migrate(url: str, step: str, app_role: str) -> list[str]:
    """Applies the revisions of one step ("expand" or "contract"); returns those that were applied.

    url: a postgresql:// URL of the owner. Raises SQLAlchemyError when a revision fails (it is then
    rolled back, those before it stay) and NotConfigured when the app role is wrong.
    """
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    with engine.connect() as guard:
        # On a connection of its own: the lock outlives the transactions of the revisions, and not this process.
        guard.execute(text("SELECT pg_advisory_lock(:number)"), {"number": LOCK})
        guard.commit()
        with engine.connect() as connection:
            connection.execute(text(f"SET lock_timeout = '{LOCK_TIMEOUT}'"))
            connection.commit()
            applied = _upgrade(connection, step)
            if step == "expand":
                _grant(connection, app_role)
            return applied


def _upgrade(connection: Connection, step: str) -> list[str]:
    applied: list[str] = []
    config = Config(attributes={"connection": connection, "applied": applied})
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    folders = (FOLDER / "versions" / "expand", FOLDER / "versions" / "contract")
    config.set_main_option("version_locations", "\n".join(str(each).replace("%", "%%") for each in folders))
    if step in _branches(ScriptDirectory.from_config(config)):
        command.upgrade(config, f"{step}@head")
    connection.commit()
    return applied


def _branches(scripts: ScriptDirectory) -> set[str]:
    return {label for revision in scripts.walk_revisions() for label in revision.branch_labels}


def _grant(connection: Connection, role: str) -> None:
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", role):
        raise NotConfigured(f"APP_ROLE is {role!r}; a role's name is 1 to 63 of a-z, 0-9 and _")
    if connection.execute(text("SELECT FROM pg_roles WHERE rolname = :role"), {"role": role}).first() is None:
        raise NotConfigured(f"APP_ROLE: there is no role {role} on this server; create it first")
    connection.execute(text(f'GRANT USAGE ON SCHEMA public TO "{role}"'))
    for table, rights in GRANTS.items():
        connection.execute(text(f'GRANT {rights} ON public.{table} TO "{role}"'))
    connection.commit()


def main(arguments: list[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """0 done or nothing to do; 1 a revision failed; 2 not configured."""
    parser = argparse.ArgumentParser(prog="shop.migrate", description=__doc__)
    parser.add_argument("step", choices=("expand", "contract"))
    step = parser.parse_args(arguments).step
    try:
        applied = migrate(database_url(environment), step, environment.get("APP_ROLE", "") or "shop_app")
    except NotConfigured as error:
        sys.stderr.write(f"shop.migrate: {error}\n")
        return 2
    except SQLAlchemyError as error:
        sys.stderr.write(f"shop.migrate {step}: {str(error).splitlines()[0]}\n")
        return 1
    sys.stdout.write(f"{step}: {', '.join(applied) if applied else 'nothing to do'}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
