"""A shop on an empty place, from a store of its backups and the private key that was kept elsewhere; nothing else.

    1. find      which shops the store has, and the newest proved snapshot of each source
    2. describe  the configuration's snapshot gives the spec; the key is put where the platform looks for it
    3. rebuild   the platform up, databases and folders restored and compared, services deployed, all tested

It may be called again after a crash: a mark in the state folder says that what is there is its own, unfinished.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ecom_platform.backup.encryption import Identities
from ecom_platform.backup.escrow import escrowed_signers
from ecom_platform.backup.recovery_set import (
    RecoverySet,
    database_archives,
    newest_proved,
    restore_configuration,
    shops,
)
from ecom_platform.backup.sources.configuration import SPEC
from ecom_platform.backup.verification import restore_to_database
from ecom_platform.clients.objects import ObjectStore, open_store
from ecom_platform.clients.supervisor import replace_text
from ecom_platform.errors import ConfigurationError, MissingError, ProofFailed, RefusedError
from ecom_platform.platforms.opening import open_platform
from ecom_platform.platforms.protocol import Platform, StoreAccess
from ecom_platform.records import Record
from ecom_platform.recovery.copies import TASK_SECONDS, open_shop
from ecom_platform.recovery.empty_places import EmptyPlace, Saved, empty_place_of
from ecom_platform.recovery.validation import validate
from ecom_platform.spec import Shop
from ecom_platform.spec_file import read_spec, write_spec

MARK = "recovering"
SETTLE_SECONDS, AGAIN_SECONDS = 120.0, 2.0
"""A cluster leads requests to new pods within seconds, on a busy one within a minute or so."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Escrow:
    """All that is left: where the store is, how to get in, and the private key. Files, so that no secret is in argv.

    Without key files the store's credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    """

    url: str
    identity_file: str
    endpoint: str = ""
    region: str = "us-east-1"
    access_key_file: str = ""
    secret_key_file: str = ""

    def store(self) -> ObjectStore:
        access = _secret(self.access_key_file, "AWS_ACCESS_KEY_ID", "the store's access key")
        secret = _secret(self.secret_key_file, "AWS_SECRET_ACCESS_KEY", "the store's secret key")
        url = self.url
        if url.startswith("file:"):
            url = Path(url.removeprefix("file:").removeprefix("//")).resolve().as_uri()
        return open_store(StoreAccess("from", url, self.endpoint, self.region, access, secret))

    def identity(self) -> str:
        """The text of the private key. Raises ConfigurationError if it cannot be read."""
        return _read(Path(self.identity_file), "the private key")

    def identities(self) -> Identities:
        return Identities(self.identity())

    def signers(self) -> frozenset[str] | None:
        """Whose snapshots count, if the file with the private key says so; else anybody's."""
        return escrowed_signers(self.identity()) or None


def _secret(file: str, variable: str, purpose: str) -> str:
    return _read(Path(file), purpose) if file else os.environ.get(variable, "")


