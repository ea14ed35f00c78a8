"""Where the gates' programs are: on the PATH, or in `.tools`, where `make tools` puts them."""

from __future__ import annotations

import shutil
from pathlib import Path

from ecom_platform.clients import helm as door
from ecom_platform.clients.commands import Completed, run
from ecom_platform.errors import PreflightError
from ecom_platform.settings import ROOT

TOOLS = ROOT / ".tools"
BUILD = ROOT / "build"
"""What gates write: renderings and reports; not kept in the repository."""


def program(name: str) -> Path:
    """The locked one of `.tools`, else that of the PATH; PreflightError if there is none."""
    found = shutil.which(name, path=str(TOOLS / "bin")) or shutil.which(name)
    if found is None:
        raise PreflightError(
            f"find {name}", "it is neither in .tools nor on the PATH", f"Run `make .tools/bin/{name}`."
        )
    return Path(found)


def helm() -> Path:
    """The one that deploys first (HELM, else the PATH's), else the one of .tools."""
    found = shutil.which(door.program())
    return Path(found) if found else program("helm")


def helm_3() -> Path:
    """Helm 3, whose renderings must be those of the other."""
    return program("helm3")


def call(name: str, *arguments: str | Path, seconds: float = 300, folder: Path = ROOT) -> Completed:
    """Run a program of .tools with its whole output; its exit code is the caller's to judge."""
    return run([program(name), *arguments], timeout=seconds, check=False, folder=folder, keep=None)
