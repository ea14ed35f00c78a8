"""The shop's services on this machine: instances of a colour, begun, seen ready, replaced, ended.

An instance's name holds a digest of everything that it runs with, so the same definition is the same
instance and another one is another. Not here: which colour people are led to.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from ecom_platform.clients.supervisor import Program
from ecom_platform.clients.web import session
from ecom_platform.errors import EcomError, PermanentError, UnreachableError
from ecom_platform.platforms.local.parts import Part, Parts, Progress
from ecom_platform.platforms.local.ports import Ports
from ecom_platform.platforms.local.switch import Switch
from ecom_platform.platforms.protocol import Colour, Instance
from ecom_platform.settings import ROOT
from ecom_platform.spec import Service

DRAIN_SECONDS = 1.0
"""Between the last request that is sent to an instance and its SIGTERM: requests that are on their way
arrive, and what is under way then the server itself finishes before it ends.
"""

STOP_SECONDS = 30
"""How long a server may take to finish what is under way after SIGTERM."""


@dataclass(frozen=True)
class Services:
    """environment: of a service and a colour, with files and addresses in place of references."""

    parts: Parts
    ports: Ports
    switch: Switch
    environment: Callable[[Service, Colour], Mapping[str, str]]
    command: Callable[[Sequence[str]], tuple[str, ...]]

    def deploy(self, service: Service, colour: Colour, progress: Progress) -> tuple[Instance, ...]:
        """Begin what is missing, see it ready, lead the colour there, then end what is too much."""
        before = self.recorded(service.name, colour)
        wanted = self._programs(service, colour)
        new = [each for each in wanted if each.name not in before]
        try:
            self.parts.bring_up([self.part(each) for each in wanted], progress)
        except EcomError:
            self._discard([each.name for each in new])
            raise
        self.switch.point(service, colour, [each.about["address"] for each in wanted])
        surplus = sorted(set(before) - {each.name for each in wanted})
        if surplus:
            time.sleep(DRAIN_SECONDS)
            self._discard(surplus)
        self._drop_old_logs(service, colour)
        return tuple(_instance(each) for each in wanted)

    def remove(self, service: Service, colour: Colour) -> None:
        names = list(self.recorded(service.name, colour))
        if names:
            self.switch.point(service, colour, [])
            time.sleep(DRAIN_SECONDS)
        self._discard(names)
        self._drop_old_logs(service, colour)

    def recorded(self, service: str | None = None, colour: Colour | None = None) -> dict[str, Program]:
        """The instances that ought to run."""
        return {
            name: program
            for name, program in self.parts.files.read().items()
            if "service" in program.about
            and service in (None, program.about["service"])
            and colour in (None, program.about["colour"])
        }

    def instances(self, service: Service, colour: Colour) -> tuple[Instance, ...]:
        """Those of the recorded ones whose process lives."""
        states = self.parts.supervisor.states()
        recorded = self.recorded(service.name, colour).items()
        return tuple(_instance(program) for name, program in recorded if name in states and states[name].alive)

    def part(self, program: Program, *, essential: bool = True, after: tuple[str, ...] = ()) -> Part:
        seconds = float(program.about["start_timeout"])
        return Part(
            program,
            ready=lambda: _ready(program),
            before=lambda: self.ports.refuse_taken(program.name),
            after=after,
            seconds=seconds,
            essential=essential,
        )

    def running_service(self, service: Service, colour: Colour) -> Service | None:
        """The service as that colour runs it now, which the spec may have changed since."""
        for program in self.recorded(service.name, colour).values():
            return Service.model_validate_json(program.about["definition"])
        return None

    def _programs(self, service: Service, colour: Colour) -> list[Program]:
        command, environment = self.command(service.command), self.environment(service, colour)
        essence = [command, dict(environment), service.version, service.probes.model_dump(mode="json")]
        digest = hashlib.sha256(json.dumps(essence, sort_keys=True).encode()).hexdigest()[:6]
        names = [f"{service.name}-{colour}-{digest}-{number}" for number in range(1, service.replicas + 1)]
        ports = self.ports.choose(names)
        common = Program("", command, str(ROOT), environment, stop_seconds=STOP_SECONDS, alone=True)
        return [_instance_program(common, service, colour, name, ports[name]) for name in names]

    def _discard(self, names: Sequence[str]) -> None:
        self.parts.forget(names)
        for name in names:
            self.ports.give_back(name)

    def _drop_old_logs(self, service: Service, colour: Colour) -> None:
        """Logs of instances that are gone; that of the newest failure was shown when it happened."""
        kept = set(self.recorded(service.name, colour))
        for log in self.parts.files.logs.glob(f"{service.name}-{colour}-*.log*"):
            if log.name.partition(".log")[0] not in kept:
                log.unlink(missing_ok=True)


def _instance_program(common: Program, service: Service, colour: Colour, name: str, port: int) -> Program:
    return replace(
        common,
        name=name,
        environment={**common.environment, "HOST": "127.0.0.1", "PORT": str(port), "INSTANCE": name},
        about={
            "service": service.name,
            "colour": colour,
            "version": service.version,
            "address": f"127.0.0.1:{port}",
            "ready": service.probes.ready,
            "identity": service.probes.version,
            "start_timeout": str(service.probes.start_timeout.total_seconds()),
            "definition": json.dumps(_essence(service)),
        },
    )


def _essence(service: Service) -> dict[str, object]:
    """The service as in a spec, without what a running instance does not depend on."""
    content = service.model_dump(mode="json", include={"name", "version", "command", "environment", "probes"})
    content["probes"]["start_timeout"] = f"{service.probes.start_timeout.total_seconds()}s"
    return content


def _instance(program: Program) -> Instance:
    about = program.about
    colour: Colour = "blue" if about["colour"] == "blue" else "green"
    return Instance(program.name, about["service"], colour, about["version"], f"http://{about['address']}")


def _ready(program: Program) -> bool:
    """True if it is ready, and is what was begun. Raises PermanentError if something else answers there."""
    about = program.about
    try:
        with session(f"http://{about['address']}", seconds=2) as client:
            if client.get(about["ready"]).status != 200:
                return False
            said = client.get(about["identity"]).json()
    except UnreachableError:
        return False
    wanted = {"version": about["version"], "colour": about["colour"], "instance": program.name}
    seen = {key: said.get(key) for key in wanted} if isinstance(said, dict) else said
    if seen != wanted:
        raise PermanentError(
            f"start {program.name}",
            f"{about['identity']} answers {seen}, not {wanted}",
            "A service repeats there VERSION, COLOUR and INSTANCE of its environment.",
        )
    return True
