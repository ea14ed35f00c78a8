"""Helm, 3 and 4, by its program: releases of a chart in one namespace. Values go by a file of mode 600.

The program is the one that the variable HELM names, else `helm` of the PATH.

Secrets are no values: the charts name existing Secrets. Not here: which values mean what.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ecom_platform.clients.commands import Completed, run
from ecom_platform.errors import BusyError, CommandFailed, ConfigurationError, UnreachableError

OLDEST = (3, 14)
"""The first that knows Kubernetes' `preStop.sleep`, which the shop's chart has: Helm 3 merges objects by the types
it was built with. 3.22 and 4.0 are tested."""

SECONDS = 120.0
"""Helm only hands objects over here (it does not wait for them), which takes seconds."""


_OURS = re.compile(r'conflicts? with "ecom"')
"""How Helm 4 names the owner of a field that it may not change; Helm 3 knows no owners."""


def program() -> str:
    return os.environ.get("HELM") or "helm"


def accepted(version: str) -> bool:
    """Whether the charts work with it. version: like v3.22.0."""
    found = re.match(r"v(\d+)\.(\d+)\.", version)
    return found is not None and OLDEST <= (int(found[1]), int(found[2])) < (5, 0)


@dataclass(frozen=True, slots=True)
class ReleaseState:
    """status: Helm's word ("deployed", "failed", "pending-upgrade", ...). updated: when it got there.

    description: what `upgrade` was given, where it succeeded.
    """

    revision: int
    status: str
    updated: datetime
    description: str = ""


@dataclass(frozen=True)
class Helm:
    """One release. context: of the kubeconfig, empty for its current one."""

    release: str
    namespace: str
    context: str = ""

    def version(self) -> str:
        """Helm's version, like v4.0.4. Raises PreflightError if it is not there."""
        return run([program(), "version", "--short"], timeout=SECONDS, check=True).stdout.strip().partition("+")[0]

    def state(self) -> ReleaseState | None:
        """The newest revision, or None if there is no release."""
        return max(self.history(), key=lambda each: each.revision, default=None)

    def values(self) -> dict[str, Any]:
        """The values that the newest revision was given (not the chart's own)."""
        answer = self._run("get", "values", self.release, "--output", "json", check=True)
        content = json.loads(answer.stdout or "{}")
        return content if isinstance(content, dict) else {}

    def upgrade(self, chart: Path, values: Mapping[str, Any], *, description: str = "") -> None:
        """Install or upgrade to exactly these values; does not wait for the pods.

        A field that the platform itself has set since (its manager is `ecom`) is taken over.
        Raises ConfigurationError where the chart refuses the values, BusyError while another one is at work.
        """
        handle, name = tempfile.mkstemp(suffix=".json")  # mode 600
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(values, file)
            argv = ["upgrade", self.release, str(chart), "--install", "--reset-values", "--values", name]
            argv += ["--description", description] if description else []
            done = self._run(*argv, check=False)
            if done.code != 0 and _OURS.search(done.stderr):
                done = self._run(*argv, "--force-conflicts", check=False)
            self._refuse(done, "upgrade")
        finally:
            Path(name).unlink()

    def rollback(self, revision: int) -> None:
        """Back to a revision: the objects as they were, and what was switched since is switched back."""
        self._refuse(self._run("rollback", self.release, str(revision), check=False), "rollback")

    def uninstall(self, *, seconds: float = SECONDS) -> None:
        """Remove the release and wait until its objects are gone; nothing happens if there is none."""
        argv = ("uninstall", self.release, "--ignore-not-found", "--wait", "--timeout", f"{int(seconds)}s")
        self._refuse(self._run(*argv, check=False, seconds=seconds + 10), "uninstall")

    def history(self) -> list[ReleaseState]:
        """Every revision that is kept; empty if there is no release."""
        answer = self._run("history", self.release, "--output", "json", check=False)
        if answer.code != 0 and "not found" in answer.stderr:
            return []
        self._refuse(answer, "history")
        return [
            ReleaseState(
                int(each["revision"]),
                str(each["status"]),
                datetime.fromisoformat(str(each["updated"])),
                str(each.get("description", "")),
            )
            for each in json.loads(answer.stdout or "[]")
        ]

    def _run(self, *arguments: str, check: bool, seconds: float = SECONDS) -> Completed:
        where = ("--namespace", self.namespace, *(("--kube-context", self.context) if self.context else ()))
        # Colours and notices of new versions are not for programs.
        quiet = {"NO_COLOR": "1", "HELM_MAX_HISTORY": "10"}
        return run([program(), *arguments, *where], timeout=seconds, check=check, environment=quiet, keep=None)

    def _refuse(self, done: Completed, verb: str) -> None:
        if done.code == 0:
            return
        tried = f"helm {verb} {self.release} in {self.namespace}"
        seen = (done.stderr or done.stdout).strip()[-1500:]
        if "another operation" in seen:
            raise BusyError(tried, seen, "Wait for it to end.")
        if "unreachable" in seen or "connection refused" in seen:
            raise UnreachableError(tried, seen)
        if any(each in seen for each in ("values don't meet", "execution error", "forbidden", "schema")):
            raise ConfigurationError(tried, seen, "Correct `kubernetes.values` of the spec, or what the text names.")
        raise CommandFailed(tried, seen)
