"""Objects as files below a folder. The verbs are those of objects.ObjectStore; durability is by fsync.

obstore also serves folders, but does not flush to the disk, and a backup that a power cut removes
is no backup.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from ecom_platform.clients.objects import BLOCK, ClosingWriter, StoredObject
from ecom_platform.errors import EcomError, MissingError, PermanentError, RefusedError, UnreachableError

UNFINISHED = ".unfinished"
"""Ending of a file that is being written; never listed as an object."""

FLUSH_EVERY = 32 << 20
"""Bytes after which the disk is made to keep what it has, in a thread, so that close() waits for little."""


class FolderStore:
    """A store in a folder, which is made when it is first written to (mode 700)."""

    def __init__(self, name: str, folder: str) -> None:
        self.name = name
        self.where = f"file://{folder}"
        self._folder = Path(folder)

    def put_new(self, key: str, data: bytes) -> None:
        with self.writer(key) as writer:
            writer.write(data)

    def writer(self, key: str) -> FileWriter:
        return FileWriter(self, key, self._path(key))

    def read(self, key: str) -> Iterator[bytes]:
        with self.failures(f"read {key}"), self._path(key).open("rb", buffering=0) as file:
            while block := file.read(BLOCK):
                yield block

    def get(self, key: str) -> bytes:
        with self.failures(f"read {key}"):
            return self._path(key).read_bytes()

    def get_many(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        return ((key, self.get(key)) for key in keys)

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        start = str(self._path(prefix)) if prefix else str(self._folder)
        with self.failures(f"list {prefix or 'everything'}"):
            if not self._folder.is_dir():
                raise FileNotFoundError(errno.ENOENT, "the folder is not there", str(self._folder))
            for entry in _files(start):
                status = entry.stat()
                yield StoredObject(self._key(entry), status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))

    def delete(self, key: str) -> None:
        path = self._path(key)
        with self.failures(f"remove {key}"):
            path.unlink(missing_ok=True)
            # Folders that became empty go too; one that is not empty or is in use stays.
            for parent in path.parents:
                if parent == self._folder:
                    return
                with suppress(OSError):
                    parent.rmdir()
            _flush_folder(self._folder)

    def exists(self, key: str) -> bool:
        return self._path(key).is_file()

    def abort_unfinished(self, prefix: str, before: datetime, spare: Callable[[str], bool]) -> Sequence[str]:
        found = []
        with self.failures("remove unfinished files"):
            for entry in _files(str(self._path(prefix) if prefix else self._folder), unfinished=True):
                key = self._key(entry)
                if datetime.fromtimestamp(entry.stat().st_mtime, UTC) < before and not spare(key):
                    self.delete(key)
                    found.append(key)
        return found

    def _key(self, entry: os.DirEntry[str]) -> str:
        return entry.path[len(str(self._folder)) + 1 :]

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise PermanentError(f"use the key {key!r}", "it is no plain path", "Use names without '..' and '//'.")
        return self._folder.joinpath(*parts)

    @contextmanager
    def failures(self, action: str) -> Iterator[None]:
        """Turns what the operating system says into an error of the tree."""
        try:
            yield
        except OSError as error:
            raise self._failure(action, error) from error

    def _failure(self, action: str, error: OSError) -> EcomError:
        tried = f"{action} in the store {self.name}"
        if error.errno == errno.ENOENT:
            advice = "" if self._folder.is_dir() else "Take a first backup, or see whether its disk is mounted."
            return MissingError(tried, f"it is not there ({self.where})", advice)
        if error.errno == errno.EEXIST:
            return RefusedError(tried, "the object exists, and objects are written once")
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return PermanentError(tried, f"the disk is full: {self._free()} bytes are free", "Free space there.")
        if error.errno in (errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.ENODEV):
            return UnreachableError(tried, f"the disk does not answer: {error.strerror}")
        return PermanentError(tried, error.strerror or str(error), f"Look at {self.where}.")

    def _free(self) -> int:
        return shutil.disk_usage(self._folder).free if self._folder.is_dir() else 0


class FileWriter(ClosingWriter):
    """Writes beside the final name and links it there at the end: the name appears whole or not at all."""

    def __init__(self, store: FolderStore, key: str, path: Path) -> None:
        self._store, self._key, self._path = store, key, path
        self._scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}{UNFINISHED}")
        self._unflushed = 0
        self._flusher: ThreadPoolExecutor | None = None
        self._flushes: list[Future[None]] = []
        with store.failures(f"write {key}"):
            if path.exists():
                raise FileExistsError(errno.EEXIST, "exists", str(path))
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file: int | None = os.open(self._scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)

    def write(self, block: bytes) -> None:
        assert self._file is not None, "write after the end"
        with self._store.failures(f"write {self._key}"):
            view = memoryview(block)
            while view:
                view = view[os.write(self._file, view) :]
        self._unflushed += len(block)
        if self._unflushed >= FLUSH_EVERY:
            self._unflushed = 0
            self._flusher = self._flusher or ThreadPoolExecutor(1, "flush")
            self._flushes.append(self._flusher.submit(os.fdatasync, self._file))

    def close(self) -> None:
        if self._file is None:
            return
        try:
            with self._store.failures(f"write {self._key}"):
                for flush in self._flushes:
                    flush.result()
                os.fsync(self._file)
                # A hard link fails if the name exists, which a rename would replace.
                os.link(self._scratch, self._path)
                _flush_folder(self._path.parent)
        finally:
            self.abort()

    def abort(self) -> None:
        if self._file is not None:
            if self._flusher is not None:
                self._flusher.shutdown(cancel_futures=True)
            os.close(self._file)
            self._file = None
            self._scratch.unlink(missing_ok=True)


def _files(folder: str, *, unfinished: bool = False) -> Iterator[os.DirEntry[str]]:
    try:
        entries = os.scandir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return  # nothing has been written there, or retention took it while we looked
    with entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path, unfinished=unfinished)
            elif entry.name.endswith(UNFINISHED) is unfinished:
                yield entry


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
