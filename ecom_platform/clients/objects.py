"""The one door to object stores: a local folder or an S3 bucket, with the same few verbs.

What an object means is not known here. Every failure leaves as an error of errors.py; a store that
does not answer is tried again until its patience is spent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import unquote, urlsplit

from ecom_platform.errors import ConfigurationError
from ecom_platform.platforms.protocol import StoreAccess

PATIENCE = timedelta(seconds=100)
"""How long one request is tried again: longer than a minute of 503s, shorter than the five minutes for
which a signed request is valid."""

BLOCK = 1 << 20
"""Bytes handed over at once: large enough that the calls cost nothing, small beside the memory budget."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a listing tells of an object. size in bytes; modified by the store's clock."""

    key: str
    size: int
    modified: datetime


class Writer(Protocol):
    """An object in the making. It is visible only after close(); leaving the context by an
    exception, or abort(), leaves nothing of it.
    """

    def write(self, block: bytes) -> None: ...

    def close(self) -> None:
        """Make the object visible and durable."""

    def abort(self) -> None:
        """Drop what was written; may be called again, and after close() does nothing."""


class ClosingWriter:
    """Context management for writers: an exception aborts, the normal end closes."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abort()

    def close(self) -> None:
        raise NotImplementedError

    def abort(self) -> None:
        raise NotImplementedError


class ObjectStore(Protocol):
    """Objects by key ("a/b/c"). name: the spec's word for the store; where: its address without secrets.

    Raises MissingError for a key that is not there, UnreachableError when the store does not
    answer, PermanentError when it refuses or its disk is full.
    """

    name: str
    where: str

    def put_new(self, key: str, data: bytes) -> None:
        """Write a small object at once, durable; RefusedError if the key exists. Of two callers one wins."""

    def writer(self, key: str) -> WriterContext:
        """A writer for a large object. The key must be new: no store can promise create-only here."""

    def read(self, key: str) -> Iterator[bytes]:
        """The object's bytes, about a BLOCK at a time."""

    def get(self, key: str) -> bytes: ...

    def get_many(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """(key, bytes) of many small objects, in any order, faster than one by one."""

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Every object whose key begins with the prefix (whole path segments), in any order."""

    def delete(self, key: str) -> None:
        """Remove the object; it may be gone already. RefusedError if the store keeps it locked."""

    def exists(self, key: str) -> bool: ...

    def abort_unfinished(self, prefix: str, before: datetime, spare: Callable[[str], bool]) -> Sequence[str]:
        """Drop uploads below the prefix that began before and were never finished, but those whose key is
        to be spared; the keys of the dropped ones.
        """


class WriterContext(Writer, Protocol):
    def __enter__(self) -> Writer: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_store(access: StoreAccess, *, patience: timedelta = PATIENCE) -> ObjectStore:
    """The store; nothing is sent yet. Raises ConfigurationError for an address that is neither
    file:///FOLDER nor s3://BUCKET/PREFIX.
    """
    parts = urlsplit(access.url)
    if parts.scheme == "file" and parts.path:
        from ecom_platform.clients.folder_objects import FolderStore

        return FolderStore(access.name, unquote(parts.path))
    if parts.scheme == "s3" and parts.netloc:
        from ecom_platform.clients.s3_objects import BucketStore

        return BucketStore(access, bucket=parts.netloc, prefix=parts.path.strip("/"), patience=patience)
    raise ConfigurationError(
        f"open the store {access.name}", f"{access.url!r} is no address", "Write file:///FOLDER or s3://BUCKET/PREFIX."
    )
