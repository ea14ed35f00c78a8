"""Proves a snapshot: restores it into a throw-away server and compares it with its fingerprint.

Goes here: the order of a verification, its clock, and which errors are a verdict. The live database is
never touched. Not here: which snapshot, from which store (proof.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecom_platform.backup import fingerprints, schema_fingerprint
from ecom_platform.backup.compare import compare
from ecom_platform.backup.fingerprints import Fingerprint, TableContent
from ecom_platform.backup.restore import ROLES, Copy, Restored, Steps, cause, create_roles, restore_archives, run_roles
from ecom_platform.backup.scratch import ScratchServer, create_database, loopback, scratch_server, server_programs
from ecom_platform.clients import sql
from ecom_platform.errors import CommandFailed, CorruptBackup
from ecom_platform.verdicts import Outcome, Verdict, failed, inconclusive, passed, worst

if TYPE_CHECKING:
    from ecom_platform.platforms.protocol import DatabaseAccess

ReadPath = Callable[["DatabaseAccess"], Verdict]

_RESTORES = "the archives restore"
_ROLES = "every role is there"

# What pg_restore says when this server, not the backup, is the reason.
_SERVER_LACKS = (
    "is not available",
    "No space left on device",
    "not supported by this build",
    "unsupported XML feature",
    "could not access file",
    "shared_preload_libraries",
    "server closed the connection",
    "terminating connection",
    "is not supported on this platform",
)


@dataclass(frozen=True)
class Verification:
    """verdicts: never empty. seconds by phase; `read` (fetch and decrypt) runs beside `restore`, and
    `fingerprint` beside the building of indexes, so phases add up to more than `total`.
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
        proof = _Proof(expected, server, progress)
        proof.seconds["server"] = time.monotonic() - clock
        try:
            proof.restore(archives)
        except (CorruptBackup, CommandFailed) as error:
            proof.verdicts.append(_judged(error))
        else:
            proof.compare(read_path)
    return proof.verification(time.monotonic() - clock)


class _Proof:
    def __init__(self, expected: Fingerprint, server: ScratchServer, progress: Callable[[str], None]) -> None:
        self.expected, self.server, self.progress = expected, server, progress
        self.verdicts: list[Verdict] = []
        self.seconds: dict[str, float] = {}
        self.restored = Restored()
        self.contents: dict[str, TableContent] = {}
        self.target = create_database(
            server.admin, "restored", encoding=expected.encoding, collation=expected.collation
        )

    def restore(self, archives: Mapping[str, Copy]) -> None:
        self.verdicts += restore_roles(self.expected, archives, self.server.admin, self.server)
        self.restored = restore_archives(
            archives,
            self.target,
            programs=self.server.programs,
            folder=self.server.folder,
            steps=Steps(beside_indexes=self.read_contents),
            progress=self.progress,
        )
        self.seconds |= self.restored.seconds
        self.verdicts.append(passed(_RESTORES, f"{len(archives)} archives, {self.restored.plain_bytes:,} bytes"))

    def read_contents(self) -> None:
        """Every table by itself, in no transaction: locks would hold up the building of indexes."""
        began = time.monotonic()
        with sql.connect(self.target) as connection, fingerprints.pinned(connection):
            self.contents = fingerprints.contents(connection, fingerprints.tables(connection))
        self.seconds["fingerprint"] = time.monotonic() - began

    def compare(self, read_path: ReadPath | None) -> None:
        began = time.monotonic()
        self.progress("comparing")
        with sql.connect(self.target) as connection, fingerprints.pinned(connection):
            observed = Fingerprint(
                tables=self.contents,
                sequences=fingerprints.sequences(connection),
                large_objects=fingerprints.large_objects(connection),
                objects=schema_fingerprint.objects(connection),
                roles=schema_fingerprint.roles(connection),
                **fingerprints.facts(connection)._asdict(),
            )
        self.verdicts += compare(self.expected, observed)
        self.seconds["compare"] = time.monotonic() - began
        if read_path is not None:
            began = time.monotonic()
            self.verdicts.append(read_path(loopback(self.target)))
            self.seconds["read_path"] = time.monotonic() - began

    def verification(self, total: float) -> Verification:
        return Verification(
            verdicts=tuple(self.verdicts),
            seconds=self.seconds | {"read": self.restored.reading},
            total=total,
            plain_bytes=self.restored.plain_bytes,
            rows=sum(each.rows for each in self.contents.values()),
            tables=len(self.contents),
        )


def restore_roles(
    expected: Fingerprint, archives: Mapping[str, Copy], admin: DatabaseAccess, server: ScratchServer
) -> list[Verdict]:
    """Roles from the snapshot's own archive if it has one; those that are then missing are made, so that
    the rest can be judged.
    """
    said = run_roles(archives[ROLES], admin, server.programs, server.folder) if ROLES in archives else []
    missing = create_roles(admin, expected.roles)
    if ROLES not in archives:
        return []
    problems = [
        failed(_ROLES, f"role {name}: not in the archive of roles, but the database names it") for name in missing
    ]
    problems += [failed(_ROLES, each) for each in said[:5]]
    return problems or [passed(_ROLES, f"{len(expected.roles)} roles that the database names")]


def _judged(error: CorruptBackup | CommandFailed) -> Verdict:
    seen = cause(error)
    if isinstance(error, CommandFailed) and any(each in error.seen for each in _SERVER_LACKS):
        return inconclusive(_RESTORES, f"the scratch server cannot take it: {seen}")
    return failed(_RESTORES, f"{error.tried}: {seen}" if isinstance(error, CorruptBackup) else seen)
