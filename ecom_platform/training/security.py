"""Security: a copy with a secret that others may read, roles with more rights than they need, and a port that is open
beyond this machine.

Judged by the files' modes, by trying what a role must not be able to do, and by the addresses that listen.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecom_platform.clients import limited_server, status_page
from ecom_platform.clients.processes import find, has_environment, listening_at
from ecom_platform.clients.web import session
from ecom_platform.errors import EcomError
from ecom_platform.platforms.local.ports import Ports
from ecom_platform.recovery.copies import Site
from ecom_platform.spec import Shop
from ecom_platform.training import copy
from ecom_platform.training.copy import copy_site, database_of, how_to_reach, make, server_is_down
from ecom_platform.verdicts import Verdict, failed, holds, inconclusive

if TYPE_CHECKING:
    from ecom_platform.platforms.protocol import Platform

ADMIN = "admin.pgpass"
"""The superuser's password for psql, so that it is in no command line."""

PAGE = "status-page.json"
"""The settings of the copy's status page."""

EVERYWHERE = "0.0.0.0"  # noqa: S104  # the weakness itself

ATTRIBUTES = ("rolsuper", "rolcreaterole", "rolcreatedb", "rolreplication", "rolbypassrls")


def build(live: Platform, shop: Shop, folder: Path, progress: Callable[[str], None]) -> Mapping[str, Any]:
    return plant(make(live, shop, folder, progress), folder)


def plant(site: Site, folder: Path) -> Mapping[str, Any]:
    """The weaknesses, and the superuser's password for who is to mend them; gives the facts for the judge."""
    _widen_roles(site, folder)
    _app_secret(site).chmod(0o644)
    port = _open_page(folder)
    return {"secrets": sorted(each.name for each in _secrets(site)), "page": port}


def _open_page(folder: Path) -> int:
    """A page that everybody on the network could call; it tells nothing but that it is there."""
    port = Ports(folder / "page-ports.json", folder / "page-ports.lock").choose(["page"])["page"]
    (folder / PAGE).write_text(json.dumps({"address": EVERYWHERE, "port": port}) + "\n", encoding="utf-8")
    status_page.start(folder, folder / PAGE)
    return port


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

    site = copy_site(shop, folder)
    url = site.platform.postgres.superuser(database_of(site).name).url
    return f"""A copy of your shop was set up in a hurry. Its secrets (in {site.platform.layout.secrets}),
the roles of its database {database_of(site).name} and its status page let people do more than they need.
Find what is too wide and take it away; the shop's and the backup's roles must go on working, and so must the page,
for whoever is on this machine: http://127.0.0.1:{facts["page"]}/

In another terminal:
  {how_to_reach(folder)}
  export PGPASSFILE={folder / ADMIN}
  {wheel_programs() / "psql"} '{url}'
Hints: docs/security.md says what each role is for, and who may read a secret.
       In psql, \\du and \\dn+ show who may what. `ss -ltnp` shows which addresses listen, and for whom.
       The page reads {folder / PAGE} again whenever that is written."""


def remove(shop: Shop, folder: Path) -> None:
    limited_server.end(folder)
    copy.remove(shop, folder)


def look(shop: Shop, folder: Path, facts: Mapping[str, Any]) -> list[Verdict]:
    site = copy_site(shop, folder)
    if down := server_is_down(site):
        return [inconclusive("the copy's server answers", f"{down}; `ecom train security end` begins anew")]
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in _secrets(site)}
    lost = sorted(set(facts["secrets"]) - set(modes))
    if lost:
        return [failed("every secret is there", f"{', '.join(lost)} is gone")]
    return [judge_modes(modes), *_roles(site), judge_ports(_listening(folder)), _page_answers(facts["page"])]


def _listening(folder: Path) -> list[tuple[str, int]]:
    """Where the processes of this scene listen: those of the copy, and the page."""
    mark, own = str(folder.resolve()), limited_server.MARK
    return listening_at(find(lambda each: mark in " ".join(each.cmdline()) or has_environment(each, own, mark)))


def judge_ports(listening: Sequence[tuple[str, int]]) -> Verdict:
    """Pure. listening: addresses and ports of the copy's processes."""
    claim = "no port of the copy is open beyond this machine"
    if not listening:
        return inconclusive(claim, "nothing of the copy listens")
    wide = [f"{address} port {port}" for address, port in sorted(set(listening)) if not ip_address(address).is_loopback]
    return holds(claim, not wide, "; ".join(wide) or f"{len(set(listening))} ports, all on loopback")


def _page_answers(port: int) -> Verdict:
    claim = "the status page answers on this machine"
    try:
        with session(f"http://127.0.0.1:{port}", seconds=5) as page:
            status = page.get("/").status
    except EcomError as error:
        return failed(claim, error.seen)
    return holds(claim, status == 200, str(status))


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
