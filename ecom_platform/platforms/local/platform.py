"""The local platform: the shop and all that it needs as processes on this machine, for one user.

The front of this package: it puts the parts together and speaks the protocol. Not here: any part.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ecom_platform.clients.web import session
from ecom_platform.errors import (
    BusyError,
    ConfigurationError,
    EcomError,
    PreflightError,
    RefusedError,
    UnreachableError,
)
from ecom_platform.load.resources import Sampler, TheseProcesses
from ecom_platform.platforms.local import losses, read_paths
from ecom_platform.platforms.local.commands import program
from ecom_platform.platforms.local.dagster_home import DOORS as DAGSTER_DOORS
from ecom_platform.platforms.local.dagster_home import METRICS, WEBSERVER, DagsterHome
from ecom_platform.platforms.local.data import Data
from ecom_platform.platforms.local.document import FileDocument
from ecom_platform.platforms.local.holdings import Holdings
from ecom_platform.platforms.local.layout import Layout
from ecom_platform.platforms.local.lifecycle import Lifecycle, PartStatus, status_of
from ecom_platform.platforms.local.locks import held
from ecom_platform.platforms.local.parts import Part, Parts, Progress, quiet
from ecom_platform.platforms.local.ports import Ports
from ecom_platform.platforms.local.postgres import NAME as POSTGRES
from ecom_platform.platforms.local.postgres import Postgres
from ecom_platform.platforms.local.seaweedfs import DOORS
from ecom_platform.platforms.local.seaweedfs import NAME as S3
from ecom_platform.platforms.local.services import Services
from ecom_platform.platforms.local.switch import NAME as SWITCH
from ecom_platform.platforms.local.switch import Switch
from ecom_platform.platforms.protocol import (
    Colour,
    Document,
    Instance,
    ReadPath,
    Which,
)
from ecom_platform.settings import Settings
from ecom_platform.spec import (
    DatabaseReference,
    Service,
    Shop,
)

DEPLOY_WAIT_SECONDS = 120.0
"""How long one deployment of a service waits for another of the same."""


class LocalPlatform(Holdings):
    """One shop below one state folder. Making it touches nothing."""

    def __init__(self, shop: Shop, state: Path) -> None:
        self.shop = shop
        self.layout = Layout(state.resolve())
        self.parts = Parts(self.layout)
        self.ports = Ports(self.layout.ports, self.layout.locks / "ports")
        self.postgres = Postgres(self.layout, self.ports, shop)
        self.switchboard = Switch(self.layout, self.ports, shop)
        self.dagster = DagsterHome(self.layout, self.ports)
        self.data = Data(shop, self.layout, self.ports, self.postgres, self.switchboard)
        self.services = Services(self.parts, self.ports, self.switchboard, self.data.service_environment, program)
        self._life = Lifecycle(self.layout, self.parts, self.postgres.leftovers, self._s3_sockets)

    def _s3_sockets(self) -> list[Path]:
        return self.data.s3.sockets() if self.data.has_managed_store() else []

    # Life

    def up(self, progress: Progress = quiet, *, location: Settings | None = None) -> None:
        """Bring everything up and wait until it is healthy; does nothing where that is so already.

        location: the settings of the Dagster code location; None leaves Dagster out.
        Raises PreflightError, PartFailed, DeadlineExceeded, or BusyError if another one is at work.
        """
        with self._life.alone("`ecom up`", progress), _as_preflight():
            self.ports.choose([*self._purposes(), *(DAGSTER_DOORS if location else ())])
            if self.shop.encryption.managed:
                self.data.recipients()
            self._life.bring_up(lambda: self._all_parts(location), progress)

    def _all_parts(self, location: Settings | None) -> list[Part]:
        parts = [self.postgres.part()] if self.postgres.managed() else []
        parts += [self.switchboard.part()] if self.shop.services else []
        services = self._service_parts(after=tuple(each.name for each in parts))
        parts += [self.data.s3.part()] if self.data.has_managed_store() else []
        return [*parts, *(self.dagster.parts(location) if location else ()), *services]

    def _service_parts(self, after: tuple[str, ...]) -> list[Part]:
        """The instances that ran when the platform went down; those of services that left the spec go."""
        known = {each.name for each in self.shop.services}
        recorded = self.services.recorded()
        self.parts.forget([name for name, each in recorded.items() if each.about["service"] not in known])
        kept = [each for each in recorded.values() if each.about["service"] in known]
        return [self.services.part(each, essential=False, after=after) for each in kept]

    def down(self, progress: Progress = quiet) -> None:
        """End everything; nothing of the platform runs when this returns."""
        if self.layout.state.exists():
            with self._life.alone("`ecom down`", progress):
                self._life.stop(progress)

    def reset(self, progress: Progress = quiet) -> None:
        """End everything and remove all state: databases, managed stores, keys, history."""
        if self.layout.state.exists():
            with self._life.alone("`ecom reset`", progress):
                self._life.reset(progress)

    def status(self) -> tuple[PartStatus, ...]:
        """Every part that there should be, running or not."""
        states = self.parts.states()
        names = list(self.parts.files.read()) if self.layout.parts.exists() else []
        return tuple(status_of(name, states.get(name), self._address_of(name)) for name in names)

    def places(self) -> dict[str, str]:
        """Where people and programs find things, by name; passwords are in files of the state folder."""
        ports = self.ports.known()
        places = {"state": str(self.layout.state), "logs": str(self.layout.logs)}
        if WEBSERVER in ports:
            places["dagster"] = self.dagster.address
        if METRICS in ports:
            places["metrics"] = f"{self.dagster.metrics_address}/metrics"
        if self.shop.services:
            places["shop"] = self.address(self.shop.front_door, "active")
            places["preview"] = self.address(self.shop.front_door, "preview")
        if POSTGRES in ports:
            places["postgres"] = f"127.0.0.1:{ports[POSTGRES]}"
        if S3 in ports:
            places["s3"] = self.data.s3.endpoint
        return places

    def log(self, name: str, lines: int) -> str:
        """The end of a part's log, or of those of all instances of a service."""
        recorded = [each for each, part in self.services.recorded(name).items() if each in self.parts.logs() and part]
        names = [name] if name in self.parts.logs() else recorded
        if len(names) < 2:
            return self.parts.tail(names[0] if names else name, lines)
        return "\n".join(f"--- {each}\n{self.parts.tail(each, lines)}" for each in names)

    def losses(self) -> list[str]:
        """What `reset` would remove, one line a thing; empty if there is no state."""
        return losses.of(self.layout, self.shop)

    def _address_of(self, name: str) -> str:
        port = self.ports.known().get(name)
        if port is None:
            return ""
        return f"127.0.0.1:{port}" if name == POSTGRES else f"http://127.0.0.1:{port}"

    def webserver(self) -> str | None:
        """The address of Dagster's webserver, or None when it does not run."""
        state = self.parts.states().get(WEBSERVER)
        return self.dagster.address if state and state.alive else None

    def _purposes(self) -> list[str]:
        purposes = [POSTGRES] if self.postgres.managed() else []
        purposes += DOORS if self.data.has_managed_store() else ()
        return purposes + self.switchboard.purposes()

    # Services

    def deploy(self, service: Service, colour: Colour) -> tuple[Instance, ...]:
        with self._changing(service):
            instances = self.services.deploy(service, colour, quiet)
            if self.switchboard.live(service) is None:
                self.switchboard.preview(service, colour)
            return instances

    def instances(self, service: Service, colour: Colour) -> tuple[Instance, ...]:
        self._require_up()
        return self.services.instances(service, colour)

    def live_colour(self, service: Service) -> Colour | None:
        return self.switchboard.live(service)

    def switch(self, service: Service, colour: Colour) -> None:
        with self._changing(service):
            if not self.services.instances(service, colour):
                raise RefusedError(
                    f"switch {service.name} to {colour}", "that colour has no running instance", "Deploy it first."
                )
            self.switchboard.lead(service, colour)
            with session(self.address(service, "active")) as client:
                said = client.get(service.probes.version).json()
        seen = said.get("colour") if isinstance(said, dict) else None
        if seen != colour:
            raise UnreachableError(f"switch {service.name} to {colour}", f"the active address answers colour {seen}")

    def address(self, service: Service, which: Which) -> str:
        return f"http://{self.switchboard.address(service.name, which)}"

    def scale(self, service: Service, colour: Colour, replicas: int) -> tuple[Instance, ...]:
        with self._changing(service):
            running = self.services.running_service(service, colour) or service
            return self.services.deploy(running.model_copy(update={"replicas": replicas}), colour, quiet)

    def remove(self, service: Service, colour: Colour) -> None:
        with self._changing(service):
            if self.switchboard.live(service) == colour:
                raise RefusedError(f"remove {service.name} {colour}", "it is the live colour", "Switch first.")
            self.services.remove(service, colour)

    def logs(self, service: Service, colour: Colour, lines: int) -> str:
        names = self.services.recorded(service.name, colour)
        return "\n".join(f"--- {name}\n{self.parts.tail(name, lines)}" for name in names)

    def read_path(self, service: Service, database_url_file: Path) -> ReadPath:
        colour = self.switchboard.live(service) or "blue"
        environment = {**self.data.service_environment(service, colour), "COLOUR": "read-path"}
        environment |= {
            name: str(database_url_file)
            for name, value in service.environment.items()
            if isinstance(value, DatabaseReference)
        }
        folder = self.scratch()
        return read_paths.started(service, program(service.command), environment, folder)

    @contextmanager
    def _changing(self, service: Service) -> Iterator[None]:
        self._require_up()
        lock = self.layout.locks / f"service-{service.name}"
        with held(lock, f"a change of {service.name}", seconds=DEPLOY_WAIT_SECONDS):
            yield

    def _require_up(self) -> None:
        if not self.parts.running():
            raise PreflightError(f"reach the local platform of {self.shop.shop}", "it is down", "Run `ecom up`.")

    def shared_document(self, name: str) -> Document:
        return FileDocument(self.layout.documents / f"{name}.json")

    def load_workers(self) -> tuple[str, ...]:
        return ()

    def load_sampler(self) -> Sampler:
        return TheseProcesses("this machine by the shop's own processes", self._shop_processes)

    def _shop_processes(self) -> list[int]:
        serving = {POSTGRES, SWITCH, *self.services.recorded()}
        return [state.pid for name, state in self.parts.states().items() if name in serving and state.pid]


@contextmanager
def _as_preflight() -> Iterator[None]:
    """What keeps the platform from coming up is for a person to mend, whatever kind it is."""
    try:
        yield
    except (ConfigurationError, BusyError):
        raise
    except EcomError as error:
        raise PreflightError(error.tried, error.seen, error.next_step) from error
    except OSError as error:
        seen = ": ".join(str(each) for each in (error.strerror or error, error.filename) if each)
        raise PreflightError("bring the platform up", seen, "Mend that and run `ecom up` again.") from error
