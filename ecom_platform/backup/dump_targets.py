"""The stores that a dump writes to: which of them still hold on, their open uploads, the commit. Knows no database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from types import TracebackType
from typing import Self

from ecom_platform.backup.catalogue import newest_link, write_manifest
from ecom_platform.backup.manifest import Link, Manifest, Status
from ecom_platform.backup.signing import SigningKey
from ecom_platform.backup.stream import FanOut
from ecom_platform.clients.objects import ObjectStore, open_store
from ecom_platform.errors import ConfigurationError, EcomError, MissingError
from ecom_platform.platforms.protocol import StoreAccess


class Targets:
    """Stores by name. failures: those that fell out, with their errors.

    A context: uploads that are still open at its end are aborted, so that an error leaves nothing.
    """

    def __init__(self, stores: Sequence[ObjectStore], shop: str, source: str) -> None:
        """Finds the newest snapshot in each store. Raises the error of the last store if none answers."""
        self._stores = {each.name: each for each in stores}
        self._links: dict[str, Link | None] = {}
        self._open: list[FanOut] = []
        self.failures: dict[str, EcomError] = {}
        for name, store in self._stores.items():
            try:
                self._links[name] = newest_link(store, shop, source)
            except MissingError:
                self._links[name] = None  # a folder that nobody has written to yet
            except EcomError as error:
                self._fail(name, error)

    @property
    def healthy(self) -> list[str]:
        return [name for name in self._stores if name not in self.failures]

    @property
    def newest(self) -> str:
        """The id of the newest snapshot in any store; empty if there is none."""
        return max((link.id for link in self._links.values() if link), default="")

    def fan_out(self, key: str) -> FanOut:
        """An object in every healthy store; it stays open until complete()."""
        out = FanOut({}, self.failures)
        self._open.append(out)
        for name in self.healthy:
            try:
                out.writers[name] = self._stores[name].writer(key)
            except EcomError as error:
                self._fail(name, error)
        return out

    def complete(self) -> None:
        """Make all objects visible, in the stores that took every one of them."""
        for out in self._open:
            for name in self.failures:
                out.drop(name)
            out.close()
        self._open.clear()

    def commit(self, draft: Manifest, key: SigningKey) -> Manifest:
        """Write the manifest to each store that has all objects; the manifest that tells of every store.

        Remote stores come first, so that the one at hand can say what became of them.
        """
        for name in sorted(self.healthy, key=lambda each: self._stores[each].where.startswith("file:")):
            manifest = self._manifest(draft, name)
            try:
                write_manifest(self._stores[name], manifest, key)
            except EcomError as error:
                self._fail(name, error)
        return self._manifest(draft, self.healthy[0])

    def _manifest(self, draft: Manifest, store: str) -> Manifest:
        states = {
            name: f"{Status.FAILED}: {self.failures[name].seen}" if name in self.failures else Status.STORED.value
            for name in self._stores
        }
        return draft.model_copy(update={"stores": states, "previous": self._links[store]})

    def _fail(self, name: str, error: EcomError) -> None:
        self.failures[name] = error
        if not self.healthy:
            raise error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for out in self._open:
            out.abort()


def open_targets(stores: Sequence[StoreAccess], shop: str, source: str, patience: timedelta) -> Targets:
    """Raises ConfigurationError if there is no store, or two of one name."""
    names = [each.name for each in stores]
    if not names or len(set(names)) != len(names):
        raise ConfigurationError("open the stores", f"they are called {', '.join(names) or 'nothing'}")
    return Targets([open_store(each, patience=patience) for each in stores], shop, source)
