"""The source `folder/NAME`: application data beside the databases, as a tar with a list of its files.

Goes here: what is read and what may be said of it. Not here: how a tree is read (tree_reader.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from ecom_platform.backup.sources.taking import Source, Stream
from ecom_platform.backup.sources.tree_index import CONTENT, INDEX, fingerprint_of, write_index
from ecom_platform.backup.sources.tree_reader import ChangesWhileRead, Entry, TreeReader
from ecom_platform.errors import BusyError, MissingError, PermanentError

KIND = "folder"
TOOLS = {"tar": "PAX; tar --extract opens it"}


class Tree(Protocol):
    """Something that reads a tree: on this machine or in a pod. The rest is known when blocks() ended."""

    @property
    def entries(self) -> Mapping[str, Entry]: ...
    @property
    def left_out(self) -> Sequence[str]: ...
    @property
    def moved_on(self) -> Sequence[str]: ...
    def blocks(self) -> Iterator[bytes]: ...


def tree_source(kind: str, name: str, tree: Tree) -> Source:
    """A source of the tree's tar and, after it, the list of what was read."""
    index = b""

    def listed() -> Iterator[bytes]:
        nonlocal index
        index = write_index(tree.entries.values())
        yield index

    def fingerprint() -> dict[str, Any]:
        # Counts, not names: names of files are for those who can open the backup.
        return {
            **fingerprint_of(index, tree.entries.values()),
            "left_out": len(tree.left_out),
            "moved_on": len(tree.moved_on),
        }

    streams = (
        Stream(CONTENT, "content.tar.zst.age", tree.blocks),
        Stream(INDEX, "index.jsonl.zst.age", listed),
    )
    return Source(kind, name, streams, fingerprint, TOOLS)


def folder_source(name: str, place: Path, *, between: Callable[[str], None] = lambda _: None) -> Source:
    """between: as TreeReader's."""
    return tree_source(KIND, name, LocalTree(name, TreeReader(str(place), between=between)))


class LocalTree:
    """A folder of this machine, whose errors are those of the platform."""

    def __init__(self, name: str, reader: TreeReader) -> None:
        self._name, self._reader = name, reader

    @property
    def entries(self) -> Mapping[str, Entry]:
        return self._reader.entries

    @property
    def left_out(self) -> Sequence[str]:
        return self._reader.left_out

    @property
    def moved_on(self) -> Sequence[str]:
        return self._reader.moved_on

    def blocks(self) -> Iterator[bytes]:
        tried = f"read the folder {self._name}"
        try:
            yield from self._reader.blocks()
        except ChangesWhileRead as error:
            raise changes(tried, str(error)) from error
        except FileNotFoundError as error:
            raise MissingError(tried, f"{error.filename} is not there", "Deploy the shop first.") from error
        except OSError as error:
            raise PermanentError(tried, f"{error.strerror}: {error.filename}", "Let the backup read it.") from error


def changes(tried: str, path: str) -> BusyError:
    """The error for a file that never held still."""
    return BusyError(
        tried,
        f"{path!r} changed during every one of its readings",
        "Let whatever writes it write a new file and rename it, or keep it in another folder.",
    )
