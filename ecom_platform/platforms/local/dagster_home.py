"""Dagster on this machine: its home with dagster.yaml, three processes that share one code server, and the exporter
of the platform's metrics, which reads what they recorded.

One explicit code server: the webserver and the daemon would each start one of their own. Nothing
here imports Dagster; it is started, and asked over HTTP.
"""

from __future__ import annotations

import hashlib
import math
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ecom_platform.clients.processes import accepts
from ecom_platform.clients.supervisor import Program, replace_text
from ecom_platform.clients.web import session
from ecom_platform.errors import UnreachableError
from ecom_platform.platforms.local.layout import Layout, make_private
from ecom_platform.platforms.local.parts import Part
from ecom_platform.platforms.local.ports import Ports
from ecom_platform.settings import ROOT, Settings

CODE, WEBSERVER, DAEMON, METRICS = "code-location", "webserver", "daemon", "metrics"
DOORS = (WEBSERVER, METRICS)
"""Those that have a port."""
LOCATION = "ecom_platform"
MODULE = ("--module-name", "ecom_platform.definitions", "--attribute", "defs", "--use-python-environment-entry-point")

INSTANCE: Mapping[str, object] = {
    "telemetry": {"enabled": False},
    "nux": {"enabled": False},
    "freshness": {"enabled": True},
    "run_queue": {"dequeue_interval_seconds": 1},  # the default of 5 s is most of a short run
    # A pool without a limit limits nothing; one dump of a database at a time.
    "concurrency": {"pools": {"default_limit": 1}, "runs": {"max_concurrent_runs": 4}},
    "run_launcher": {"module": "ecom_platform.run_launcher", "class": "LocalRunLauncher"},
    "run_monitoring": {
        "enabled": True,
        "start_timeout_seconds": 120,
        "poll_interval_seconds": 10,
        "free_slots_after_run_end_seconds": 10,
    },
    "retention": {"schedule": {"purge_after_days": 90}, "sensor": {"purge_after_days": {"skipped": 7}}},
}

_HEALTH = """
query { workspaceOrError { __typename ... on Workspace { locationEntries { loadStatus
    locationOrLoadError { __typename ... on PythonError { message } } } } ... on PythonError { message } }
  instance { daemonHealth { allDaemonStatuses { required healthy } } } }
"""


class _Health:
    """What the webserver says of the instance; asked at most every 0.2 s, for it costs the webserver 30 ms."""

    def __init__(self) -> None:
        self._at = -math.inf
        self._said: dict[str, Any] = {}

    def of(self, address: str) -> dict[str, Any]:
        if time.monotonic() - self._at > 0.2:
            self._said = self._ask(address)
            self._at = time.monotonic()
        return self._said

    def _ask(self, address: str) -> dict[str, Any]:
        try:
            with session(address, seconds=5) as client:
                answer = client.send("POST", "/graphql", content={"query": _HEALTH}).json()
        except UnreachableError:
            return {}
        return (answer or {}).get("data") or {}


_RELOAD = """
mutation ($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) { __typename } }
"""


