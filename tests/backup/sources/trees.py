"""What the tests of folders share: one with everything that a file system can hold, and its snapshots in a store."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from ecom_platform.backup.catalogue_reading import Catalogue, read_catalogue
from ecom_platform.backup.manifest import Manifest
from ecom_platform.backup.signing import SigningKey
from ecom_platform.backup.sources.folder import folder_source
from ecom_platform.backup.sources.taking import Source, Writing, take_snapshot
from ecom_platform.backup.sources.tree_proof import Look, TreeVerification, verify_tree
from ecom_platform.clients.objects import ObjectStore, open_store
from ecom_platform.platforms.protocol import StoreAccess
from tests.backup.snapshots import KEYS, SHOP, signing_key

OLD = 1_000_000_000_123_456_789
"""A time of change long ago, to the nanosecond."""


def fill(folder: Path) -> Path:
    """Files, folders and links of every awkward kind."""
    folder.mkdir()
    (folder / "plain.txt").write_text("hello")
    (folder / "empty").write_bytes(b"")
    (folder / "large.bin").write_bytes(bytes(range(256)) * 12_000)
    (folder / "empty folder").mkdir()
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "deep" / "er" / ("n" * 200)).write_text("a long name")
    (folder / "line\nbreak\ttab 'quote' *").write_text("an odd name")
    (folder / "Straße 中文 😀").write_text("not ASCII")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe not UTF-8")).write_text("bytes")
    (folder / "script").write_text("#!/bin/sh\n")
    (folder / "script").chmod(0o4751)
    (folder / "read only").write_text("r")
    (folder / "read only").chmod(0o400)
    (folder / "link").symlink_to("plain.txt")
    (folder / "dangling").symlink_to("/nowhere/at/all")
    (folder / "to a folder").symlink_to("deep")
    os.mkfifo(folder / "pipe")
    os.utime(folder / "plain.txt", ns=(OLD, OLD))
    os.utime(folder / "link", ns=(OLD + 1, OLD + 1), follow_symlinks=False)
    os.utime(folder / "empty", ns=(-5_500_000_001, -5_500_000_001))
    (folder / "deep").chmod(0o750)
    os.utime(folder / "deep", ns=(OLD, OLD))
    return folder


@dataclass
class Keeper:
    """Takes snapshots of a folder into a store below `place`, and proves them."""

    place: Path
    key: SigningKey = field(default_factory=signing_key)
    said: list[str] = field(default_factory=list)

    @property
    def writing(self) -> Writing:
        access = StoreAccess("local", (self.place / "store").as_uri())
        return Writing(SHOP, [access], KEYS.recipients, self.key, self.said.append, timedelta(seconds=2))

    @property
    def store(self) -> ObjectStore:
        (self.place / "store").mkdir(exist_ok=True)
        return open_store(self.writing.stores[0])

    def take(self, folder: Path, between: Callable[[str], None] = lambda _: None) -> Manifest:
        return self.take_source(folder_source("media", folder, between=between))

    def take_source(self, source: Source) -> Manifest:
        (self.place / "store").mkdir(exist_ok=True)
        return take_snapshot(source, self.writing)

    def verify(self, manifest: Manifest, look: Look | None = None) -> TreeVerification:
        return verify_tree(self.store, manifest, KEYS, scratch=self.place / "scratch", look=look)

    def catalogue(self) -> Catalogue:
        return read_catalogue(self.store, shop=SHOP, trusted=[self.key.public])

    def file_of(self, manifest: Manifest, archive: str) -> Path:
        path = self.place / "store" / manifest.part(archive).key
        path.chmod(0o600)
        return path

    def objects(self) -> list[str]:
        return sorted(each.key for each in self.store.list())

    def with_content_of(self, manifest: Manifest, other: Manifest) -> Manifest:
        """The manifest's list beside the other one's content, as if it had been taken so."""
        shutil.copyfile(self.file_of(other, "content"), self.file_of(manifest, "content"))
        part = other.part("content").model_copy(update={"key": manifest.part("content").key})
        return manifest.model_copy(update={"objects": (part, manifest.part("index"))})
