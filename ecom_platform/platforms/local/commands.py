"""The commands of a spec, with the platform's own programs in place of `python` and `caddy`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from ecom_platform.clients import caddy
from ecom_platform.errors import PreflightError


def program(command: Sequence[str]) -> tuple[str, ...]:
    """The command with an absolute path. Raises PreflightError if it is empty or not on PATH."""
    if not command:
        raise PreflightError("run a service", "it has no command", "The local platform needs `command` in the spec.")
    if command[0] == "python":
        return (sys.executable, *command[1:])
    if command[0] == "caddy":
        return (str(caddy.program()), *command[1:])
    found = shutil.which(command[0], path=os.environ.get("PATH"))
    if not found:
        raise PreflightError(f"run {command[0]}", "there is no such program", "Mend the command in the spec.")
    return (str(Path(found).absolute()), *command[1:])
