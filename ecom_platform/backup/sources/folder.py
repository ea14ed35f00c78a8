"""The source `folder/NAME`: application data beside the databases, as a tar with a list of its files.

Goes here: what is read and what may be said of it. Not here: how a tree is read (tree_reader.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ecom_platform.backup.sources.taking import Source, Stream
from ecom_platform.backup.sources.tree_index import CONTENT, INDEX, fingerprint_of, write_index
from ecom_platform.backup.sources.tree_reader import TreeReader
from ecom_platform.backup.sources.trees import LocalTree, Tree

KIND = "folder"
TOOLS = {"tar": "PAX; tar --extract opens it"}


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