@dataclass(frozen=True)
class DagsterHome:
    """The Dagster instance of one shop."""

    layout: Layout
    ports: Ports
    _asked: _Health = field(default_factory=_Health)

    def write(self) -> Path:
        """The home, with its dagster.yaml."""
        make_private(self.layout.dagster)
        content = "# Written on every start; changes are lost.\n" + yaml.safe_dump(dict(INSTANCE), sort_keys=False)
        replace_text(self.layout.dagster / "dagster.yaml", content)
        return self.layout.dagster

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.ports.of(WEBSERVER)}"

    def parts(self, settings: Settings) -> tuple[Part, ...]:
        """The code location of these settings' specs, and what shows and runs it."""
        workspace = self.layout.dagster / "workspace.yaml"
        socket = str(self.layout.code_socket)
        code = ("dagster", "api", "grpc", "--socket", socket, "--location-name", LOCATION, *MODULE)
        web = ("dagster_webserver", "--host", "127.0.0.1", "--port", str(self.ports.of(WEBSERVER)))
        daemon = ("dagster._daemon", "run")
        shown = ("--workspace", str(workspace))
        return (
            Part(
                self._program(CODE, code, settings),
                ready=lambda: accepts(self.layout.code_socket),
                before=self._prepare,
            ),
            Part(
                self._program(WEBSERVER, (*web, *shown), settings),
                ready=self._shows_code,
                after=(CODE,),
                before=self._refuse_taken,
            ),
            Part(self._program(DAEMON, (*daemon, *shown), settings), ready=self._daemon_beats, after=(CODE,)),
            self._metrics(settings),
        )

    def _metrics(self, settings: Settings) -> Part:
        """Beside Dagster and not in it, so that it can say that a daemon is dead."""
        port = str(self.ports.of(METRICS))
        command = ("ecom_platform.cli", "--spec", str(settings.specs[0]), "metrics", "--tell", "--port", port)
        return Part(
            self._program(METRICS, command, settings),
            ready=self._metrics_answer,
            # Dagster's storage is made by the webserver; two that make it at once get in each other's way.
            after=(WEBSERVER,),
            before=lambda: self.ports.refuse_taken(METRICS),
            essential=False,
        )

    @property
    def metrics_address(self) -> str:
        return f"http://127.0.0.1:{self.ports.of(METRICS)}"

    def _metrics_answer(self) -> bool:
        try:
            with session(self.metrics_address, seconds=5) as client:
                return client.get("/healthz").status == 200
        except UnreachableError:
            return False

    def _program(self, name: str, module: tuple[str, ...], settings: Settings) -> Program:
        environment = {
            "DAGSTER_HOME": str(self.layout.dagster),
            "ECOM_SPEC": ":".join(str(each) for each in settings.specs),
            "ECOM_ENVIRONMENT": settings.environment,
            "ECOM_STATE": str(settings.state),
        }
        # A changed spec is another program, so that `ecom up` loads it.
        about = {
            str(each): hashlib.sha256(each.read_bytes()).hexdigest()
            for each in settings.specs
            if name in (CODE, METRICS)
        }
        argv = (sys.executable, "-m", *module)
        return Program(name, argv, str(ROOT), environment, stop_group=True, stop_seconds=10, about=about)

    def _refuse_taken(self) -> None:
        self.ports.refuse_taken(WEBSERVER)

    def _prepare(self) -> None:
        self.write()
        self.layout.code_socket.unlink(missing_ok=True)
        location = {"socket": str(self.layout.code_socket), "host": "localhost", "location_name": LOCATION}
        workspace = {"load_from": [{"grpc_server": location}]}
        replace_text(self.layout.dagster / "workspace.yaml", yaml.safe_dump(workspace))
        self._stale.touch()

    @property
    def _stale(self) -> Path:
        """Is there while the webserver may still show what the code server before this one had."""
        return self.layout.dagster / "workspace.stale"

    def _shows_code(self) -> bool:
        """The webserver answers, and has loaded the code location."""
        if self._stale.exists() and not self._reloaded():
            return False
        entries = (self._health().get("workspaceOrError") or {}).get("locationEntries") or []
        return bool(entries) and all(
            (each["locationOrLoadError"] or {}).get("__typename") == "RepositoryLocation" for each in entries
        )

    def _reloaded(self) -> bool:
        """The webserver has read the code location anew; it would notice by itself, some time later."""
        answer = self._ask(_RELOAD, {"name": LOCATION}).get("reloadRepositoryLocation") or {}
        if answer.get("__typename") != "WorkspaceLocationEntry":
            return False
        self._stale.unlink(missing_ok=True)
        return True

    def _daemon_beats(self) -> bool:
        """Every daemon that is required has sent a heartbeat of late."""
        health = ((self._health().get("instance") or {}).get("daemonHealth") or {}).get("allDaemonStatuses") or []
        return bool(health) and all(each["healthy"] for each in health if each["required"])

    def _health(self) -> dict[str, Any]:
        return self._ask(_HEALTH, {})

    def _ask(self, query: str, variables: Mapping[str, str]) -> dict[str, Any]:
        """The data of the answer; empty while there is none."""
        try:
            with session(self.address, seconds=20) as client:
                content = {"query": query, "variables": dict(variables)}
                answer = client.send("POST", "/graphql", content=content).json()
        except UnreachableError:
            return {}
        return (answer or {}).get("data") or {}