def _read(path: Path, purpose: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(
            f"read {purpose}", f"{path}: {error.strerror}", "Name a file that is there."
        ) from error


@dataclass(frozen=True)
class Rebuilt(Record):
    """A shop that sells again. seconds by step; snapshots by source.

    not_made_again: restored documents of objects that were in the cluster beside the shop's own.
    """

    shop: str
    address: str
    snapshots: tuple[str, ...]
    not_made_again: tuple[str, ...]
    rows: int
    files: int
    database_bytes: int
    total_seconds: float
    claims: int
    seconds: dict[str, float] = field(default_factory=dict)

    def to_metadata(self) -> dict[str, Any]:
        steps = {f"{name}_seconds": round(value, 3) for name, value in self.seconds.items()}
        plain = {name: value for name, value in vars(self).items() if name != "seconds"}
        lists = {"snapshots": list(self.snapshots), "not_made_again": list(self.not_made_again)}
        return {**plain, **lists, **steps}


def choose_shop(store: ObjectStore, wanted: str) -> str:
    """The shop to recover; `wanted` may be empty where the store has only one."""
    there = shops(store)
    if wanted and wanted not in there:
        raise MissingError(f"recover {wanted} from {store.where}", f"it has {', '.join(there)}", "Name one of them.")
    if not wanted and len(there) != 1:
        raise ConfigurationError(
            f"recover from {store.where}", f"it has {', '.join(there)}", "Name one of them with --shop."
        )
    return wanted or there[0]


def describe(escrow: Escrow, store: ObjectStore, chosen: RecoverySet, state: Path, spec: Path | None) -> Path:
    """The spec of the shop to be, below the state folder; its key in its place. spec: another one than the stored.

    Raises RefusedError if the state folder has such a shop already.
    """
    place = state / chosen.shop
    _refuse_used(place)
    place.mkdir(mode=0o711, parents=True, exist_ok=True)
    replace_text(place / MARK, "`ecom recover` is not finished\n")
    if spec is None:
        # Ours, and half: the mark says so.
        shutil.rmtree(state / f"{chosen.shop}-configuration", ignore_errors=True)
        spec = documents(escrow, store, chosen, state)
        _trust(spec, chosen.signers)
    secrets = place / "secrets"
    secrets.mkdir(mode=0o700, exist_ok=True)
    replace_text(secrets / "age-identity", escrow.identity() + "\n")
    return spec


def _trust(spec: Path, signers: frozenset[str]) -> None:
    """The new platform has a key of its own, and goes on with the old one's snapshots."""
    shop = read_spec(spec)
    encryption = shop.encryption.model_copy(update={"signers": tuple(sorted(signers.union(shop.encryption.signers)))})
    replace_text(spec, write_spec(shop.model_copy(update={"encryption": encryption})))


def documents(escrow: Escrow, store: ObjectStore, chosen: RecoverySet, state: Path) -> Path:
    """The configuration's documents below the state folder, where no such folder may be yet; the path of the spec."""
    folder = state / f"{chosen.shop}-configuration"
    state.mkdir(parents=True, exist_ok=True)
    done = restore_configuration(store, chosen, escrow.identities(), folder)
    if bad := [str(each) for each in done.verdicts if not each.passed]:
        raise ProofFailed(f"restore the configuration of {chosen.shop}", "; ".join(bad[:3]))
    return folder / SPEC


def _refuse_used(place: Path) -> None:
    if place.exists() and any(place.iterdir()) and not (place / MARK).exists():
        raise RefusedError(
            f"recover into {place}",
            "there is a shop already",
            "Nothing is overwritten: name another folder with --into.",
        )


def rebuild(escrow: Escrow, shop: Shop, state: Path, progress: Progress) -> Rebuilt:
    """The shop up, filled, compared, deployed and tested. Raises what kept it from that; it may be tried again.

    Damage shows before anything sells; in a cluster what was made until then is taken away again.
    """
    store = escrow.store()
    chosen = newest_proved(store, shop.shop, escrow.signers())
    platform = open_platform(shop, state)
    place = empty_place_of(platform, shop, progress)
    work = _Work(escrow, shop, platform, place, store, chosen, progress)
    began = time.monotonic()
    with work.step("platform"):
        place.begin()
    try:
        with work.step("folders"):
            work.folders()
        with work.step("databases"):
            work.databases()
    except ProofFailed:
        place.undo()
        raise
    with work.step("services"):
        open_shop(platform, shop)
    with work.step("validation"):
        claims = _tested(platform, shop, progress)
    documents_there = state / f"{shop.shop}-configuration"
    lacking = place.end(documents_there)
    for each in lacking:
        progress(
            f"was there and is no part of the shop: {documents_there / each}; `kubectl apply -f` it if it is wanted"
        )
    (state / shop.shop / MARK).unlink(missing_ok=True)
    return Rebuilt(
        shop=shop.shop,
        address=platform.address(shop.front_door, "active") if shop.services else "",
        snapshots=tuple(f"{source} {manifest.id}" for source, manifest in sorted(chosen.members.items())),
        not_made_again=tuple(lacking),
        rows=work.rows,
        files=work.files,
        database_bytes=work.database_bytes,
        total_seconds=round(time.monotonic() - began, 3),
        claims=claims,
        seconds=work.seconds,
    )


def _tested(platform: Platform, shop: Shop, progress: Progress) -> int:
    """How many claims hold. Tested again for a while: services that just began do not answer at once everywhere."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        verdicts = list(validate(platform, shop)) if shop.services else []
        bad = [str(each) for each in verdicts if not each.passed]
        if not bad:
            return len(verdicts)
        if time.monotonic() > deadline:
            raise ProofFailed(f"test the recovered {shop.shop}", "; ".join(bad[:5]), "See `ecom logs`, then try again.")
        progress(f"not well yet: {bad[0]}")
        time.sleep(AGAIN_SECONDS)


@dataclass
class _Work:
    escrow: Escrow
    shop: Shop
    platform: Platform
    place: EmptyPlace
    store: ObjectStore
    chosen: RecoverySet
    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)
    rows: int = 0
    files: int = 0
    database_bytes: int = 0

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.progress(name)
        began = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - began

    def folders(self) -> None:
        for folder in self.shop.folders:
            if folder.name not in self.chosen.folders:
                self.progress(f"the folder {folder.name} has no proved snapshot; it stays empty")
                continue
            saved = Saved(self.store, self.chosen, self.escrow.identities())
            self.files += self.place.fill(folder.name, saved)

    def databases(self) -> None:
        for database in self.shop.databases:
            if not database.managed:
                self.progress(f"{database.name} is run by somebody else; it is not touched")
                continue
            identities = self.escrow.identities()
            manifest, archives = database_archives(self.store, self.chosen, database.name, identities)
            self.progress(f"restoring {manifest.id} of {database.name}")
            target, scratch = self.platform.replacement(database), self.platform.scratch()
            done = restore_to_database(manifest.fingerprint, archives, target, folder=scratch, progress=self.progress)
            self.platform.put_in_place(database)
            self.rows += done.rows
            self.database_bytes += int(manifest.fingerprint["bytes"])
            if database.tasks.expand:
                self.platform.run_task(database, database.tasks.expand, timeout=TASK_SECONDS)
