"""The copy of the shop on which two of the trainings take place: databases, folders and one store, no services.

Not here: what is broken in it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ecom_platform.errors import EcomError
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.platforms.local.layout import make_enterable
from ecom_platform.platforms.protocol import Platform
from ecom_platform.recovery.copies import COPY, Site, copy_of, fill_copy
from ecom_platform.spec import Database, Shop
from ecom_platform.spec_file import write_spec

SPEC = "shop.yaml"
READ_PATH = Database.model_fields["read_path"].default
"""Its snapshots are proved without a service that reads them: it has none."""


def copy_site(shop: Shop, folder: Path) -> Site:
    """There or not. The shop sells nothing: the exercises are about its data."""
    copy = copy_of(shop, services=())
    databases = tuple(each.model_copy(update={"read_path": READ_PATH}) for each in copy.databases)
    name = f"{shop.shop[:31].rstrip('-')}-training"
    alone = copy.model_copy(update={"shop": name, "databases": databases})
    return Site(alone, LocalPlatform(alone, folder / COPY / name))  # where the verbs look for it: below ECOM_STATE


def make(live: Platform, shop: Shop, folder: Path, progress: Callable[[str], None]) -> Site:
    site = copy_site(shop, folder)
    make_enterable(folder / COPY)
    fill_copy(live, shop, site, progress)
    (folder / SPEC).write_text(write_spec(site.shop), encoding="utf-8")
    return site


def remove(shop: Shop, folder: Path) -> None:
    platform = copy_site(shop, folder).platform
    if platform.layout.ports.exists() or platform.layout.locks.exists():
        platform.reset()


def database_of(site: Site) -> Database:
    return site.shop.databases[0]


def server_is_down(site: Site) -> str:
    """Why nothing can be said about the copy's databases; empty if its server answers."""
    from ecom_platform.clients.sql import connect

    try:
        with connect(site.platform.postgres.superuser("postgres")):
            return ""
    except EcomError as error:
        return error.seen


def how_to_reach(folder: Path) -> str:
    """The lines that lead the platform's own verbs, in another terminal, to the copy."""
    return f"export ECOM_STATE={folder / COPY} ECOM_SPEC={folder / SPEC}"
