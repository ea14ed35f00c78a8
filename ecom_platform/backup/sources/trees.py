"""A tree that can be read once: the protocol of whatever reads it, and the folder of this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from ecom_platform.backup.sources.tree_reader import ChangesWhileRead, Entry, TreeReader
from ecom_platform.errors import BusyError, MissingError, PermanentError


class Tree(Protocol):
    """Something that reads a tree: on this machine or in a pod. The rest is known when blocks() ended."""

    @property
    def entries(self) -> Mapping[str, Entry]: ...
    @property
    def left_out(self) -> Sequence[str]: ...
    @property
    def moved_on(self) -> Sequence[str]: ...
    def blocks(self) -> Iterator[bytes]: ...


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
