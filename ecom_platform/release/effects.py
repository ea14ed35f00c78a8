"""What each step of a release does on a real platform. Each may be carried out again after any interruption.

Not here: the order of steps (machine.py), attempts and what is persisted (driver.py).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ecom_platform.clients.objects import open_store
from ecom_platform.errors import MissingError, RefusedError
from ecom_platform.platforms.protocol import Colour, Instance, Platform
from ecom_platform.release import cut_over, load_gate, proofs, watch
from ecom_platform.release.driver import Interrupted, Seen
from ecom_platform.release.machine import Kind, Step
from ecom_platform.release.state import Definition, Journal
from ecom_platform.spec import DatabaseReference, Service, Shop
from ecom_platform.validation import purchase
from ecom_platform.validation.service import validate_service
from ecom_platform.verdicts import Verdict, at_most, inconclusive

if TYPE_CHECKING:
    from ecom_platform.backup.catalogue_reading import Entry

TASK_SECONDS = 900.0
"""A migration of a few gigabytes; a longer one is run by hand before the release."""


class Effects:
    """The steps of releases of one shop. shop: with thresholds and limits as the spec has them now."""

    def __init__(self, platform: Platform, shop: Shop, progress: Callable[[str], None]) -> None:
        self._platform = platform
        self._shop = shop
        self._progress = progress
        # Connections that are kept stay with the pod they once met, whatever a Service's selector says.
        self._fresh = shop.platform == "kubernetes"

    def perform(self, step: Step, journal: Journal, interrupted: Callable[[], bool]) -> Seen:
        def look_up() -> None:
            if interrupted():
                raise Interrupted(str(step), "it was asked to end")

        return self._whole(step, journal, look_up) if not step.subject else self._part(step, journal)

    def _whole(self, step: Step, journal: Journal, look_up: Callable[[], None]) -> Seen:
        """Steps of the whole shop."""
        release, after = journal.release, journal.after
        match step.kind:
            case Kind.LOAD:
                return load_gate.pass_gates(self._platform, self._as(after), look_up, self._progress)
            case Kind.CUT_OVER:
                return cut_over.cut_over(self._platform, self._as(after), release, fresh=self._fresh)
            case Kind.CONFIRM:
                return self._confirm(after, release.new)
            case Kind.WATCH:
                return self._watch(after, release.new, look_up)
            case Kind.SWITCH_BACK:
                return self._switch_back(journal.before, release.services, release.old)
            case _:
                raise AssertionError(f"{step} has no subject")

    def _part(self, step: Step, journal: Journal) -> Seen:
        """Steps of one database or one service."""
        kind, name, release = step.kind, step.subject, journal.release
        of_database: dict[Kind, Callable[[str], Seen]] = {
            Kind.BACKUP: self._backup,
            Kind.EXPAND: lambda name: self._task(journal.after, name, "expand"),
            Kind.CONTRACT: lambda name: self._contract(journal, name),
        }
        of_new = {
            Kind.DEPLOY: self._deploy,
            Kind.PROVE: self._prove,
            Kind.VALIDATE: self._validate,
            Kind.REMOVE: self._remove,
        }
        of_old = {
            Kind.RETIRE: self._retire,
            Kind.BRING_BACK: self._bring_back,
            Kind.PROVE_OLD: self._prove_old,
            Kind.VALIDATE_OLD: self._validate_old,
        }
        if kind in of_database:
            return of_database[kind](name)
        if kind in of_new:
            return of_new[kind](journal.after.service(name), release.new)
        return of_old[kind](journal.before.service(name), release.old)

    def _as(self, definition: Definition) -> Shop:
        return self._shop.model_copy(update={"services": definition.services})

    # Before the cut-over

    def _backup(self, name: str) -> Seen:
        database = self._shop.database(name)
        proved = [entry.manifest.snapshot_at for store in self._shop.stores for entry in self._proved(store, name)]
        claim = f"a verified backup of {name} is inside its recovery point"
        if not proved:
            next_step = "run `ecom backup` and `ecom verify latest`"
            return Seen([inconclusive(claim, f"no store holds a proved snapshot; {next_step}")])
        age = (datetime.now(UTC) - max(proved)).total_seconds()
        limit = database.rpo.total_seconds()
        return Seen([at_most(claim, age, limit, unit="s")], {f"backup_age_seconds_{name}": round(age, 1)})

    def _proved(self, store: str, name: str) -> list[Entry]:
        from ecom_platform.backup.catalogue_reading import read_catalogue
        from ecom_platform.backup.manifest import Status
        from ecom_platform.backup.trust import trusted_signers

        try:
            trusted = trusted_signers(self._platform, self._shop)
            found = read_catalogue(open_store(self._platform.store(store)), shop=self._shop.shop, trusted=trusted)
        except MissingError:
            return []  # nothing was ever stored there
        return [each for each in found.of(f"database/{name}") if each.status is Status.PROVED]

    def _task(self, definition: Definition, name: str, task: str) -> Seen:
        database = self._shop.database(name)
        tasks = definition.tasks[name]
        command = tasks.expand if task == "expand" else tasks.contract
        image = image_for(definition, name) if self._shop.platform == "kubernetes" else ""
        done = self._platform.run_task(database, command, timeout=TASK_SECONDS, image=image)
        return Seen(said=done.stdout.strip()[-200:])

    def _contract(self, journal: Journal, name: str) -> Seen:
        return self._task(journal.after, name, "contract")

    def _deploy(self, service: Service, colour: Colour) -> Seen:
        self._refuse_live(service, colour, "deploy")
        instances = self._platform.deploy(service, colour)
        return Seen(said=", ".join(each.name for each in instances))

    def _prove(self, service: Service, colour: Colour) -> Seen:
        return Seen(proofs.prove_instances(self._platform, service, colour, self._platform.address(service, "preview")))

    def _validate(self, service: Service, colour: Colour) -> Seen:
        address = self._platform.address(service, "preview")
        return Seen(self._validated(service, colour, address, buying=service.front_door))

    def _prove_old(self, service: Service, colour: Colour) -> Seen:
        return Seen(proofs.prove_instances(self._platform, service, colour))

    def _validate_old(self, service: Service, colour: Colour) -> Seen:
        instances = self._platform.instances(service, colour)
        address = instances[0].url if instances else ""
        return Seen(self._validated(service, colour, address, buying=False))

    def _validated(self, service: Service, colour: Colour, address: str, *, buying: bool) -> list[Verdict]:
        findings = validate_service(self._platform, service, colour=colour, address=address)
        verdicts = [each for found in findings.verdicts.values() for each in found]
        if buying and self._shop.release.scenario == "shop":
            verdicts += purchase.buy_one(address)
        return verdicts

    # After it

    def _confirm(self, definition: Definition, colour: Colour) -> Seen:
        verdicts: list[Verdict] = []
        for service in definition.services:
            address = self._platform.address(service, "active")
            verdicts += proofs.prove_instances(self._platform, service, colour, address)
            verdicts += self._validated(service, colour, address, buying=False)
        return Seen(verdicts)

    def _watch(self, definition: Definition, colour: Colour, look_up: Callable[[], None]) -> Seen:
        def instances() -> tuple[Instance, ...]:
            return tuple(each for service in definition.services for each in self._platform.instances(service, colour))

        shop = self._as(definition)
        seen = watch.watch(self._platform, shop, instances, look_up, fresh=self._fresh)
        facts = {"watched_seconds": round(seen.seconds, 1), "watched_probes": float(len(seen.answers))}
        return Seen(seen.verdicts, facts)

    def _retire(self, service: Service, colour: Colour) -> Seen:
        self._refuse_live(service, colour, "retire")
        try:
            self._platform.scale(service, colour, 0)
        except MissingError:
            return Seen(said="it is gone already")
        return Seen()

    # Back

    def _bring_back(self, service: Service, colour: Colour) -> Seen:
        """As it ran. Not by a deployment: that may run the old version's migrations on a newer schema."""
        try:
            instances = self._platform.scale(service, colour, service.replicas)
        except MissingError:
            instances = self._platform.deploy(service, colour)
        return Seen(said=", ".join(each.name for each in instances))

    def _switch_back(self, definition: Definition, order: tuple[str, ...], colour: Colour) -> Seen:
        for name in order:
            self._platform.switch(definition.service(name), colour)
        return Seen()

    def _remove(self, service: Service, colour: Colour) -> Seen:
        self._refuse_live(service, colour, "remove")
        self._platform.remove(service, colour)
        return Seen()

    def _refuse_live(self, service: Service, colour: Colour, what: str) -> None:
        if self._platform.live_colour(service) == colour:
            raise RefusedError(
                f"{what} {service.name} {colour}", "people are led to it", "Somebody switched it; switch back first."
            )


def image_for(definition: Definition, database: str) -> str:
    """The image whose tasks belong to the database: that of the service that uses it."""
    for service in definition.services:
        uses = [each for each in service.environment.values() if isinstance(each, DatabaseReference)]
        if any(each.database == database for each in uses) and service.image:
            tagged = ":" in service.image.rpartition("/")[2]
            return service.image if tagged else f"{service.image}:{service.version}"
    return ""
