"""Secrets that the platform makes for itself: files of mode 600, made once, the same for every reader."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from pathlib import Path

from ecom_platform.errors import PreflightError


def kept(path: Path, make: Callable[[], str]) -> str:
    """The file's content; made first, by one of two that come at once, if it is not there."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
        _write(scratch, make())
        try:
            os.link(scratch, path)
        except FileExistsError:
            pass  # somebody else was first; theirs counts
        finally:
            scratch.unlink()
    content = path.read_text(encoding="utf-8").strip()
    if not content:
        raise PreflightError(f"read the secret {path}", "the file is empty", "Remove it to have a new one made.")
    return content


def in_files(folder: Path) -> dict[str, bytes]:
    """Every secret that is kept below the folder, by its path there."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().strip()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def password() -> str:
    """192 bits, of letters that need no quoting in URLs, shells and configuration files."""
    return secrets.token_hex(24)


def _write(path: Path, content: str) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(content + "\n")
        file.flush()
        os.fsync(file.fileno())
