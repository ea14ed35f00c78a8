"""Opens the archives of a snapshot: fetched, checked, decrypted and decompressed as they are read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from threading import Thread

from ecom_platform.backup.encryption import Identities, NoKeyFits
from ecom_platform.backup.manifest import Manifest, Part
from ecom_platform.backup.stream import Sealed, WrongBytes, unseal
from ecom_platform.clients.objects import ObjectStore
from ecom_platform.clients.pipes import large_pipe
from ecom_platform.errors import CorruptBackup, MissingError


def copy_archive(
    store: ObjectStore, manifest: Manifest, archive: str, identities: Identities, write: Callable[[bytes], object]
) -> None:
    """The whole archive, in the calling thread, to write. Only authentic bytes are written; that they
    were all of them, and the right ones, is known when this returns.

    Raises CorruptBackup that names the cause, and NoKeyFits that names who could open it.
    """
    part = _part(manifest, archive)
    tried = f"open the archive {archive} of {manifest.id} in the store {store.name}"
    try:
        unseal(store.read(part.key), write, identities, Sealed(part.plain_bytes, part.size, part.sha256))
    except WrongBytes as error:
        raise CorruptBackup(tried, _whose(manifest, error) or error.seen, _ADVICE) from error
    except CorruptBackup as error:
        raise CorruptBackup(tried, error.seen, _ADVICE) from error
    except MissingError as error:
        raise CorruptBackup(tried, f"the object {part.key} is not there", _ADVICE) from error
    except NoKeyFits as error:
        raise NoKeyFits(
            tried,
            f"none of the keys opens it ({identities!r}); it was encrypted to {', '.join(manifest.recipients)}",
            "Give the key file of one of these recipients.",
        ) from error


_ADVICE = "Use another snapshot or another store; this one cannot be restored."


@contextmanager
def open_archive(store: ObjectStore, manifest: Manifest, archive: str, identities: Identities) -> Iterator[FileIO]:
    """The archive's plain bytes as an unbuffered file that a program can have as its input (fileno()).

    Its end says nothing: leaving the context does, by the errors of copy_archive(). Who leaves early
    has checked nothing. If the block raises because the stream ended early, the stream's own error
    takes its place, chained.
    """
    reading, writing = large_pipe()
    feeder = _Feeder(lambda: copy_archive(store, manifest, archive, identities, _writer(writing)), writing)
    with FileIO(reading, "rb") as file:
        feeder.start()
        try:
            yield file
        except Exception as error:
            file.close()
            feeder.join()
            if feeder.error is not None:
                raise feeder.error from error
            raise
        finally:
            file.close()
            feeder.join()
    if feeder.error is not None:
        raise feeder.error


class _Feeder(Thread):
    """Fills the pipe. error: what stopped it, but not that nobody reads any more."""

    def __init__(self, work: Callable[[], None], writing: int) -> None:
        super().__init__(name="archive", daemon=True)
        self._work, self._writing = work, writing
        self.error: Exception | None = None

    def run(self) -> None:
        try:
            self._work()
        except BrokenPipeError:
            pass  # the reader left early, on purpose or by an error of its own
        except Exception as error:  # noqa: BLE001  # raised again by the reader's thread
            self.error = error
        finally:
            os.close(self._writing)


def _writer(end: int) -> Callable[[bytes], None]:
    def write(block: bytes) -> None:
        view = memoryview(block)
        while view:
            view = view[os.write(end, view) :]

    return write


def _part(manifest: Manifest, archive: str) -> Part:
    if archive not in manifest.archives:
        raise MissingError(
            f"open the archive {archive} of {manifest.id}",
            f"it has {', '.join(manifest.archives)}",
            "Name one of them.",
        )
    return manifest.part(archive)


def _whose(manifest: Manifest, error: WrongBytes) -> str:
    """Names the other archive of the snapshot whose bytes were found, if that is what happened."""
    for part in manifest.objects:
        if part.sha256 == error.found:
            return f"exchanged: the bytes of the archive {part.name} lie there"
    return ""
