"""The names of assets: shop, stage, subject. One place, because the command line and the report need them too."""

from __future__ import annotations

from ecom_platform.spec import Shop, Stage

SINGLE = ("configuration", "complete")
"""Kinds of sources of which a shop has one, named ONLY."""

ONLY = "all"


def service_path(shop: Shop, stage: Stage, service: str) -> tuple[str, str, str]:
    return (shop.shop, stage, service)


def database_path(shop: Shop, stage: Stage, database: str) -> tuple[str, str, str]:
    """A database may be called like a service, so its subject says what it is."""
    return (shop.shop, stage, f"database-{database}")


def source_path(shop: Shop, stage: Stage, source: str) -> tuple[str, str, str]:
    """source: KIND/NAME as manifests have it."""
    return (shop.shop, stage, subject_of(source))


def subject_of(source: str) -> str:
    """KIND-NAME; of the kinds of which a shop has one, the kind."""
    kind, _, name = source.partition("/")
    return kind if kind in SINGLE else f"{kind}-{name}"


def source_of(subject: str) -> str:
    """The inverse of subject_of."""
    kind, _, name = subject.partition("-")
    return f"{kind}/{ONLY if kind in SINGLE else name}"


def velero_path(shop: Shop, stage: Stage, namespace: str) -> tuple[str, str, str]:
    return (shop.shop, stage, f"velero-{namespace}")


def velero_namespaces(shop: Shop) -> tuple[str, ...]:
    """The namespaces whose Velero backups are assets; none without Velero."""
    if shop.platform != "kubernetes" or shop.kubernetes.velero is None:
        return ()
    return shop.kubernetes.velero.namespaces or (shop.kubernetes.namespace or shop.shop,)


def config_name(path: tuple[str, ...]) -> str:
    """The name below `ops:` in a run config for the asset of that key."""
    return "__".join(each.replace("-", "_") for each in path)
