"""The locked tools, one check for all tests of gates."""

from __future__ import annotations

import os
import shutil

import pytest

from ecom_platform.clients.helm import program
from gates.tools import TOOLS


@pytest.fixture(scope="session")
def tools() -> None:
    """`.tools` is there, and helm, and helm 3; else the test is skipped, and in CI it fails."""
    missing = [
        how
        for how, there in (
            ("make tools", (TOOLS / "installed").exists()),
            ("make .tools/bin/helm", shutil.which(program()) or (TOOLS / "bin" / "helm").exists()),
            ("make tools", (TOOLS / "bin" / "helm3").exists()),
        )
        if not there
    ]
    if missing:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"needs {' and '.join(f'`{each}`' for each in missing)}")
