"""Where a training takes place: a folder with a lock, what was set up in it, and its removal after any ending.

Goes here: making, reading and clearing the folder. Not here: what is in it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ecom_platform.clients.supervisor import replace_text
from ecom_platform.errors import BusyError, ConfigurationError
from ecom_platform.platforms.local.layout import make_enterable
from ecom_platform.platforms.local.locks import held

FACTS, LOCK = "scene.json", "lock"

Remove = Callable[[Path], None]
Build = Callable[[Path], Mapping[str, Any]]


@dataclass(frozen=True)
class Scene:
    """folder: of this training alone."""

    name: str
    folder: Path

    @property
    def is_set(self) -> bool:
        return (self.folder / FACTS).exists()

    def facts(self) -> dict[str, Any]:
        """What its judge has to know. Raises ConfigurationError if the scene is not set, or half made."""
        if not self.is_set:
            raise ConfigurationError(
                f"check the training {self.name}", "its scene is not set", f"Run `ecom train {self.name} start`."
            )
        found: dict[str, Any] = json.loads((self.folder / FACTS).read_text(encoding="utf-8"))
        return found

    def start(self, build: Build, remove: Remove) -> None:
        """What a killed start left is removed first; the facts come last, and they alone make the scene count."""
        with self._alone("start"):
            if self.is_set:
                raise BusyError(
                    f"start the training {self.name}",
                    "its scene is set already",
                    f"End it: `ecom train {self.name} end`.",
                )
            self._clear(remove)
            replace_text(self.folder / FACTS, json.dumps(dict(build(self.folder))))

    def end(self, remove: Remove) -> None:
        """Nothing of it is left; does nothing where that is so already."""
        if self.folder.exists():
            with self._alone("end"):
                self._clear(remove)

    @contextmanager
    def _alone(self, what: str) -> Iterator[None]:
        make_enterable(self.folder)
        with held(self.folder / LOCK, f"{what} of the training {self.name}", seconds=0):
            yield

    def _clear(self, remove: Remove) -> None:
        remove(self.folder)
        for each in self.folder.iterdir():
            if each.name not in (LOCK, FACTS):
                shutil.rmtree(each) if each.is_dir() else each.unlink()
        (self.folder / FACTS).unlink(missing_ok=True)
