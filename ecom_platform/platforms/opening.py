"""The platform that a spec names. Nothing else: the verbs must not wait for Dagster's import."""

from __future__ import annotations

from pathlib import Path

from ecom_platform.platforms.protocol import Platform
from ecom_platform.spec import Shop


def open_platform(shop: Shop, state: Path) -> Platform:
    """The shop's platform; the folder `state` holds one folder for each shop. It touches nothing."""
    if shop.platform == "kubernetes":
        from ecom_platform.platforms.kubernetes import KubernetesPlatform

        return KubernetesPlatform(shop, state / shop.shop)
    from ecom_platform.platforms.local import LocalPlatform

    return LocalPlatform(shop, state / shop.shop)
