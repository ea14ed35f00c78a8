"""Who answers: the instances at an address, by what their /version says, against the platform's own list."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ecom_platform.clients.web import session
from ecom_platform.errors import UnreachableError
from ecom_platform.platforms.protocol import Colour, Instance, Platform
from ecom_platform.spec import Service
from ecom_platform.verdicts import Verdict, equal, failed, holds, inconclusive

ASKED_PER_INSTANCE = 12
"""With requests spread evenly or at random, the chance never to meet one of two instances is one in 4,000."""
BETWEEN_SECONDS = 0.02


def prove_instances(platform: Platform, service: Service, colour: Colour, address: str = "") -> list[Verdict]:
    """Each instance of the colour is itself, and at the address (where one is given) they alone answer."""
    instances = platform.instances(service, colour)
    verdicts = [equal(f"{service.name}: instances of {colour}", service.replicas, len(instances))]
    verdicts += [_is_itself(service, each) for each in instances]
    if address and all(each.passed for each in verdicts):
        verdicts.append(answered_by(service, instances, address))
    return verdicts


def _is_itself(service: Service, instance: Instance) -> Verdict:
    claim = f"{instance.name} answers as itself"
    wanted = (instance.name, service.version, instance.colour)
    try:
        said = identity(instance.url, service)
    except UnreachableError as error:
        return failed(claim, str(error))
    return equal(claim, wanted, said)


def identity(address: str, service: Service) -> tuple[Any, Any, Any]:
    """Instance, version and colour as /version says on a connection of its own."""
    with session(address) as client:
        said = client.get(service.probes.version).json()
    about = said if isinstance(said, dict) else {}
    return about.get("instance"), about.get("version"), about.get("colour")


def answered_by(service: Service, instances: Sequence[Instance], address: str) -> Verdict:
    """At the address each of these instances answers, and nobody else."""
    claim = f"{service.name}: at {address} these instances answer, and no others"
    expected = {(each.name, service.version, each.colour) for each in instances}
    seen: set[tuple[Any, Any, Any]] = set()
    for _ in range(ASKED_PER_INSTANCE * max(1, len(expected))):
        try:
            seen.add(identity(address, service))
        except UnreachableError as error:
            return failed(claim, str(error))
        if seen - expected:
            break
        time.sleep(BETWEEN_SECONDS)
    told = ", ".join(sorted(str(each) for each in seen))
    if seen <= expected and seen != expected:
        return inconclusive(claim, f"only {len(seen)} of {len(expected)} were met: {told}")
    return holds(claim, seen == expected, told)
