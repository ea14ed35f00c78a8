"""The platform that a spec names. Nothing else: the verbs must not wait for Dagster's import."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ecom_platform.platforms.protocol import Platform
from ecom_platform.spec import Shop

if TYPE_CHECKING:
    from ecom_platform.platforms.kubernetes.moving import MovingPlatform


def open_platform(shop: Shop, state: Path) -> Platform:
    """The shop's platform; the folder `state` holds one folder for each shop. It touches nothing."""
    if shop.platform == "kubernetes":
        from ecom_platform.platforms.kubernetes import KubernetesPlatform

        return KubernetesPlatform(shop, state / shop.shop)
    from ecom_platform.platforms.local import LocalPlatform

    return LocalPlatform(shop, state / shop.shop)


def open_moving(shop: Shop, state: Path) -> MovingPlatform:
    """The platform of a shop that moves to its spec's namespace. Raises ConfigurationError if the spec says none."""
    from ecom_platform.errors import ConfigurationError
    from ecom_platform.platforms.kubernetes.moving import MovingPlatform

    if shop.platform != "kubernetes":
        raise ConfigurationError(
            f"move {shop.shop} to another namespace", "it runs on the local platform", "Namespaces are Kubernetes's."
        )
    return MovingPlatform(shop, state / shop.shop)
