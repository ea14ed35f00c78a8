"""`ecom` in the tests of its verbs: the program's own entry, in the test's process."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from ecom_platform.cli.main import main


@dataclass
class Ecom:
    """Quicker than one process for each call."""

    folder: Path
    capture: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """(exit code, standard output, standard error)"""
        self.patch.setattr(sys, "argv", ["ecom", *arguments])
        self.capture.readouterr()
        try:
            main()
            code = 0
        except SystemExit as ending:
            code = int(ending.code or 0)
        said = self.capture.readouterr()
        return code, said.out, said.err
