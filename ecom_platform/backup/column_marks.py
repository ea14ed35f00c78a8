"""Leaves out of a schema's script what one server noted for itself and every other refuses.

PostgreSQL 17.12 keeps the log position of a column's last change among the column's options, as
`pg_attver`. Its own pg_dump leaves that out; the one of 18.6 writes it like any other option.
"""

from __future__ import annotations

import re
from pathlib import Path

_MARK = b"pg_attver="
_SETTING = re.compile(
    rb"^(?P<column>ALTER (?:FOREIGN )?TABLE ONLY .+ ALTER COLUMN .+ SET \()(?P<options>[^()]*\bpg_attver=[^()]*)\);\n",
    re.MULTILINE,
)


def has_marks(archive: Path) -> bool:
    """Whether the archive of a schema, which lies uncompressed in the file, speaks of marks."""
    return _MARK in archive.read_bytes()


def without_marks(script: bytes) -> bytes:
    """The script with the columns' other options alone. A comparison of what was restored tells if it
    changed anything else.
    """
    return _SETTING.sub(_others, script)


def _others(setting: re.Match[bytes]) -> bytes:
    kept = [each for each in setting["options"].split(b", ") if not each.startswith(_MARK)]
    return setting["column"] + b", ".join(kept) + b");\n" if kept else b""
