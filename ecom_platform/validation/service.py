"""Validates one service at its active address and at each instance: rollout, version, endpoints, error path."""

from __future__ import annotations

from ecom_platform.clients.web import Session, session
from ecom_platform.errors import UnreachableError
from ecom_platform.platforms.protocol import Colour, Instance, Platform
from ecom_platform.records import Findings
from ecom_platform.spec import Endpoint, Service
from ecom_platform.verdicts import Verdict, equal, failed, holds, inconclusive, passed

CHECKS = {
    "rollout_complete": "every instance of the live colour is there and ready",
    "version": "what answers at the active address is what was deployed: service, version, colour, instance",
    "endpoints": "every endpoint of the spec gives its status and content",
    "error_path": "bad requests are refused with a 4xx and a reason, never with a 5xx",
}


def validate_service(
    platform: Platform, service: Service, *, colour: Colour | None = None, address: str = ""
) -> Findings:
    """Verdicts for each of CHECKS; a service that does not answer fails them, it does not raise.

    colour: default the live one. address: where that colour answers, default the active address.
    """
    colour = colour or platform.live_colour(service)
    if colour is None:
        nothing = inconclusive(f"{service.name} is deployed", "it has no live colour; run `ecom launch deploy`")
        return Findings({check: [nothing] for check in CHECKS})
    instances = platform.instances(service, colour)
    address = address or platform.address(service, "active")
    with session(address) as active:
        return Findings(
            {
                "rollout_complete": _rollout(service, instances),
                "version": _version(active, service, instances),
                "endpoints": [_endpoint(active, service, each) for each in service.endpoints],
                "error_path": [_junk(active, service, path) for path in _JUNK],
            }
        )


def _rollout(service: Service, instances: tuple[Instance, ...]) -> list[Verdict]:
    verdicts = [equal(f"{service.name}: instances", service.replicas, len(instances))]
    for each in instances:
        with session(each.url) as direct:
            verdicts.append(_status(direct, f"{each.name} is ready", service.probes.ready, 200))
    return verdicts


def _version(active: Session, service: Service, instances: tuple[Instance, ...]) -> list[Verdict]:
    claim = f"{service.name}: the instance that answers is one that was deployed"
    try:
        said = active.get(service.probes.version).json()
    except UnreachableError as error:
        return [failed(claim, str(error))]
    if not isinstance(said, dict):
        return [failed(claim, f"{service.probes.version} is not a JSON object")]
    deployed = {(each.name, each.version, each.colour) for each in instances}
    answered = (said.get("instance"), said.get("version"), said.get("colour"))
    return [
        holds(claim, answered in deployed, f"answered {answered}, deployed {sorted(deployed)}"),
        equal(f"{service.name}: the version to run", service.version, said.get("version")),
        equal(f"{service.name}: name of the service", service.name, said.get("service")),
    ]


def _endpoint(active: Session, service: Service, endpoint: Endpoint) -> Verdict:
    claim = f"{service.name}: {endpoint.path} answers {endpoint.status}"
    return _status(active, claim, endpoint.path, endpoint.status, endpoint.contains)


def _status(at: Session, claim: str, path: str, status: int, contains: str = "") -> Verdict:
    try:
        answer = at.get(path)
    except UnreachableError as error:
        return failed(claim, str(error))
    if answer.status != status:
        return failed(claim, f"answered {answer.status}: {answer.text[:200]}")
    if not contains:
        return passed(claim, str(answer.status))
    found = "with" if contains in answer.text else "without"
    return holds(claim, contains in answer.text, f"{answer.status} {found} {contains!r}")


_JUNK = ("/../../etc/passwd", "/%00")
"""Refused by any service; bad requests of a service's own are endpoints of the spec with a status of 4xx."""


def _junk(active: Session, service: Service, path: str) -> Verdict:
    claim = f"{service.name}: {path} is refused"
    try:
        answer = active.get(path)
    except UnreachableError as error:
        return failed(claim, str(error))
    return holds(claim, 400 <= answer.status < 500, f"answered {answer.status}")
