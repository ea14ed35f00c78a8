"""The copy of a shop on which a drill rehearses: a platform of its own, filled from the newest proved snapshot.

It has its own state folder, ports, passwords and encryption key. The live shop is read at most: its catalogue, and
its folders. Not here: what is done to the copy.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from ecom_platform.errors import MissingError
from ecom_platform.platforms.kubernetes import KubernetesPlatform, tasks
from ecom_platform.platforms.kubernetes.names import names_of
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.platforms.protocol import Platform
from ecom_platform.recovery.database import fill_from
from ecom_platform.spec import Encryption, Notification, Service, ServiceReference, Shop, Store

TASK_SECONDS = 1800.0
COPY = "copy"
"""The folder of a copy below its drill's."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Site:
    """Where a drill rehearses: the copy on this machine."""

    shop: Shop
    platform: LocalPlatform


@dataclass(frozen=True)
class ClusterSite:
    """The copy in namespaces of its own of the cluster."""

    shop: Shop
    platform: KubernetesPlatform


def copy_of(shop: Shop, stores: Iterable[str] = (), **changes: object) -> Shop:
    """The spec of the copy. stores: names of those that it has, each of its own; the first one if none is named.
    changes: to other fields.

    Its databases are managed, whoever runs the originals; it tells nobody anything.
    """
    names = tuple(stores) or tuple(shop.stores)[:1]
    databases = tuple(each.model_copy(update={"managed": True, "url": None}) for each in shop.databases)
    return shop.model_copy(
        update={
            "shop": f"{shop.shop[:34].rstrip('-')}-drill",
            "platform": "local",
            "databases": databases,
            "stores": {name: Store(url=f"file:stores/{name}") for name in names},
            "encryption": Encryption(managed=True),
            "load": None,
            "notify": Notification(),
            **changes,
        }
    )


def site_of(shop: Shop, folder: Path) -> Site:
    """The copy below a drill's folder, there or not."""
    return Site(shop, LocalPlatform(shop, folder / COPY))


def remove_copy(shop: Shop) -> Callable[[Path], None]:
    """Ends and removes the copy below a drill's folder, if there is one."""

    def remove(folder: Path) -> None:
        platform = site_of(shop, folder).platform
        if platform.layout.ports.exists() or platform.layout.locks.exists():
            platform.reset()

    return remove


def cluster_copy_of(shop: Shop) -> Shop:
    """The spec of the copy in the cluster: namespaces and a database of its own, its store a folder of the operator's
    side.
    """
    names = names_of(shop)
    where = shop.kubernetes.model_copy(
        update={
            "namespace": f"{names.namespace}-drill",
            # Also where the shop's own database is elsewhere: what is destroyed is never the shop's.
            "database_namespace": None,
            "platform_namespace": f"{names.platform_namespace}-drill",
        }
    )
    return copy_of(shop, platform="kubernetes", kubernetes=where)


def cluster_site_of(shop: Shop, folder: Path) -> ClusterSite:
    return ClusterSite(shop, KubernetesPlatform(shop, folder / COPY))


def remove_cluster_copy(shop: Shop) -> Callable[[Path], None]:
    """Uninstalls the copy and removes its namespaces, if they were made."""

    def remove(folder: Path) -> None:
        if (folder / COPY).exists():
            cluster_site_of(shop, folder).platform.reset()

    return remove


def bring_up(platform: Platform) -> None:
    """Everything of the platform that the shop's data needs."""
    if isinstance(platform, LocalPlatform):
        platform.up()
    elif isinstance(platform, KubernetesPlatform):
        platform.install()
        tasks.wait_for_migration(platform.cluster, platform.names, seconds=TASK_SECONDS)  # it makes the roles


Place = Site | ClusterSite


def place_of(shop: Shop, folder: Path) -> Place:
    """The copy below a drill's folder, on the platform of its spec, there or not."""
    return cluster_site_of(shop, folder) if shop.platform == "kubernetes" else site_of(shop, folder)


def remover_of(shop: Shop) -> Callable[[Path], None]:
    """What removes that copy."""
    return remove_cluster_copy(shop) if shop.platform == "kubernetes" else remove_copy(shop)


def make_copy(live: Platform, shop: Shop, site: Place, progress: Progress) -> None:
    """Bring the copy up with the live shop's data, deployed and open. Raises MissingError if it has no data."""
    fill_copy(live, shop, site, progress)
    open_shop(site.platform, site.shop)
    progress(f"the copy serves at {site.platform.address(site.shop.front_door, 'active')}")


def fill_copy(live: Platform, shop: Shop, site: Place, progress: Progress) -> None:
    """Bring the copy up with the live shop's data, and none of its services. Raises MissingError if it has no data."""
    progress("making a copy of the shop")
    bring_up(site.platform)
    for folder in site.shop.folders:
        source = live.folder(folder.name)
        shutil.copytree(source, site.platform.folder(folder.name), dirs_exist_ok=True)
    for database in site.shop.databases:
        try:
            fill_from(live, shop, site.platform, database, progress=progress)
        except MissingError:
            # Never backed up: a seed makes a shop to rehearse on; without one there is nothing to lose.
            if not database.tasks.seed:
                raise
            progress(f"{database.name} has no proved snapshot; its seed fills the copy")
            site.platform.run_task(database, database.tasks.expand, timeout=TASK_SECONDS)
            site.platform.run_task(database, database.tasks.seed, timeout=TASK_SECONDS)
        else:
            if database.tasks.expand:
                site.platform.run_task(database, database.tasks.expand, timeout=TASK_SECONDS)


def open_shop(platform: Platform, shop: Shop) -> None:
    """Every service deployed and live, those that others call first."""
    for service in in_order(shop):
        colour = platform.live_colour(service) or "blue"
        platform.deploy(service, colour)
        if platform.live_colour(service) is None:
            platform.switch(service, colour)


def in_order(shop: Shop) -> list[Service]:
    """Services after those that their environment names; a circle is cut where the spec begins it."""
    ordered: list[Service] = []

    def add(service: Service, above: tuple[str, ...]) -> None:
        if service in ordered or service.name in above:
            return
        for value in service.environment.values():
            if isinstance(value, ServiceReference):
                add(shop.service(value.service), (*above, service.name))
        ordered.append(service)

    for each in shop.services:
        add(each, ())
    return ordered
