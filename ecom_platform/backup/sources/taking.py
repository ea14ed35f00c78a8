"""Takes a snapshot of anything that is a stream: the same compression, encryption, stores and manifest as a dump.

What the streams are belongs to the sources beside this module.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ecom_platform.backup.dump_targets import Targets, open_targets
from ecom_platform.backup.encryption import check_recipients
from ecom_platform.backup.manifest import Manifest, Part, folder_of, new_id
from ecom_platform.backup.signing import SigningKey
from ecom_platform.backup.stream import Read, seal
from ecom_platform.clients.objects import PATIENCE
from ecom_platform.platforms.protocol import StoreAccess


@dataclass(frozen=True)
class Stream:
    """One archive. file: the object's name in the snapshot's folder. blocks: asked for when its turn comes.

    in_clear: stored as it is, for what must be read before there is a key or a program, and holds no data.
    """

    name: str
    file: str
    blocks: Callable[[], Iterator[bytes]]
    in_clear: bool = False


@dataclass(frozen=True)
class Source:
    """What is taken. streams: sealed one after the other; a later one may tell what an earlier one read.

    fingerprint: asked for when all streams ended. tools: what a person needs to open it, by name.
    """

    kind: str
    name: str
    streams: Iterable[Stream]
    fingerprint: Callable[[], Mapping[str, Any]]
    tools: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True)
class Writing:
    """Where a snapshot goes and who may open it. patience: how long a store is tried again."""

    shop: str
    stores: Sequence[StoreAccess]
    recipients: Sequence[str]
    signing_key: SigningKey
    progress: Callable[[str], None] = lambda _: None
    patience: timedelta = PATIENCE


def take_snapshot(source: Source, to: Writing) -> Manifest:
    """Take a snapshot of the source into every store.

    A store that fails is left out and the others go on, as the manifest says. Raises, and leaves no
    manifest anywhere, if every store failed or a stream could not be read to its end.
    """
    check_recipients(to.recipients)
    started, clock = datetime.now(UTC), time.monotonic()
    with open_targets(to.stores, to.shop, source.path, to.patience) as targets:
        snapshot = new_id(started, targets.newest)
        to.progress(f"{snapshot}: {source.path}")
        place = folder_of(to.shop, source.path, snapshot)
        parts = [_sealed(each, f"{place}/{each.file}", targets, to) for each in source.streams]
        fingerprint = source.fingerprint()
        targets.complete()
        draft = Manifest(
            id=snapshot,
            shop=to.shop,
            source=source.path,
            kind=source.kind,
            started_at=started,
            finished_at=datetime.now(UTC),
            snapshot_at=started,
            plain_bytes=sum(each.plain_bytes for each in parts),
            stored_bytes=sum(each.size for each in parts),
            objects=tuple(parts),
            recipients=tuple(to.recipients),
            server_version="",
            tools=source.tools,
            fingerprint=fingerprint,
            stores={},
            seconds={"total": round(time.monotonic() - clock, 3)},
        )
        manifest = targets.commit(draft, to.signing_key)
    to.progress(f"{snapshot}: {manifest.stored_bytes / 1e6:,.1f} MB in {', '.join(targets.healthy)}")
    return manifest


def _sealed(stream: Stream, key: str, targets: Targets, to: Writing) -> Part:
    out = targets.fan_out(key)
    if stream.in_clear:
        content = b"".join(stream.blocks())
        out.write(content)
        digest = hashlib.sha256(content).hexdigest()
        return Part(name=stream.name, key=key, size=len(content), sha256=digest, plain_bytes=len(content))
    done = seal(
        reading(stream.blocks()),
        out,
        to.recipients,
        lambda plain: to.progress(f"{stream.name}: {plain / 1e6:,.1f} MB read"),
    )
    return Part(name=stream.name, key=key, size=done.stored_bytes, sha256=done.sha256, plain_bytes=done.plain_bytes)


def reading(blocks: Iterator[bytes]) -> Read:
    """Blocks of any size as a reader that is asked for at most so many bytes."""
    held = memoryview(b"")

    def read(size: int) -> bytes:
        nonlocal held
        while not held:
            block = next(blocks, None)
            if block is None:
                return b""
            held = memoryview(block)
        piece, held = held[:size], held[size:]
        return bytes(piece)

    return read
