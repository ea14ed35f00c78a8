"""The names of assets: shop, stage, subject. One place, because the command line and the report need them too."""

from __future__ import annotations

from ecom_platform.spec import Shop, Stage


def service_path(shop: Shop, stage: Stage, service: str) -> tuple[str, str, str]:
    return (shop.shop, stage, service)


def database_path(shop: Shop, stage: Stage, database: str) -> tuple[str, str, str]:
    """A database may be called like a service, so its subject says what it is."""
    return (shop.shop, stage, f"database-{database}")


def config_name(path: tuple[str, ...]) -> str:
    """The name below `ops:` in a run config for the asset of that key."""
    return "__".join(each.replace("-", "_") for each in path)
