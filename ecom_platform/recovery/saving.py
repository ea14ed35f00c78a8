"""Takes and proves the snapshots of a copy, as the stages `backups` and `restores` do it for the live shop."""

from __future__ import annotations

from ecom_platform.backup import proof, snapshot
from ecom_platform.backup.sources import configuration, proved, taken
from ecom_platform.platforms.protocol import Platform
from ecom_platform.recovery.course import refuse_unproved
from ecom_platform.spec import Database, Shop


def _quiet(what: str) -> None:
    del what


def save_database(platform: Platform, shop: Shop, database: Database) -> str:
    """The id of the new proved snapshot. Raises ProofFailed if it is not proved."""
    _, record = snapshot.take(platform, shop, database, progress=_quiet)
    findings, _ = proof.prove(platform, shop, database, snapshot=record.snapshot, store="", progress=_quiet)
    refuse_unproved(f"the snapshot {record.snapshot}", findings)
    return record.snapshot


def save_folder(platform: Platform, shop: Shop, name: str) -> str:
    _, record = taken.take_folder(platform, shop, name, progress=_quiet)
    return _proved(platform, shop, f"folder/{name}", record.snapshot)


def save_configuration(platform: Platform, shop: Shop) -> str:
    _, record = taken.take_configuration(platform, shop, progress=_quiet)
    return _proved(platform, shop, configuration.SOURCE, record.snapshot)


def _proved(platform: Platform, shop: Shop, source: str, name: str) -> str:
    findings, _ = proved.prove(platform, shop, source, snapshot=name, store="", progress=_quiet)
    refuse_unproved(f"{source} {name}", findings)
    return name


def save_all(platform: Platform, shop: Shop) -> None:
    """Everything that a shop is rebuilt from, the database last: it changes most."""
    save_configuration(platform, shop)
    for folder in shop.folders:
        save_folder(platform, shop, folder.name)
    for database in shop.databases:
        save_database(platform, shop, database)
