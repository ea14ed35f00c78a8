"""Reads a folder as one tar stream (PAX) with a list of what was read, file by file.

It imports the standard library alone, so that the same text also runs inside a pod. A file that
changes while it is read is read again, and the later reading in the stream replaces the earlier, as in
any tar; one that never holds still is an error. After all was read the whole folder is looked at once
more: what nobody touched between was so at one moment.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

BLOCK = 1 << 20
ROUNDS = 6
"""How often a file that changes is read again, with growing pauses: about a second and a half in all."""

FIRST_PAUSE_SECONDS = 0.05
TICK_NANOSECONDS = 20_000_000
"""The clock of a file system moves in steps of up to 10 ms; a change within the step of the one before
does not show in the times. So a file that changed just before it was read is read once more."""

FILE, FOLDER, LINK = "file", "folder", "link"


@dataclass(frozen=True)
class Entry:
    """One thing in the folder. path: relative, bytes that are not UTF-8 as surrogates; "." is the folder itself.

    mode: permission bits. mtime: nanoseconds since 1970. size, sha256 (hex): of a file. target: of a link.
    """

    path: str
    type: str
    mode: int
    mtime: int
    size: int = 0
    sha256: str = ""
    target: str = ""


class ChangesWhileRead(Exception):
    """A file changed during each of its readings."""


Signature = tuple[int, ...]


class TreeReader:
    """blocks() gives the tar; the rest is known at its end.

    entries: by path. left_out: sockets, pipes and devices, which hold no data. moved_on: what was
    added, removed or changed after it had been read, too often to catch up with.
    """

    def __init__(self, root: str, *, between: Callable[[str], None] = lambda _: None) -> None:
        """between: called with a file's path between two blocks of it; for tests."""
        self.root = root
        self.entries: dict[str, Entry] = {}
        self.left_out: list[str] = []
        self.moved_on: list[str] = []
        self._again: set[str] = set()
        self._seen: dict[str, Signature] = {}
        self._there: set[str] = set()
        self._between = between

    def blocks(self) -> Iterator[bytes]:
        """Raises ChangesWhileRead, and OSError for what cannot be read."""
        torn: set[str] = set()
        pending = self._pending(torn)
        for number in range(ROUNDS):
            self._again.update(pending if number else ())
            torn = set()
            for path in pending:
                whole = yield from self._emit(path)
                if not whole:
                    torn.add(path)
            if torn:
                time.sleep(FIRST_PAUSE_SECONDS * 2**number)  # for a writer to come to its end
            pending = self._pending(torn)
            if gone := torn - self._there:
                raise ChangesWhileRead(min(gone))  # what was read of it stands in the tar
            if not pending:
                break
        if torn:
            raise ChangesWhileRead(min(torn))
        self.moved_on = sorted({*pending, *(self._seen.keys() - self._there)})
        yield from self._folders_again()
        yield bytes(2 * tarfile.BLOCKSIZE)

    def _pending(self, torn: set[str]) -> list[str]:
        """Paths that were not read yet, or are not as they were when they were read; folders before their content."""
        found = []
        self.left_out, self._there = [], set()
        for path, status in walk(self.root):
            if _type(status) is None:
                self.left_out.append(path)
                continue
            self._there.add(path)
            if path in torn or self._seen.get(path) != signature(status):
                found.append(path)
        return found

    def _emit(self, path: str) -> Generator[bytes, None, bool]:
        """The path's part of the tar; returns whether it is whole."""
        try:
            status = os.lstat(self._place(path))
            if stat.S_ISREG(status.st_mode):
                return (yield from self._file(path))
            kind = _type(status)
            target = os.readlink(self._place(path)) if kind == LINK else ""  # noqa: PTH115
        except FileNotFoundError:
            return True  # it went meanwhile
        if kind is None:
            return True
        self._keep(Entry(path, kind, stat.S_IMODE(status.st_mode), status.st_mtime_ns, target=target), status)
        yield header(self.entries[path], status.st_uid, status.st_gid)
        return True

    def _file(self, path: str) -> Generator[bytes, None, bool]:
        """Returns whether nobody changed it meanwhile."""
        began = time.time_ns()
        handle = os.open(self._place(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            before = os.fstat(handle)
            digest, left = hashlib.sha256(), before.st_size
            plain = Entry(path, FILE, stat.S_IMODE(before.st_mode), before.st_mtime_ns, before.st_size)
            yield header(plain, before.st_uid, before.st_gid)
            while left and (block := os.read(handle, min(BLOCK, left))):
                digest.update(block)
                left -= len(block)
                yield block
                self._between(path)
            for start in range(0, left, BLOCK):  # it became shorter; this reading counts for nothing
                yield bytes(min(BLOCK, left - start))
            yield bytes(-before.st_size % tarfile.BLOCKSIZE)
            after = os.fstat(handle)
        finally:
            os.close(handle)
        if left or signature(before) != signature(after) or before.st_ctime_ns > began - TICK_NANOSECONDS:
            return False
        kept = Entry(path, FILE, plain.mode, plain.mtime, plain.size, digest.hexdigest())
        self._keep(kept, before)
        return True

    def _folders_again(self) -> Iterator[bytes]:
        """Heads of the folders into which something came later, so that any tar sets their times after it."""
        around = {"."} if self._again else set()
        for path in self._again:
            parts = path.split("/")
            around.update("/".join(parts[:depth]) for depth in range(1, len(parts)))
        for path in sorted(around & self.entries.keys(), reverse=True):
            if path in self._there:
                status = os.lstat(self._place(path))
                yield header(self.entries[path], status.st_uid, status.st_gid)

    def _keep(self, entry: Entry, status: os.stat_result) -> None:
        before = self.entries.get(entry.path)
        if before is not None and before.type != entry.type:
            raise ChangesWhileRead(entry.path)
        self.entries[entry.path] = entry
        self._seen[entry.path] = signature(status)

    def _place(self, path: str) -> str:
        return os.path.join(self.root, path)  # noqa: PTH118  # a Path costs as much as reading a small file


def walk(root: str) -> Iterator[tuple[str, os.stat_result]]:
    """The root itself and everything below it, each folder right before its content, by name."""
    yield ".", os.lstat(root)
    waiting = _inside(root, "")
    while waiting:
        path = waiting.pop()
        try:
            status = os.lstat(os.path.join(root, path))  # noqa: PTH118
        except FileNotFoundError:
            continue  # it went meanwhile
        yield path, status
        if stat.S_ISDIR(status.st_mode):
            waiting += _inside(root, path)


def _inside(root: str, folder: str) -> list[str]:
    """Paths in the folder, last name first."""
    try:
        with os.scandir(os.path.join(root, folder)) as listing:  # noqa: PTH118
            names = sorted((each.name for each in listing), reverse=True)
    except FileNotFoundError:
        return []
    return [f"{folder}/{name}" if folder else name for name in names]


def signature(status: os.stat_result) -> Signature:
    """Equal as long as nobody touched it; the change time also shows writers that set the other times back."""
    return (status.st_mode, status.st_mtime_ns, status.st_size, status.st_ino, status.st_ctime_ns)


def _type(status: os.stat_result) -> str | None:
    kinds = ((stat.S_ISREG, FILE), (stat.S_ISDIR, FOLDER), (stat.S_ISLNK, LINK))
    return next((kind for test, kind in kinds if test(status.st_mode)), None)


_TAR_TYPES = {FILE: tarfile.REGTYPE, FOLDER: tarfile.DIRTYPE, LINK: tarfile.SYMTYPE}


def header(entry: Entry, owner: int = 0, group: int = 0) -> bytes:
    """The entry's head in the tar. Times are exact: PAX writes them as decimal numbers."""
    info = tarfile.TarInfo(entry.path)
    info.type = _TAR_TYPES[entry.type]
    info.mode, info.size, info.linkname = entry.mode, entry.size, entry.target
    info.uid, info.gid = owner, group
    info.mtime = max(0, entry.mtime // 10**9)
    sign, since = "-" if entry.mtime < 0 else "", abs(entry.mtime)
    info.pax_headers = {"mtime": f"{sign}{since // 10**9}.{since % 10**9:09d}"}
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def padded(content: bytes) -> bytes:
    """A file's content as it lies in a tar."""
    return content + bytes(-len(content) % tarfile.BLOCKSIZE)
