"""The values of the platform's chart that follow from a spec. Pure."""

from __future__ import annotations

from ecom_platform.platforms.kubernetes.inside import IN_RUNS, as_values
from ecom_platform.platforms.kubernetes.names import names_of
from ecom_platform.platforms.kubernetes.values import Values, merged, split_image
from ecom_platform.platforms.run_secrets import SECRETS
from ecom_platform.spec import Shop

DATABASE_SECRET, DATABASE_KEY = "ecom-dagster-database", "postgresql-password"
SEAWEEDFS_SECRET = "ecom-seaweedfs"  # noqa: S105 - a Secret's name


def platform_values(shop: Shop, inside: Shop) -> Values:
    """inside: the spec for pods. The spec's own platform_values win."""
    repository, tag = split_image(shop.kubernetes.platform_image, "kubernetes.platform_image")
    notices = {"notify": SECRETS["notify"]} if shop.notify.targets or shop.notify.heartbeat else {}
    values: Values = {
        "image": {"repository": repository, "tag": tag},
        "spec": as_values(inside),
        "secrets": {
            "runs": {use: SECRETS[use] for use in IN_RUNS},
            "notices": notices,
            # The exporter reads the stores; where there are credentials that only read, platform_values name them.
            "metrics": {"stores": SECRETS["stores"]},
            "identity": SECRETS["identity"],
        },
        "database": {"existingSecret": DATABASE_SECRET},
        # It may launch runs, and nobody reaches it but through the API server: see docs/decisions/operated-inside.md.
        "webserver": {"readOnly": False},
        "shop": {"namespace": names_of(shop).namespace, "services": [each.name for each in shop.services]},
        "loadWorkers": {"replicas": shop.load.workers if shop.load else 0},
        "seaweedfs": {
            "enabled": any(each.managed for each in shop.stores.values()),
            "existingSecret": SEAWEEDFS_SECRET,
        },
    }
    return merged(values, shop.kubernetes.platform_values)
