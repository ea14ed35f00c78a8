"""Where a shop is made anew: this machine, or a namespace; what differs between them. The steps are in anew.py."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from ecom_platform.backup.archives import open_archive
from ecom_platform.backup.encryption import Identities
from ecom_platform.backup.recovery_set import RecoverySet, restore_folder
from ecom_platform.backup.sources.tree_index import CONTENT, compare_trees
from ecom_platform.backup.sources.tree_proof import read_entries
from ecom_platform.backup.sources.tree_reader import FILE
from ecom_platform.clients.objects import ObjectStore
from ecom_platform.errors import ProofFailed
from ecom_platform.platforms.kubernetes import KubernetesPlatform, empty_place, objects, pod_filling, tasks, values
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.platforms.protocol import Platform
from ecom_platform.spec import Shop

Progress = Callable[[str], None]
MIGRATION_SECONDS = 600.0
"""As the chart gives it; the image may have to be pulled."""


@dataclass(frozen=True)
class Saved:
    """What the folders come from."""

    store: ObjectStore
    chosen: RecoverySet
    identities: Identities


class EmptyPlace(Protocol):
    """One that has no shop yet, or half of one that an earlier try left."""

    def begin(self) -> None:
        """Everything up that the shop's data needs, and nothing that sells. Raises RefusedError if a shop is there."""

    def fill(self, name: str, saved: Saved) -> int:
        """The folder restored and compared; its files. Raises ProofFailed if it differs."""

    def end(self, documents: Path) -> list[str]:
        """It is a shop like any other now. Gives what of the restored documents nothing has made again."""

    def undo(self) -> None:
        """After damage was found: no half of a shop stays where somebody else would find it."""


def empty_place_of(platform: Platform, shop: Shop, progress: Progress) -> EmptyPlace:
    if isinstance(platform, KubernetesPlatform):
        return _Namespace(platform, shop, progress)
    assert isinstance(platform, LocalPlatform)
    return _Machine(platform, progress)


@dataclass(frozen=True)
class _Machine:
    """Its state folder is the operator's own: what is half stays there, and the next try goes on."""

    platform: LocalPlatform
    progress: Progress

    def begin(self) -> None:
        self.platform.up()

    def fill(self, name: str, saved: Saved) -> int:
        place = self.platform.folder(name)
        shutil.rmtree(place)  # empty, or half of an earlier try
        done = restore_folder(saved.store, saved.chosen, name, saved.identities, place)
        if bad := [str(each) for each in done.verdicts if not each.passed]:
            raise ProofFailed(f"restore the folder {name}", "; ".join(bad[:3]))
        return sum(each.is_file() for each in place.rglob("*"))

    def end(self, documents: Path) -> list[str]:
        del documents
        return []

    def undo(self) -> None:
        return


@dataclass
class _Namespace:
    platform: KubernetesPlatform
    shop: Shop
    progress: Progress

    @cached_property
    def _still(self) -> KubernetesPlatform:
        """The shop without a pod that sells: customers must not find it before its data are back."""
        still: dict[str, Any] = {"colours": {"blue": {"replicas": 0}}, "autoscaling": {"enabled": False}}
        resting = values.merged(self.shop.kubernetes.values, dict.fromkeys(values.COMPONENTS, still))
        where = self.shop.kubernetes.model_copy(update={"values": resting})
        platform = KubernetesPlatform(self.shop.model_copy(update={"kubernetes": where}), self.platform.layout.state)
        platform.cluster = self.platform.cluster
        return platform

    def begin(self) -> None:
        empty_place.begin(self.platform.release)
        self._still.install()
        # What an earlier try brought up rests again; the roles come with the migration.
        self._still.release.change(values.base(self._still.shop))
        tasks.wait_for_migration(self.platform.cluster, self.platform.names, seconds=MIGRATION_SECONDS)

    def fill(self, name: str, saved: Saved) -> int:
        manifest = saved.chosen.member(f"folder/{name}")
        expected = read_entries(saved.store, manifest, saved.identities)
        expected.pop(".", None)  # the volume's own
        with open_archive(saved.store, manifest, CONTENT, saved.identities) as tar:
            found = pod_filling.fill(self.platform.cluster, self.platform.names, name, tar)
        if bad := [str(each) for each in compare_trees(expected, found) if expected and not each.passed]:
            raise ProofFailed(f"restore the folder {name}", "; ".join(bad[:3]))
        return sum(each.type == FILE for each in found.values())

    def end(self, documents: Path) -> list[str]:
        empty_place.end(self.platform.release)
        namespace = self.platform.names.namespace
        now = objects.documents(self.platform.cluster, [namespace])
        saved = [each.relative_to(documents).as_posix() for each in documents.glob(f"kubernetes/{namespace}/*/*.json")]
        return sorted(each for each in saved if each not in now)

    def undo(self) -> None:
        self.progress("damaged: the namespace is emptied again")
        empty_place.undo(self.platform.release)
