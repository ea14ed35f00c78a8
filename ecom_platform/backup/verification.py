"""Proves a snapshot: restores it into a throw-away server and compares it with its fingerprint; or
restores it for good into a database that somebody names, and compares it there.

Goes here: the order of the steps, their clock, and which errors are a verdict. A verification never touches
the live database. Not here: which snapshot, from which store (proof.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from ecom_platform.backup import fingerprints
from ecom_platform.backup.compare import compare
from ecom_platform.backup.fingerprints import Fingerprint, TableContent
from ecom_platform.backup.postgres_tools import tools_for
from ecom_platform.backup.restore import ROLES, Copy, Observer, Restored, cause, restore_archives
from ecom_platform.backup.restore_target import (
    WithoutLog,
    create_roles,
    drop_unknown_public,
    refuse_unfit,
    run_roles,
    what_is_there,
)
from ecom_platform.backup.restored_contents import ContentReader
from ecom_platform.backup.scratch import ScratchServer, create_database, loopback, scratch_server, server_programs
from ecom_platform.clients import sql
from ecom_platform.errors import CommandFailed, CorruptBackup, ProofFailed
from ecom_platform.verdicts import Outcome, Verdict, failed, inconclusive, passed, worst

if TYPE_CHECKING:
    from ecom_platform.platforms.protocol import DatabaseAccess

ReadPath = Callable[["DatabaseAccess"], Verdict]

_RESTORES = "the archives restore"
_ROLES = "every role is there"
_TOLD = 5  # differences and errors told in one message

# What pg_restore says when this server, not the backup, is the reason.
_SERVER_LACKS = (
    "is not available",
    "No space left on device",
    "not supported by this build",
    "not supported in this build",
    "unsupported XML feature",
    "could not access file",
    "shared_preload_libraries",
    "server closed the connection",
    "terminating connection",
    "is not supported on this platform",
)


@dataclass(frozen=True)
class Verification:
    """verdicts: never empty. seconds by phase: server (making it), fetch, decrypt, restore, compare, read_path,
    cleanup, and inside of restore: schema, data, indexes. Fetching, decrypting and the fingerprint run beside
    these, so phases add up to more than `total`.
    """

    verdicts: tuple[Verdict, ...]
    seconds: Mapping[str, float]
    total: float
    plain_bytes: int = 0
    rows: int = 0
    tables: int = 0

    @property
    def outcome(self) -> Outcome:
        return worst(self.verdicts)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able, for a record beside the snapshot."""
        return {
            "outcome": self.outcome.value,
            "verdicts": [each.as_dict() for each in self.verdicts],
            "seconds": {phase: round(value, 3) for phase, value in self.seconds.items()},
            "total": round(self.total, 3),
            "plain_bytes": self.plain_bytes,
            "rows": self.rows,
            "tables": self.tables,
        }


