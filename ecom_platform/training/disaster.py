"""Disaster recovery: a DELETE without WHERE, and a backup that ran before anybody noticed.

Judged by content: the copy's database against the fingerprint of the newest snapshot without the damage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecom_platform.recovery.copies import Site
from ecom_platform.spec import Shop
from ecom_platform.training.copy import copy_site, database_of, how_to_reach, make, remove, server_is_down
from ecom_platform.verdicts import Verdict, failed, inconclusive

if TYPE_CHECKING:
    from ecom_platform.platforms.protocol import Platform

__all__ = ["build", "look", "remove", "task"]


def build(live: Platform, shop: Shop, folder: Path, progress: Callable[[str], None]) -> Mapping[str, Any]:
    return damage(make(live, shop, folder, progress), progress)


def damage(site: Site, progress: Callable[[str], None]) -> Mapping[str, Any]:
    """A proved snapshot, the rows gone, and another proved snapshot that holds the damage."""
    from ecom_platform.recovery.database import proved
    from ecom_platform.recovery.database_drill import hit
    from ecom_platform.recovery.faults import FAULTS
    from ecom_platform.recovery.saving import save_database

    database = database_of(site)
    progress("a backup of the copy, and its proof")
    right = save_database(site.platform, site.shop, database)
    manifest = proved(site.platform, site.shop, database, [])[right].manifest
    progress("somebody deletes rows")
    FAULTS["deleted-rows"].inflict(site.platform, database, hit(database, site))
    progress("the next backup runs as if nothing had been")
    save_database(site.platform, site.shop, database)
    return {"snapshot": right, "fingerprint": dict(manifest.fingerprint)}


def task(shop: Shop, folder: Path, facts: Mapping[str, Any]) -> str:
    del facts
    site = copy_site(shop, folder)
    return f"""Somebody typed DELETE without WHERE into the database {database_of(site).name} of a copy of your shop.
A backup ran since then. Bring the database back: its whole content, open for the shop, with nothing of the damage.

In another terminal:
  {how_to_reach(folder)}
Hints: `ecom snapshots` shows what there is. The newest snapshot is not always the right one.
       `ecom recover --help` says what brings a database back, and docs/disaster-recovery.md in which order."""


def look(shop: Shop, folder: Path, facts: Mapping[str, Any]) -> list[Verdict]:
    from ecom_platform.backup import fingerprints
    from ecom_platform.backup.compare import compare
    from ecom_platform.clients.sql import connect
    from ecom_platform.errors import EcomError
    from ecom_platform.validation.database import validate_database

    site = copy_site(shop, folder)
    database = database_of(site)
    if down := server_is_down(site):
        return [inconclusive("the copy's server answers", f"{down}; `ecom train disaster-recovery end` begins anew")]
    expected = fingerprints.read(facts["fingerprint"])
    try:
        with connect(site.platform.database(database, "backup")) as connection:
            seen = fingerprints.fingerprint(connection, like=expected)
    except EcomError as error:
        return [failed("the database can be read", error.seen)]
    findings = validate_database(site.platform, database).verdicts
    return [
        *compare(expected, seen),
        *(each for rows in findings.values() for each in rows),
    ]
