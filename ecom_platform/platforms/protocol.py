"""What a platform can do for a shop. Assets and the command line speak only to this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from ecom_platform.backup.keyring import KeyRing
from ecom_platform.backup.sources.trees import Tree
from ecom_platform.clients.commands import Completed
from ecom_platform.errors import BusyError, RefusedError
from ecom_platform.load.resources import Sampler
from ecom_platform.spec import Database, Service
from ecom_platform.verdicts import Verdict

Colour = Literal["blue", "green"]
Which = Literal["active", "preview"]
ReadPath = AbstractContextManager[str]


@dataclass(frozen=True, slots=True)
class Instance:
    """One running copy of a service. name: what its /version answers as `instance`."""

    name: str
    service: str
    colour: Colour
    version: str
    url: str


@dataclass(frozen=True, slots=True)
class DatabaseAccess:
    """How to reach a database as one role. url: libpq URL without a password.

    password: never printed; hand it to libpq by PGPASSWORD or by a password file.
    """

    url: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoreAccess:
    """Where a store is. url: file:///PATH or s3://BUCKET/PREFIX; endpoint empty for AWS."""

    name: str
    url: str
    endpoint: str = ""
    region: str = "us-east-1"
    access_key: str = ""
    secret_key: str = field(default="", repr=False)


def managed(database: Database) -> Database:
    """The same database. Raises RefusedError for somebody else's: it replaces only what it runs."""
    if not database.managed:
        raise RefusedError(
            f"replace the database {database.name}",
            "it is not managed by this platform",
            "Restore into a new database with `ecom restore --to`, and change the secret that holds its URL.",
        )
    return database


class Conflict(BusyError):
    """Somebody else wrote a document meanwhile. Read again, and decide again."""


class Document(Protocol):
    """A small text that several processes change, written whole or not at all."""

    def read(self) -> tuple[str, str]:
        """Text and revision; both empty where there is none yet."""

    def write(self, text: str, revision: str) -> str:
        """Replace the text that has this revision (empty: make it); gives the new one.

        Raises Conflict if somebody else wrote meanwhile.
        """


class Platform(Protocol):
    """A running place for the services, databases and stores of one shop.

    All methods are synchronous, raise the errors of errors.py, and may be called again after
    a crash at any point (idempotent).
    """

    def deploy(self, service: Service, colour: Colour) -> tuple[Instance, ...]:
        """Run the service as that colour, at its version and replicas; wait until each instance is
        ready, remove surplus ones. A part that cannot start fails at once with its last log lines.
        Does not touch the other colour nor the switch.
        """

    def instances(self, service: Service, colour: Colour) -> tuple[Instance, ...]: ...

    def live_colour(self, service: Service) -> Colour | None:
        """The colour that the active address leads to; None before the first switch."""

    def switch(self, service: Service, colour: Colour) -> None:
        """Lead the active address to that colour, losing no request; confirmed when it returns."""

    def address(self, service: Service, which: Which) -> str:
        """URL (http://host:port) of the active or the preview address."""

    def scale(self, service: Service, colour: Colour, replicas: int) -> tuple[Instance, ...]: ...

    def remove(self, service: Service, colour: Colour) -> None: ...

    def logs(self, service: Service, colour: Colour, lines: int) -> str: ...

    def run_task(self, database: Database, command: Sequence[str], *, timeout: float, image: str = "") -> Completed:
        """Run a command to its end with the database's `environment` (migrations, seeds).

        image: in this one where tasks run in containers; empty is that of the newest migration.
        """

    def database(self, database: Database, role: Literal["owner", "app", "backup"]) -> DatabaseAccess: ...

    def ensure_server(self, database: Database) -> bool:
        """The server of a managed database answers when this returns. One that does not come up is replaced by a new,
        empty one, its files kept aside; True if that was done, and then all databases of that server are lost.
        """

    def fence(self, database: Database, *, closed: bool) -> None:
        """Closed: whoever was in the managed database is sent away, and nobody gets in, so the shop answers 503 and
        writes nothing; the platform's superuser included. Not closed: as before. Nothing if there is no such database.
        """

    def replacement(self, database: Database) -> DatabaseAccess:
        """A new, empty database beside the managed one, with its owner and rights, for a restore, as a superuser.
        One that an earlier attempt left there is dropped first.
        """

    def put_in_place(self, database: Database) -> str:
        """The replacement takes the database's name, at once or not at all. What had the name is kept, closed, under
        the name that is returned; empty if there was none. Nothing is ever overwritten.
        """

    def set_aside(self, database: Database) -> tuple[str, ...]:
        """What was kept of the managed database by replacements, closed to everybody: names of databases and files."""

    def store(self, name: str, *, removing: bool = False) -> StoreAccess:
        """The store, with keys that can add and, where the store offers that, cannot remove or overwrite.
        removing: with those of retention, which can remove.
        """

    def folder(self, name: str) -> Path:
        """The application-data folder of that name, where this machine has it."""

    def folder_tree(self, name: str) -> Tree:
        """What reads the application-data folder of that name, once, wherever it is."""

    def webserver(self) -> str | None:
        """The address of the running webserver of this shop's Dagster instance, or None where none runs."""

    def dagster_home(self) -> Path:
        """The folder of this shop's Dagster instance with its dagster.yaml, written if it is not there."""

    def reports(self) -> Path:
        """The folder where pages of evidence are written, made if it is not there."""

    def scratch(self) -> Path:
        """The folder for throw-away servers and files of verifications, made if it is not there."""

    def drills(self) -> Path:
        """The folder where drills keep their copies, ledgers and state, made if it is not there."""

    def keyring(self) -> KeyRing:
        """The keys of the shop's backups, to be changed."""

    def recipients(self) -> tuple[str, ...]:
        """age public keys that can open new backups."""

    def identities(self) -> tuple[str, ...]:
        """age private keys on this platform; empty where backups are only taken."""

    def signing_key(self) -> Path:
        """The file (mode 600) of the key that signs manifests, made if it is not there."""

    def documents(self) -> Mapping[str, object]:
        """What the platform remembers of this shop beside the spec, JSON-able, by path ("settings/ports.json"):
        what somebody set, not what happens to be so at the moment, and no secret values.
        """

    def judge_documents(self, folder: Path) -> list[Verdict]:
        """Whether restored documents (a folder of what `documents` gave) would do here; nothing is changed.

        The claim is configuration.ACCEPTED; empty where there is nothing to ask.
        """

    def secret_values(self) -> Mapping[str, bytes]:
        """Every secret that the platform keeps for this shop, by name. Never to be printed or stored: for
        keyed digests, and to look whether one stands where it must not.
        """

    def shared_document(self, name: str) -> Document:
        """A small document of the shop's, the same for all who operate it."""

    def load_sampler(self) -> Sampler:
        """Says how busy the shop's services and databases are while they are under load."""

    def load_workers(self) -> tuple[str, ...]:
        """host:port of the pods that make load (load/worker_pod.py), as many as `load.workers` of the spec says;
        empty: this machine makes it. Raises MissingError while fewer are ready.
        """

    def read_path(self, service: Service, database_url_file: Path) -> ReadPath:
        """Start the service once, apart from all colours, against another database; a context manager
        that yields its URL when ready and ends it afterwards.
        """
