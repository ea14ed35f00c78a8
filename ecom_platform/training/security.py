"""Security: a copy with a secret that others may read, and roles with more rights than they need.

Judged by the files' modes and by trying what a role must not be able to do.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecom_platform.recovery.copies import Site
from ecom_platform.spec import Shop
from ecom_platform.training.copy import copy_site, database_of, how_to_reach, make, remove, server_is_down
from ecom_platform.verdicts import Verdict, failed, holds, inconclusive

if TYPE_CHECKING:
    from ecom_platform.platforms.protocol import Platform

__all__ = ["build", "look", "remove", "task"]

ADMIN = "admin.pgpass"
"""The superuser's password for psql, so that it is in no command line."""

ATTRIBUTES = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls")


def build(live: Platform, shop: Shop, folder: Path, progress: Callable[[str], None]) -> Mapping[str, Any]:
    return plant(make(live, shop, folder, progress), folder)


def plant(site: Site, folder: Path) -> Mapping[str, Any]:
    """The weaknesses, and the superuser's password for who is to mend them; gives the facts for the judge."""
    _widen_roles(site, folder)
    _app_secret(site).chmod(0o644)
    return {"secrets": sorted(each.name for each in _secrets(site))}


def _widen_roles(site: Site, folder: Path) -> None:
    from psycopg import sql

    from ecom_platform.clients.sql import connect
    from ecom_platform.platforms.local.postgres import role_name

    database, postgres = database_of(site), site.platform.postgres
    app, backup = (sql.Identifier(role_name(database, role)) for role in ("app", "backup"))
    access = postgres.superuser(database.name)
    with connect(access) as connection:
        connection.execute(sql.SQL("ALTER ROLE {} CREATEDB").format(app))
        connection.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(app))
        connection.execute(sql.SQL("GRANT pg_write_all_data TO {}").format(backup))
    admin = folder / ADMIN
    admin.touch(mode=0o600)
    admin.write_text(f"*:*:*:*:{access.password}\n", encoding="utf-8")


def task(shop: Shop, folder: Path, facts: Mapping[str, Any]) -> str:
    from ecom_platform.clients.postgres_server import wheel_programs

    del facts
    site = copy_site(shop, folder)
    url = site.platform.postgres.superuser(database_of(site).name).url
    return f"""A copy of your shop was set up in a hurry. Its secrets (in {site.platform.layout.secrets})
and the roles of its database {database_of(site).name} let people do more than they need.
Find what is too wide and take it away; the shop's and the backup's roles must go on working.

In another terminal:
  {how_to_reach(folder)}
  export PGPASSFILE={folder / ADMIN}
  {wheel_programs() / "psql"} '{url}'
Hints: docs/security.md says what each role is for, and who may read a secret.
       In psql, \\du and \\dn+ show who may what."""


def look(shop: Shop, folder: Path, facts: Mapping[str, Any]) -> list[Verdict]:
    site = copy_site(shop, folder)
    if down := server_is_down(site):
        return [inconclusive("the copy's server answers", f"{down}; `ecom train security end` begins anew")]
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in _secrets(site)}
    lost = sorted(set(facts["secrets"]) - set(modes))
    if lost:
        return [failed("every secret is there", f"{', '.join(lost)} is gone")]
    return [judge_modes(modes), *_roles(site)]


def judge_modes(modes: Mapping[str, int]) -> Verdict:
    """Pure. modes: of the secrets' files by name."""
    claim = "no secret can be read by others"
    if not modes:
        return inconclusive(claim, "there are no secrets to look at")
    wide = [f"{name} has mode {mode:o}" for name, mode in sorted(modes.items()) if mode & 0o077]
    return holds(claim, not wide, "; ".join(wide) or f"{len(modes)} files, all of their owner alone")


def judge_attributes(role: str, granted: Mapping[str, bool]) -> Verdict:
    """Pure. granted: the role's attributes in pg_roles."""
    claim = f"{role} has no attribute that it does not need"
    if set(granted) != set(ATTRIBUTES):
        return inconclusive(claim, f"seen were only {sorted(granted)}")
    wide = sorted(name for name, there in granted.items() if there)
    return holds(claim, not wide, ", ".join(wide) or "none of them")


def _roles(site: Site) -> list[Verdict]:
    from ecom_platform.platforms.local.postgres import role_name
    from ecom_platform.validation.database import refused, validate_database

    database = database_of(site)
    verdicts = [each for rows in validate_database(site.platform, database).verdicts.values() for each in rows]
    verdicts.append(judge_attributes(role_name(database, "app"), _attributes(site)))
    backup = site.platform.database(database, "backup")
    # Rights are judged before rows are looked for, so the statement would remove nothing even if it were allowed.
    verdicts += [
        refused(backup, f"the backup role cannot delete from {table}", f"DELETE FROM {_quoted(table)} WHERE false")  # noqa: S608
        for table in database.growing
    ]
    return verdicts


def _attributes(site: Site) -> dict[str, bool]:
    from ecom_platform.clients.sql import connect, fetch
    from ecom_platform.platforms.local.postgres import role_name

    database = database_of(site)
    query = f"SELECT {', '.join(ATTRIBUTES)} FROM pg_roles WHERE rolname = %s"  # noqa: S608  # names from above
    with connect(site.platform.postgres.superuser("postgres")) as connection:
        rows = fetch(connection, query, (role_name(database, "app"),))
    return dict(zip(ATTRIBUTES, rows[0], strict=True)) if rows else {}


def _quoted(table: str) -> str:
    from ecom_platform.backup.fingerprint_sql import quoted

    return ".".join(quoted(each) for each in table.split(".", 1))


def _secrets(site: Site) -> list[Path]:
    return [
        each for each in site.platform.layout.secrets.rglob("*") if each.is_file() and not each.name.startswith(".")
    ]


def _app_secret(site: Site) -> Path:
    from ecom_platform.platforms.local.postgres import role_name

    return site.platform.layout.secrets / f"postgres-{role_name(database_of(site), 'app')}"
