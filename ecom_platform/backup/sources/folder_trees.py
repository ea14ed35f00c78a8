"""Opens the tree of a folder where it is: on this machine, or in a pod that has its volume."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ecom_platform.backup.sources.folder import LocalTree, Tree
from ecom_platform.backup.sources.tree_reader import TreeReader
from ecom_platform.platforms.protocol import Platform


@contextmanager
def open_tree(platform: Platform, name: str) -> Iterator[Tree]:
    yield LocalTree(name, TreeReader(str(platform.folder(name))))