def verify_snapshot(
    manifest_fingerprint: Mapping[str, Any],
    archives: Mapping[str, Copy],
    *,
    scratch_folder: Path,
    space_needed: int = 0,
    read_path: ReadPath | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> Verification:
    """Restore the archives into a scratch server below scratch_folder and judge what came back.

    space_needed: bytes of disk (scratch.space_for). read_path: judges the restored database as its
    users see it; called last, with a superuser by TCP on loopback.
    An archive that is damaged or does not restore is a failed verdict; a server that lacks what the
    snapshot needs an inconclusive one. Raises for everything else: no room, no key, no store.
    """
    expected = fingerprints.read(manifest_fingerprint)
    clock = time.monotonic()
    programs = server_programs(expected.server)
    with scratch_server(scratch_folder, needed=space_needed, programs=programs, superuser=expected.superuser) as server:
        target = create_database(server.admin, "restored", encoding=expected.encoding, collation=expected.collation)
        proof = _Proof(expected, target, programs, progress)
        proof.seconds["server"] = time.monotonic() - clock
        try:
            proof.verdicts += _restore_roles(expected, archives, server)
            drop_unknown_public(expected, target)
            proof.restore(archives, server.folder, tuned=True)
        except (CorruptBackup, CommandFailed) as error:
            proof.verdicts.append(_judged(error))
        else:
            proof.compare()
            if read_path is not None:
                with proof.timed("read_path"):
                    proof.verdicts.append(read_path(loopback(target)))
        judged = time.monotonic()
    proof.seconds["cleanup"] = time.monotonic() - judged
    return replace(proof.verification(), total=time.monotonic() - clock)


def restore_to_database(
    manifest_fingerprint: Mapping[str, Any],
    archives: Mapping[str, Copy],
    target: DatabaseAccess,
    *,
    folder: Path,
    progress: Callable[[str], None] = lambda _: None,
) -> Verification:
    """Restore for good into the target, a database with nothing in it, and compare it there.

    Roles that the database names and the server lacks are made, without the right to log in.
    Nobody may write to the target before this returns. folder: for the schema's archive meanwhile.
    Raises RefusedError if the target holds anything or cannot hold this, CommandFailed or
    CorruptBackup if it does not restore, ProofFailed if it is not what was dumped.
    """
    expected = fingerprints.read(manifest_fingerprint)
    with sql.connect(target) as connection:
        found = fingerprints.facts(connection)
        refuse_unfit(expected, found, target, what_is_there(connection))
    progress(f"making roles: {', '.join(create_roles(target, expected.roles)) or 'none is missing'}")
    proof = _Proof(expected, target, tools_for(max(found.server, expected.server)).folder, progress)
    drop_unknown_public(expected, target)
    try:
        with TemporaryDirectory(dir=folder, prefix="restore-") as place:
            proof.restore({name: copy for name, copy in archives.items() if name != ROLES}, Path(place), tuned=False)
    except (CorruptBackup, CommandFailed) as error:
        advice = f"The database holds part of the snapshot: drop and create it before the next try. {error.next_step}"
        kind = CorruptBackup if isinstance(error, CorruptBackup) else CommandFailed
        raise kind(f"restore into {target.url}", f"{error.tried}: {error.seen}", advice.strip()) from error
    proof.compare()
    verification = proof.verification()
    if verification.outcome is not Outcome.PASSED:
        wrong = [str(each) for each in verification.verdicts if not each.passed]
        raise ProofFailed(f"compare {target.url} with the snapshot", "; ".join(wrong[:_TOLD]), "Do not use it.")
    return verification


class _Beside(Observer):
    """What goes on beside a restore: the reading of what came back, and no log while it comes."""

    def __init__(self, reader: ContentReader, without_log: WithoutLog | None) -> None:
        self._reader, self._without_log = reader, without_log

    def tables_made(self) -> None:
        if self._without_log:
            self._without_log.off()
        self._reader.start()

    def lane_ended(self, name: str) -> None:
        self._reader.lane_ended(name)

    def data_ended(self, contents: Sequence[str]) -> None:
        if self._without_log:
            self._without_log.on()
        self._reader.keys_begin(contents)


class _Proof:
    """One restore into one target and the judgement of what came back."""

    def __init__(
        self, expected: Fingerprint, target: DatabaseAccess, programs: Path, progress: Callable[[str], None]
    ) -> None:
        self.expected, self.target, self.programs, self.progress = expected, target, programs, progress
        self.verdicts: list[Verdict] = []
        self.seconds: dict[str, float] = {}
        self.restored = Restored()
        self.contents: Mapping[str, TableContent] = {}
        self._clock = time.monotonic()

    def restore(self, archives: Mapping[str, Copy], folder: Path, *, tuned: bool) -> None:
        """tuned: the server is thrown away, so that its tables need no log while they are filled."""
        reader = ContentReader(self.target, self.expected)
        observer = _Beside(reader, WithoutLog(self.target) if tuned else None)
        try:
            with self.timed("restore"):
                self.restored = restore_archives(
                    archives,
                    self.target,
                    programs=self.programs,
                    folder=folder,
                    observer=observer,
                    progress=self.progress,
                )
            self.verdicts.append(passed(_RESTORES, f"{len(archives)} archives, {self.restored.plain_bytes:,} bytes"))
            with self.timed("compare"):
                self.contents = reader.result()
        finally:
            reader.stop()
            self.seconds |= self.restored.seconds | {"fingerprint": reader.seconds}

    def compare(self) -> None:
        self.progress("comparing")
        with self.timed("compare"), sql.connect(self.target) as connection:
            observed = fingerprints.with_contents(connection, self.contents)
            self.verdicts += compare(self.expected, observed)

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        began = time.monotonic()
        yield
        self.seconds[phase] = self.seconds.get(phase, 0.0) + time.monotonic() - began

    def verification(self) -> Verification:
        return Verification(
            verdicts=tuple(self.verdicts),
            seconds=self.seconds,
            total=time.monotonic() - self._clock,
            plain_bytes=self.restored.plain_bytes,
            rows=sum(each.rows for each in self.contents.values()),
            tables=len(self.contents),
        )


def _restore_roles(expected: Fingerprint, archives: Mapping[str, Copy], server: ScratchServer) -> list[Verdict]:
    """Roles from the snapshot's own archive if it has one; those that are then missing are made, so that
    the rest can be judged.
    """
    said = run_roles(archives[ROLES], server.admin, server.programs, server.folder) if ROLES in archives else []
    missing = create_roles(server.admin, expected.roles)
    if ROLES not in archives:
        return []
    problems = [
        failed(_ROLES, f"role {name}: the database names it, the archive of roles does not") for name in missing
    ]
    problems += [failed(_ROLES, each) for each in said[:_TOLD]]
    return problems or [passed(_ROLES, f"{len(expected.roles)} roles that the database names")]


def _judged(error: CorruptBackup | CommandFailed) -> Verdict:
    seen = cause(error)
    if isinstance(error, CommandFailed) and any(each in error.seen for each in _SERVER_LACKS):
        return inconclusive(_RESTORES, f"the scratch server cannot take it: {seen}")
    return failed(_RESTORES, f"{error.tried}: {seen}" if isinstance(error, CorruptBackup) else seen)
