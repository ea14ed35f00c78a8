"""Writes a tree from its tar stream into an empty folder, and reads back what is there.

It imports the standard library, the reader and the errors alone, so that the same text also runs inside a pod.

Nothing is written outside of the folder, whatever the tar says: links are made last, so none can lead
a file elsewhere, and paths that climb are refused.
"""

from __future__ import annotations

import errno
import os
import stat
import tarfile
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import IO

from ecom_platform.backup.sources.tree_reader import BLOCK, FOLDER, LINK, Entry, TreeReader
from ecom_platform.errors import CorruptBackup, PreflightError, RefusedError

TRIED = "restore the files"


def refuse_used(folder: Path) -> None:
    """Raises RefusedError unless the folder is empty or not there yet (its parent is)."""
    tried = f"restore into {folder}"
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise RefusedError(tried, "it is no folder", "Name a folder that is empty or not there.")
    if folder.exists() and any(folder.iterdir()):
        raise RefusedError(
            tried, "it is not empty", "Nothing is overwritten: name a folder that is empty or not there."
        )
    if not folder.exists() and not folder.parent.is_dir():
        raise RefusedError(tried, f"there is no folder {folder.parent}", "Make it first.")


def write_tree(
    tar: IO[bytes], folder: Path, progress: Callable[[int], None] = lambda _: None, *, own_root: bool = True
) -> int:
    """Everything in the tar, with modes and times, into the folder, which is empty; the files' bytes.

    own_root: False leaves the folder's own mode and time, as of a volume that belongs to somebody else.
    To the end of the stream: what it says at its end is what makes it authentic.
    Raises CorruptBackup if it is no tree, PreflightError if the disk does not take it.
    """
    work = _Work(folder)
    try:
        with tarfile.open(fileobj=tar, mode="r|", encoding="utf-8", errors="surrogateescape", bufsize=BLOCK) as archive:
            while (member := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # or it would keep every one
                work.take(archive, member)
                progress(work.written)
            while tar.read(BLOCK):
                pass
        work.finish(own_root=own_root)
    except tarfile.TarError as error:
        raise CorruptBackup(TRIED, f"it is no tar: {error}") from error
    except OSError as error:
        raise _untaken(error, folder) from error
    return work.written


def read_tree(folder: Path) -> dict[str, Entry]:
    """What is in the folder now, by path, with the hash of each file."""
    reader = TreeReader(str(folder))
    for _ in reader.blocks():
        pass
    return reader.entries


class _Work:
    """written: bytes of files so far. Folders get their modes and times at the end, when nothing changes them."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.written = 0
        self._links: dict[str, Entry] = {}
        self._folders: dict[str, Entry] = {}

    def take(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        entry = _entry(member)
        place = self._place(entry.path)
        self._links.pop(entry.path, None)
        if entry.type == LINK:
            self._links[entry.path] = entry
        elif entry.type == FOLDER:
            self._folders[entry.path] = entry
            place.mkdir(mode=0o700, exist_ok=True)
        else:
            self._file(archive, member, entry, place)

    def _file(self, archive: tarfile.TarFile, member: tarfile.TarInfo, entry: Entry, place: Path) -> None:
        content = archive.extractfile(member)
        assert content is not None, "a member that is a file has content"
        with suppress(FileNotFoundError):
            place.unlink()  # an earlier reading of the same file
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            while block := content.read(BLOCK):
                file.write(block)
                self.written += len(block)
        place.chmod(entry.mode)
        os.utime(place, ns=(entry.mtime, entry.mtime))

    def finish(self, *, own_root: bool) -> None:
        if not own_root:
            self._folders.pop(".", None)
        for path, link in self._links.items():
            place = self._place(path)
            place.symlink_to(link.target)
            os.utime(place, ns=(link.mtime, link.mtime), follow_symlinks=False)
        for path, entry in sorted(self._folders.items(), reverse=True):
            place = self._place(path)
            place.chmod(entry.mode)
            os.utime(place, ns=(entry.mtime, entry.mtime))
        if "." in self._folders:
            root = self._folders["."]
            os.utime(self.root, ns=(root.mtime, root.mtime))

    def _place(self, path: str) -> Path:
        parts = path.split("/")
        if path.startswith("/") or "\0" in path or ".." in parts or "" in parts or (path != "." and "." in parts):
            raise CorruptBackup(TRIED, f"the path {path[:100]!r} leads out of the folder")
        return self.root if path == "." else self.root.joinpath(*parts)


def _entry(member: tarfile.TarInfo) -> Entry:
    kind = FOLDER if member.isdir() else LINK if member.issym() else "file" if member.isreg() else ""
    if not kind:
        raise CorruptBackup(TRIED, f"{member.name[:100]!r} is of a kind that no snapshot has")
    seconds = member.pax_headers.get("mtime", str(member.mtime))
    mtime = int(Decimal(seconds) * 10**9)
    return Entry(member.name, kind, stat.S_IMODE(member.mode), mtime, target=member.linkname)


def _untaken(error: OSError, folder: Path) -> PreflightError:
    seen = f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror)
    advice = "Make room there." if error.errno in (errno.ENOSPC, errno.EDQUOT) else "Mend that and try again."
    return PreflightError(f"write into {folder}", seen, advice)
