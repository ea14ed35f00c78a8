"""Runs programs: a list of arguments, a deadline, an explicit verdict. No shell, no secrets in argv."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ecom_platform.errors import CommandFailed, DeadlineExceeded, PreflightError

KEPT_CHARACTERS = 4000  # of each output: enough for a traceback's end, small enough for metadata


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that ended: its name, exit code and the ends of its outputs."""

    program: str
    code: int
    stdout: str
    stderr: str


def run(
    argv: Sequence[str | Path],
    *,
    timeout: float,
    check: bool,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    stdin: bytes | None = None,
    keep: int | None = KEPT_CHARACTERS,
) -> Completed:
    """Run argv to its end.

    environment: added to this process's own. timeout: seconds, then it is killed.
    keep: characters kept of each output's end; None keeps all.
    Raises PreflightError if the program is missing, DeadlineExceeded, and with check=True
    CommandFailed for a non-zero exit code.
    """
    program = Path(argv[0]).name
    try:
        done = subprocess.run(
            [str(each) for each in argv],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            timeout=timeout,
            check=False,
            cwd=folder,
            env={**os.environ, **(environment or {})},
        )
    except FileNotFoundError as error:
        raise PreflightError(f"run {program}", "the program is not there", "Run `ecom doctor`.") from error
    except subprocess.TimeoutExpired as error:
        tail = (error.stderr or b"").decode(errors="replace")[-500:]
        raise DeadlineExceeded(
            f"run {program}", f"not done after {timeout:g} s; last output: {tail or 'none'}"
        ) from error
    stdout, stderr = (each.decode(errors="replace") for each in (done.stdout, done.stderr))
    completed = Completed(program, done.returncode, _tail(stdout, keep), _tail(stderr, keep))
    if check and completed.code != 0:
        said = (completed.stderr or completed.stdout).strip()[-1000:]
        raise CommandFailed(f"run {program}", f"exit code {completed.code}: {said or 'no output'}")
    return completed


def _tail(text: str, keep: int | None) -> str:
    return text if keep is None else text[-keep:]
