"""The shop's spec as the platform's pods in the cluster read it, and the secrets that go there with it. Pure.

A secret that the operator's side knows by an environment variable or a file becomes a key of a Secret, which
the platform's chart mounts at /run/secrets/ecom/USE/KEY. What a run needs, and no more: databases as the roles
app and backup, stores, the key that signs. The identity that opens backups is apart: only pods that restore
mount it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from ecom_platform.errors import ConfigurationError
from ecom_platform.platforms.kubernetes.names import names_of
from ecom_platform.platforms.run_secrets import RUN_SECRETS, Use
from ecom_platform.spec import Encryption, Notification, SecretReference, Shop, Store

IN_RUNS: tuple[Use, ...] = ("database", "stores", "signing")
SIGNING_KEY, IDENTITY, HEARTBEAT = "signing-key", "identity", "heartbeat"
ROLES: tuple[Literal["app", "backup"], ...] = ("app", "backup")
"""The database's owner is not there: migrations run in the shop's namespace, with its Secret."""


def mounted(use: Use, key: str) -> SecretReference:
    return SecretReference(file=str(RUN_SECRETS / use / key))


def inside_spec(shop: Shop, recipients: Sequence[str]) -> Shop:
    """The spec for pods. recipients: every public key that new backups are encrypted to."""
    where = shop.kubernetes.model_copy(
        update={
            "context": "",
            "namespace": names_of(shop).namespace,
            "chart": "",
            "values": {},
            "platform_values": {},
            "velero": None,  # a cluster's matter, by its administrator's rights
            "scratch_namespaces": False,  # a proof of a configuration in a pod compares, and offers nothing
            "inside": True,
        }
    )
    databases = [
        # No service runs beside a copy that is restored in a run's pod (docs/kubernetes.md).
        each.model_copy(
            update={"read_path": None, **({"url": mounted("database", f"{each.name}-url")} if each.url else {})}
        )
        for each in shop.databases
    ]
    return shop.model_copy(
        update={
            "kubernetes": where,
            "databases": tuple(databases),
            "stores": {name: _store(name, each) for name, each in shop.stores.items()},
            "encryption": _encryption(shop, recipients),
            "notify": _notify(shop.notify),
        }
    )


def _notify(told: Notification) -> Notification:
    targets = tuple(mounted("notify", f"target-{number}") for number in range(len(told.targets)))
    later = tuple(
        each.model_copy(
            update={
                "targets": tuple(
                    mounted("notify", f"step-{step}-target-{number}") for number in range(len(each.targets))
                )
            }
        )
        for step, each in enumerate(told.escalation)
    )
    heartbeat = mounted("notify", HEARTBEAT) if told.heartbeat else None
    return told.model_copy(update={"targets": targets, "escalation": later, "heartbeat": heartbeat})


def _store(name: str, store: Store) -> Store:
    keys = {
        field: mounted("stores", f"{name}-{field.replace('_', '-')}")
        for field in ("access_key", "secret_key")
        if getattr(store, field) is not None
    }
    # What removes stays with the operator.
    return store.model_copy(update={**keys, "removing_access_key": None, "removing_secret_key": None})


def _encryption(shop: Shop, recipients: Sequence[str]) -> Encryption:
    opens = shop.encryption.managed or shop.encryption.identity is not None
    return Encryption(recipients=tuple(recipients), identity=mounted("identity", IDENTITY) if opens else None)


def as_values(shop: Shop) -> dict[str, Any]:
    """The spec as it stands in YAML, without what is the default anyway; but with what it leaves out, or the
    chart's own default would leave out its stages.
    """
    content = shop.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return {**content, "shop": shop.shop, "platform": shop.platform, "leave_out": list(shop.leave_out)}


def references(shop: Shop) -> dict[Use, dict[str, SecretReference]]:
    """Secrets that the spec names on the operator's side: by use, by key of the Secret."""
    stores = {
        f"{name}-{field.replace('_', '-')}": reference
        for name, each in shop.stores.items()
        for field in ("access_key", "secret_key")
        if (reference := getattr(each, field)) is not None
    }
    later = {
        f"step-{step}-target-{number}": target
        for step, each in enumerate(shop.notify.escalation)
        for number, target in enumerate(each.targets)
    }
    beats = {HEARTBEAT: shop.notify.heartbeat} if shop.notify.heartbeat else {}
    return {
        "database": {f"{each.name}-url": each.url for each in shop.databases if each.url is not None},
        "stores": stores,
        "notify": {f"target-{number}": each for number, each in enumerate(shop.notify.targets)} | later | beats,
    }


def refuse_what_pods_lack(shop: Shop, *, keeps_state: bool) -> None:
    """Raises ConfigurationError for a spec that runs as pods cannot follow. keeps_state: they share a volume."""
    lost = [name for name, each in shop.stores.items() if each.url.startswith("file:")]
    if lost and not keeps_state:
        raise ConfigurationError(
            f"operate {shop.shop} from inside the cluster",
            f"the store {lost[0]} is a folder, which is gone with the pod of each run",
            "Use `url: s3://...`, `managed: true`, or platform_values: {state: {persistence: {enabled: true}}}.",
        )
