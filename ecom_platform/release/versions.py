"""Which version: what a release is to bring, what is live, and what a deployment may therefore do. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict

from ecom_platform.errors import BusyError, ConfigurationError, RefusedError
from ecom_platform.release.machine import Phase
from ecom_platform.release.state import Definition, State
from ecom_platform.spec import Service, ServiceReference, Shop


def of_spec(shop: Shop) -> Definition:
    return Definition(services=shop.services, tasks={each.name: each.tasks for each in shop.databases})


def said_by(shop: Shop) -> dict[str, tuple[str, str]]:
    """Version and image of each service, as the spec has them."""
    return {each.name: (each.version, each.image) for each in shop.services}


class Wanted(BaseModel):
    """What a release is to bring. said: what the spec it was read from says, see Live."""

    model_config = ConfigDict(frozen=True)

    definition: Definition
    said: Mapping[str, tuple[str, str]]


def wanted(shop: Shop, version: str = "", images: Mapping[str, str] | None = None) -> Wanted:
    """See candidate."""
    return Wanted(definition=candidate(shop, version, images), said=said_by(shop))


def candidate(shop: Shop, version: str = "", images: Mapping[str, str] | None = None) -> Definition:
    """What a release brings: the spec's services, all at that version where one is given.

    images: by service. An image whose tag is not the version must be given: the tag is what runs.
    """
    images = images or {}
    unknown = sorted(set(images) - {each.name for each in shop.services})
    if unknown:
        known = ", ".join(each.name for each in shop.services)
        raise ConfigurationError("choose what to release", f"there is no service {unknown[0]}", f"There are {known}.")
    services = tuple(_at_version(shop, each, version, images.get(each.name, "")) for each in shop.services)
    return of_spec(shop).model_copy(update={"services": services})


def _at_version(shop: Shop, service: Service, version: str, image: str) -> Service:
    changes = {"version": version or service.version, "image": image or service.image}
    tag = service.image.rpartition("/")[2].partition(":")[2]
    if shop.platform == "kubernetes" and version and tag and not image and tag != version:
        raise ConfigurationError(
            f"release {service.name} {version}",
            f"its image in the spec is {service.image}",
            f"Name the new one: --image {service.name}=REPOSITORY:TAG, or change the spec.",
        )
    return service.model_copy(update=changes)


def label(definition: Definition) -> str:
    versions = definition.versions()
    if len(set(versions.values())) == 1:
        return next(iter(versions.values()))
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def is_newer(one: Definition, than: Definition) -> bool:
    """Some service is newer and none is older."""
    theirs = than.versions()
    pairs = [(ranked(version), ranked(theirs.get(name, ""))) for name, version in one.versions().items()]
    return any(a > b for a, b in pairs) and all(a >= b for a, b in pairs)


def ranked(version: str) -> tuple[tuple[int, int, str], ...]:
    """Versions in the order that people read them: numbers as numbers, 1.10 after 1.9."""
    parts = re.findall(r"\d+|[A-Za-z]+", version)
    return tuple((1, int(each), "") if each.isdigit() else (0, 0, each) for each in parts)


def in_order(shop: Shop) -> tuple[str, ...]:
    """The services so that callers come after those they call."""
    order: list[str] = []

    def visit(service: Service, above: tuple[str, ...]) -> None:
        if service.name in above:
            raise ConfigurationError("order the services", f"{' calls '.join((*above, service.name))}: a circle")
        for value in service.environment.values():
            if isinstance(value, ServiceReference) and value.service not in order:
                visit(shop.service(value.service), (*above, service.name))
        if service.name not in order:
            order.append(service.name)

    for each in shop.services:
        visit(each, ())
    return tuple(order)


def as_released(shop: Shop, state: State) -> Shop:
    """The shop as it is to run: a release's outcome outlasts the spec's version until that one is edited.

    Raises BusyError when the spec was edited while a release is under way, RefusedError when the edit
    goes back behind what is live.
    """
    if state.live is None:
        return shop
    services = tuple(_as_live(each, state) for each in shop.services)
    return shop.model_copy(update={"services": services})


def _as_live(service: Service, state: State) -> Service:
    assert state.live is not None
    live = {each.name: each for each in state.live.definition.services}.get(service.name)
    known = state.live.spec.get(service.name)
    if live is None or known is None:
        return service
    if known == (service.version, service.image):
        return _as_serving(service, live, state)
    tried = f"deploy {service.name} {service.version}"
    if state.unfinished:
        assert state.journal is not None
        version, by = state.journal.release.version, state.journal.started_by
        raise BusyError(
            tried, f"{by} is releasing {version} since {state.journal.started_at:%H:%M:%S} UTC", "Wait for its end."
        )
    if ranked(service.version) < ranked(live.version):
        raise RefusedError(
            tried,
            f"{live.version} is live by {state.live.by}, and the spec was edited to an older version",
            "Use `ecom release rollback`, or release the version that you want.",
        )
    return service


def _as_serving(service: Service, live: Service, state: State) -> Service:
    """At the live version; between the cut-over and the end of the dwell at the new one, which serves."""
    journal = state.journal
    if journal is not None and journal.release.phase is Phase.FORWARD and journal.release.live is None:
        raise BusyError(
            f"deploy {service.name}", f"the cut-over to {journal.release.version} is under way", "Wait for its end."
        )
    return service.model_copy(update={"version": live.version, "image": live.image, "command": _command(service, live)})


def _command(service: Service, live: Service) -> tuple[str, ...]:
    return live.command if live.version != service.version else service.command
