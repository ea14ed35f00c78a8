"""The values of the shop's chart that follow from a spec. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecom_platform.errors import ConfigurationError
from ecom_platform.platforms.kubernetes.names import SHOP_ACCESS, names_of
from ecom_platform.platforms.protocol import Colour
from ecom_platform.spec import DatabaseReference, Service, ServiceReference, Shop

Values = dict[str, Any]

_OF_CHART = frozenset(
    ["HOST", "PORT", "VERSION", "COLOUR", "INSTANCE", "XDG_CACHE_HOME", "DATABASE_URL_FILE", "MEDIA_DIR", "BACKEND"]
)
"""Variables that the chart gives every instance."""

COMPONENTS = ("backend", "frontend")
"""What the chart has Deployments for."""

_BY_CHART = {"DATABASE_URL_FILE": "database", "MEDIA_DIR": "folder", "BACKEND": "service"}
"""Variables that the chart itself sets, with the kind of reference that may stand for them in a spec."""


def base(shop: Shop) -> Values:
    """Values of a first installation: every service as blue, at the spec's version; the spec's own values win."""
    values: Values = {
        "database": {"name": _managed_database(shop)},
        "networkPolicies": {
            "platform": {
                "namespace": names_of(shop).platform_namespace,
                "podLabels": {"ecom/shop-access": SHOP_ACCESS["ecom/shop-access"]},
            }
        },
    }
    if elsewhere := shop.kubernetes.database_namespace:
        values["database"]["external"] = {"enabled": True, "namespace": elsewhere}
        values["networkPolicies"]["siblings"] = [elsewhere]
    for service in shop.services:
        values = merged(values, _of_service(service, "blue"))
        values[service.name]["colours"]["green"] = _absent(shop, service)
    return merged(values, shop.kubernetes.values)


def first_as(shop: Shop, colour: Colour) -> Values:
    """More values for a first installation whose services are of that colour alone."""
    colours = {each: {"enabled": each == colour} for each in ("blue", "green")}
    return {each.name: {"live": colour, "preview": colour, "colours": colours} for each in shop.services}


def with_sibling(running: Mapping[str, Any], namespace: str) -> Values:
    """The running values, with that namespace's pods let in."""
    siblings = {*(running.get("networkPolicies") or {}).get("siblings", []), namespace}
    return merged(running, {"networkPolicies": {"siblings": sorted(siblings)}})


def with_door(running: Mapping[str, Any], service: Service, of: Service, colour: Colour, namespace: str) -> Values:
    """The running values with that colour of the service a door to the namespace. of: whose image its pods have."""
    repository, tag = image(of)
    door = {
        "enabled": True,
        "version": service.version,
        "repository": repository,
        "tag": tag,
        "environment": {},
        "replicas": service.replicas,
        "door": namespace,
    }
    own = dict(running[service.name])
    return {**running, service.name: {**own, "colours": {**own["colours"], colour: door}}}


def as_it_runs(shop: Shop, running: Mapping[str, Any], colour: Colour) -> tuple[Service, ...]:
    """The spec's services at version, image and replicas of a colour in the running values."""
    found = []
    for each in shop.services:
        it = running[each.name]["colours"][colour]
        changes = {"version": it["version"], "image": f"{it['repository']}:{it['tag']}", "replicas": it["replicas"]}
        found.append(each.model_copy(update=changes))
    return tuple(found)


def _absent(shop: Shop, service: Service) -> Values:
    """A colour that does not run. Where pods operate the shop it is parked: they may change a Deployment, and not
    make one.
    """
    if shop.kubernetes.platform_image:
        return {**_colour(service, enabled=True), "replicas": 0}
    return _colour(service, enabled=False)


def refreshed(shop: Shop, running: Mapping[str, Any]) -> Values:
    """The spec's values with every colour and the migration as they run: an upgrade that changes no version."""
    values = base(shop)
    for name in (each for each in COMPONENTS if each in running):
        values[name]["colours"] = _parked(shop, name, running[name]["colours"])
    return merged(values, {"migration": running.get("migration") or {}})


def _parked(shop: Shop, name: str, colours: Mapping[str, Any]) -> Values:
    """The colours as they run; one that is absent becomes what an absent one is in this spec."""
    absent = _absent(shop, shop.service(name))
    return {colour: dict(it) if it.get("enabled") else {**absent} for colour, it in colours.items()}


def as_running(values: Mapping[str, Any], deployments: Mapping[str, Mapping[str, Any]]) -> Values:
    """Values with what a version brings along as each colour's Deployment has it. deployments: by name."""
    seen: Values = dict(values)
    for name in (each for each in COMPONENTS if each in values):
        colours = dict(values[name].get("colours", {}))
        for colour, it in colours.items():
            found = deployments.get(f"{name}-{colour}")
            if found is not None and it.get("enabled") and not it.get("door"):
                colours[colour] = {**it, **_of_deployment(found, values[name].get("environment") or {})}
        seen[name] = {**values[name], "colours": colours}
    return seen


