"""Dumps a PostgreSQL database into stores: one snapshot, its fingerprint, and nothing that only looks like one.

Several pg_dump share one exported snapshot: the schema, the data of the largest table, and all other
data are archives of their own, so that a restore can work on two at once. One thread pulls them, one
after the other, to all stores; a second computes the fingerprint in the same snapshot. Uploads are
completed only when every program has ended with success, and the manifests are written last.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ecom_platform.backup.dump_plan import Archive, Plan, make_plan
from ecom_platform.backup.dump_targets import Targets, open_targets
from ecom_platform.backup.encryption import check_recipients
from ecom_platform.backup.fingerprints import sequences, settle_sequences
from ecom_platform.backup.lease import SESSION, holder_name, take_lease
from ecom_platform.backup.manifest import Manifest, Part, folder_of, new_id
from ecom_platform.backup.signing import SigningKey
from ecom_platform.backup.snapshot_fingerprint import Fingerprinting
from ecom_platform.backup.stream import Read, seal
from ecom_platform.backup.throttle import throttle
from ecom_platform.clients.objects import PATIENCE
from ecom_platform.clients.pipes import OutputOf
from ecom_platform.clients.sql import connect
from ecom_platform.platforms.protocol import DatabaseAccess, StoreAccess

if TYPE_CHECKING:
    from ecom_platform.clients.sql import Connection

KIND = "database"


@dataclass(frozen=True)
class Options:
    """What a dump may be told besides. patience: how long a store is tried again.

    bytes_per_second: the most that the dump, and beside it the fingerprint, read from the database; None for
    no limit.
    """

    patience: timedelta = PATIENCE
    bytes_per_second: float | None = None
    tags: tuple[str, ...] = ()


def dump_database(
    database: DatabaseAccess,
    *,
    shop: str,
    name: str,
    stores: Sequence[StoreAccess],
    recipients: Sequence[str],
    signing_key: SigningKey,
    progress: Callable[[str], None],
    options: Options | None = None,
) -> Manifest:
    """Take a snapshot of the database into every store.

    A store that fails is left out and the others go on: the manifest says so (`stores`, `complete`),
    and the caller must tell it. Raises, and leaves no manifest anywhere, if every store failed, if a
    program or the fingerprint failed, or if somebody else dumps this database (BusyError).
    """
    options = options or Options()
    check_recipients(recipients)
    started, clock = datetime.now(UTC), time.monotonic()
    source = f"{KIND}/{name}"
    with open_targets(stores, shop, source, options.patience) as targets:
        with _exporting(database, name) as (session, plan):
            snapshot = new_id(started, targets.newest)
            progress(f"{snapshot}: {name} on PostgreSQL {plan.server_version}, {_megabytes(plan.database_bytes)}")
            pull = _Pull(plan, targets, recipients, progress, options)
            fingerprinting = Fingerprinting(database, plan.snapshot, options.bytes_per_second)
            before = sequences(session)
            parts = pull.everything(folder_of(shop, source, snapshot), fingerprinting)
            # Also shows that the snapshot was held to the end.
            fingerprint = settle_sequences(fingerprinting.result(), before, sequences(session))
        targets.complete()
        seconds = {"fingerprint": fingerprinting.seconds, "dump": pull.seconds, "total": time.monotonic() - clock}
        draft = Manifest(
            id=snapshot,
            shop=shop,
            source=source,
            kind=KIND,
            started_at=started,
            finished_at=datetime.now(UTC),
            snapshot_at=plan.snapshot_at,
            plain_bytes=sum(each.plain_bytes for each in parts),
            stored_bytes=sum(each.size for each in parts),
            objects=tuple(parts),
            recipients=tuple(recipients),
            server_version=plan.server_version,
            tools={"pg_dump": plan.tools.version},
            fingerprint=fingerprint.model_dump(mode="json"),
            stores={},
            seconds={phase: round(value, 3) for phase, value in seconds.items()},
            tags=options.tags,
        )
        manifest = targets.commit(draft, signing_key)
    progress(f"{snapshot}: {_megabytes(manifest.stored_bytes)} in {', '.join(targets.healthy)}")
    return manifest


@contextmanager
def _exporting(database: DatabaseAccess, name: str) -> Iterator[tuple[Connection, Plan]]:
    """A session that holds the database's lease and an exported snapshot."""
    with connect(database, settings={**SESSION, "application_name": holder_name()}) as session:
        take_lease(session, name)
        with session.transaction():
            session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield session, make_plan(session, database)


class _Pull:
    """Pulls the archives of a plan into the targets. seconds: how long that took."""

    def __init__(
        self,
        plan: Plan,
        targets: Targets,
        recipients: Sequence[str],
        progress: Callable[[str], None],
        options: Options,
    ) -> None:
        self._plan, self._targets, self._recipients = plan, targets, recipients
        self._progress, self._passed = progress, throttle(options.bytes_per_second)
        self.seconds = 0.0

    def everything(self, folder: str, fingerprinting: Fingerprinting) -> list[Part]:
        """All archives, with the fingerprint computed beside them. Returns when every program has
        ended with success; raises at the first failure of any.
        """
        started = time.monotonic()
        with ExitStack() as running:
            # All at once: each has read the catalogue and waits at its full pipe when its turn comes.
            programs = [
                running.enter_context(OutputOf(each.argv, self._plan.environment)) for each in self._plan.archives
            ]
            running.enter_context(fingerprinting)
            parts = [
                self._archive(archive, program, folder, fingerprinting)
                for archive, program in zip(self._plan.archives, programs, strict=True)
            ]
            self.seconds = time.monotonic() - started
            fingerprinting.result()
        return parts

    def _archive(self, archive: Archive, program: OutputOf, folder: str, fingerprinting: Fingerprinting) -> Part:
        def tell(plain_bytes: int) -> None:
            fingerprinting.check()
            self._progress(f"{archive.name}: {_megabytes(plain_bytes)} read")

        key = f"{folder}/{archive.file}"
        out = self._targets.fan_out(key)
        sealed = seal(self._throttled(program.read), out, self._recipients, tell)
        program.finish()
        return Part(
            name=archive.name,
            key=key,
            size=sealed.stored_bytes,
            sha256=sealed.sha256,
            plain_bytes=sealed.plain_bytes,
        )

    def _throttled(self, read: Read) -> Read:
        def throttled(size: int) -> bytes:
            data = read(size)
            self._passed(len(data))
            return data

        return throttled


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