def _of_deployment(deployment: Mapping[str, Any], common: Mapping[str, str]) -> Values:
    """common: settings of both colours."""
    template = deployment["spec"]["template"]
    container = template["spec"]["containers"][0]
    repository, _, tag = container["image"].rpartition(":")
    plain = {each["name"]: each.get("value", "") for each in container.get("env") or () if "valueFrom" not in each}
    own = {name: it for name, it in plain.items() if name not in _OF_CHART and common.get(name) != it}
    return {
        "enabled": True,
        "version": template["metadata"]["labels"]["app.kubernetes.io/version"],
        "repository": repository,
        "tag": tag,
        "environment": own,
        "replicas": deployment["spec"].get("replicas", 1),
    }


def with_colour(shop: Shop, running: Mapping[str, Any], service: Service, colour: Colour) -> Values:
    """The spec's values with that service as that colour; other services and colours as they run."""
    values = base(shop)
    for name in (each for each in COMPONENTS if each in running):
        values[name]["colours"] = running[name]["colours"]
        if name != service.name:
            values[name] = running[name]
    values = merged(values, {"migration": running.get("migration") or {}})
    values = merged(values, _of_service(service, colour))
    values[service.name]["colours"] = {**values[service.name]["colours"], colour: _colour(service, enabled=True)}
    return merged(values, _of_spec(shop, service))


def _of_spec(shop: Shop, service: Service) -> Values:
    """The spec's own values, but those of other services."""
    return {
        name: value for name, value in shop.kubernetes.values.items() if name not in COMPONENTS or name == service.name
    }


def _of_service(service: Service, colour: Colour) -> Values:
    repository, tag = image(service)
    # The service's own repository is for the migration alone: each colour has its own.
    own: Values = {
        service.name: {
            "image": {"repository": repository},
            "startSeconds": int(service.probes.start_timeout.total_seconds()),
            "colours": {colour: _colour(service, enabled=True)},
        }
    }
    return own | ({"migration": {"tag": tag}} if uses_database(service) else {})


def without_colour(shop: Shop, values: Mapping[str, Any], service: Service, colour: Colour) -> Values:
    gone = {"replicas": 0} if shop.kubernetes.platform_image else {"enabled": False}
    return merged(values, {service.name: {"colours": {colour: gone}}})


def _colour(service: Service, *, enabled: bool) -> Values:
    """Everything that a version brings along, so that another one beside it changes nothing of it."""
    repository, tag = image(service)
    return {
        "enabled": enabled,
        "version": service.version,
        "repository": repository,
        "tag": tag,
        "environment": settings(service),
        "replicas": service.replicas,
    }


def uses_database(service: Service) -> bool:
    return any(isinstance(each, DatabaseReference) for each in service.environment.values())


def image(service: Service) -> tuple[str, str]:
    """Repository and tag; the version is the tag of an image that has none."""
    if service.name not in COMPONENTS:
        raise ConfigurationError(
            f"deploy {service.name} to Kubernetes",
            f"the shop's chart has {' and '.join(COMPONENTS)}",
            "Name the services so, or give `kubernetes.chart` one that has yours.",
        )
    if not service.image:
        raise ConfigurationError(f"deploy {service.name} to Kubernetes", "it has no image", "Give it `image`.")
    return split_image(service.image, service.name, default_tag=service.version)


def split_image(name: str, of: str, *, default_tag: str = "") -> tuple[str, str]:
    """Repository and tag. Raises ConfigurationError for a digest, for `latest`, and for no tag and no default."""
    folder, slash, last = name.rpartition("/")
    repository, colon, tag = last.partition(":")
    if "@" in last or tag == "latest" or not (tag or default_tag):
        raise ConfigurationError(f"deploy {of} to Kubernetes", f"its image is {name}", "Give it a tag of its own.")
    return f"{folder}{slash}{repository}", tag if colon else default_tag


def settings(service: Service) -> dict[str, str]:
    """Plain settings. Raises ConfigurationError for a reference that the chart does not make."""
    plain: dict[str, str] = {}
    for name, value in service.environment.items():
        if isinstance(value, str):
            plain[name] = value
        elif _BY_CHART.get(name) != type(value).__name__.removesuffix("Reference").lower():
            raise ConfigurationError(
                f"deploy {service.name} to Kubernetes",
                f"the shop's chart does not set {name}",
                f"It sets {', '.join(_BY_CHART)} as they stand in the example; give others as text.",
            )
        elif isinstance(value, ServiceReference) and value.service != "backend":
            raise ConfigurationError(f"deploy {service.name}", f"{name} must lead to the service backend")
    return plain


def _managed_database(shop: Shop) -> str:
    managed = [each.name for each in shop.databases if each.managed]
    if len(managed) != 1:
        raise ConfigurationError(
            f"install the shop {shop.shop}",
            f"the shop's chart runs one database, the spec has {len(managed)} that are managed",
        )
    return managed[0]


def merged(values: Mapping[str, Any], over: Mapping[str, Any]) -> Values:
    """As Helm merges: mappings into each other, anything else replaced."""
    result = dict(values)
    for name, value in over.items():
        before = result.get(name)
        both = isinstance(before, Mapping) and isinstance(value, Mapping)
        result[name] = merged(before, value) if both else value  # type: ignore[arg-type]  # seen to be mappings
    return result
