"""The door to supervisord: its files, its start, and XML-RPC over its Unix socket.

Goes here: how a program is written down for supervisord, and what it says about one.
Not here: which programs there are, in what order they start, and when they are ready.
"""

from __future__ import annotations

import http.client
import json
import os
import shlex
import socket
import sys
import xmlrpc.client
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ecom_platform.clients import launcher
from ecom_platform.clients.commands import run
from ecom_platform.errors import CommandFailed, UnreachableError

START_SECONDS = 30
"""supervisord listens within half a second; a machine under load may need many times that."""

ANSWER_SECONDS = 20
"""supervisord answers in a millisecond; one that is stopped or hangs counts as down after this time."""

LOG_BYTES, LOG_FILES = 5_000_000, 2
"""A part's log, and how many older ones: at most 15 MB for each part."""

ALIVE = frozenset({"STARTING", "RUNNING"})
_NO_SUCH_NAME, _NOT_RUNNING, _ALREADY_STARTED, _STILL_RUNNING, _ALREADY_ADDED = 10, 70, 60, 91, 90


@dataclass(frozen=True, slots=True)
class Program:
    """What supervisord runs. argv[0]: absolute path. environment: added to supervisord's own.

    account: the user to run as, for root only. stop_signal: without SIG. stop_seconds: then SIGKILL.
    stop_group: the signal goes to all its processes, not to the first only.
    alone: a new copy ends what a killed one left. about: kept beside it for its owner's use.
    """

    name: str
    argv: tuple[str, ...]
    folder: str
    environment: Mapping[str, str] = field(default_factory=dict)
    account: str | None = None
    stop_signal: str = "TERM"
    stop_seconds: int = 10
    stop_group: bool = False
    alone: bool = False
    about: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProcessState:
    """state: STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL or UNKNOWN.

    pid: None when there is no process (supervisord itself then says 0, which to kill() means
    one's own process group). since: Unix time of its start. seen: supervisord's own words.
    """

    state: str
    pid: int | None
    since: float
    seen: str

    @property
    def alive(self) -> bool:
        return self.state in ALIVE


@dataclass(frozen=True, slots=True)
class ProgramFiles:
    """The folder with two files a program: NAME.json for the launcher, NAME.conf for supervisord."""

    folder: Path
    logs: Path

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def write(self, program: Program) -> bool:
        """True if that changed anything. The .conf is written last and alone makes the program exist."""
        content = json.dumps(asdict(program), indent=1, sort_keys=True)
        definition, config = self.folder / f"{program.name}.json", self.folder / f"{program.name}.conf"
        if config.exists() and definition.exists() and definition.read_text(encoding="utf-8") == content:
            return False
        replace_text(definition, content)
        replace_text(config, self._config(program, definition))
        return True

    def remove(self, name: str) -> None:
        for ending in (".conf", ".json"):
            (self.folder / f"{name}{ending}").unlink(missing_ok=True)

    def read(self) -> dict[str, Program]:
        """All programs that exist, by name."""
        found = {}
        for config in sorted(self.folder.glob("*.conf")):
            content = json.loads(config.with_suffix(".json").read_text(encoding="utf-8"))
            found[content["name"]] = Program(**{**content, "argv": tuple(content["argv"])})
        return found

    def _config(self, program: Program, definition: Path) -> str:
        command = [sys.executable, "-I", "-S", launcher.__file__, str(definition)]
        lines = {
            "command": shlex.join(command),
            "autostart": "false",  # `ecom up` starts in order; the services need the database
            "autorestart": "true",
            "startsecs": 1,
            "startretries": 20,  # each waits one second longer: 3.5 minutes in all
            "stopsignal": program.stop_signal,
            "stopwaitsecs": program.stop_seconds,
            "stopasgroup": str(program.stop_group).lower(),
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": str(self.log(program.name)),
            "stdout_logfile_maxbytes": LOG_BYTES,
            "stdout_logfile_backups": LOG_FILES,
        }
        return _section(f"program:{program.name}", lines)


def daemon_config(state: Path, socket: Path, files: ProgramFiles) -> str:
    """supervisord's own configuration: it listens on the socket (mode 600) alone and includes the programs."""
    daemon: dict[str, object] = {
        "logfile": files.logs / "supervisord.log",
        "logfile_maxbytes": 1_000_000,
        "logfile_backups": 1,
        "pidfile": socket.with_suffix(".pid"),
        "childlogdir": files.logs,
        "directory": state,
        "umask": "077",
        "nocleanup": "true",
    }
    if os.geteuid() == 0:
        daemon["user"] = "root"  # said aloud, or supervisord warns
    return "\n".join(
        (
            _section("unix_http_server", {"file": socket, "chmod": "0600"}),
            _section("supervisord", daemon),
            _section(
                "rpcinterface:supervisor",
                {"supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"},
            ),
            # Relative to this file, because supervisord splits the value at spaces.
            _section("include", {"files": f"{files.folder.name}/*.conf"}),
        )
    )


def _section(name: str, lines: Mapping[str, object]) -> str:
    # supervisord expands %(name)s in values.
    return "\n".join([f"[{name}]", *(f"{key} = {str(value).replace('%', '%%')}" for key, value in lines.items()), ""])


def replace_text(path: Path, content: str) -> None:
    """The file with that content, mode 600; readers see the old or the new, never a part."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(content)
    scratch.replace(path)


class Supervisor:
    """One supervisord, running or not. Methods raise UnreachableError when it does not answer."""

    def __init__(self, config: Path, socket: Path) -> None:
        self.config = config
        self.socket = socket

    @property
    def server_url(self) -> str:
        """What its children find in SUPERVISOR_SERVER_URL."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start it in the background; it listens when this returns. Raises CommandFailed if it ended."""
        run([sys.executable, "-m", "supervisor.supervisord", "-c", self.config], timeout=START_SECONDS, check=True)

    def pid(self) -> int | None:
        """Its process number, or None if nothing answers at the socket."""
        if not self.socket.exists():
            return None
        try:
            return int(self._call("getPID"))
        except UnreachableError:
            return None

    def states(self) -> dict[str, ProcessState]:
        """Every program that it knows."""
        return {each["name"]: _state(each) for each in self._call("getAllProcessInfo")}

    def state(self, name: str) -> ProcessState:
        return _state(self._call("getProcessInfo", name))

    def add(self, name: str) -> None:
        """Take in the program's file as it is now; the program must not run."""
        self._call("reloadConfig")
        self._call("removeProcessGroup", name, accepted=(_NO_SUCH_NAME,))
        self._call("addProcessGroup", name, accepted=(_ALREADY_ADDED,))

    def forget(self, name: str) -> None:
        """The program must not run."""
        self._call("removeProcessGroup", name, accepted=(_NO_SUCH_NAME,))

    def begin(self, name: str) -> None:
        """Start the program, without waiting."""
        self._call("startProcess", name, False, accepted=(_ALREADY_STARTED,))

    def end(self, name: str) -> None:
        """Send the stop signal, without waiting."""
        self._call("stopProcess", name, False, accepted=(_NOT_RUNNING, _NO_SUCH_NAME))

    def kill(self, name: str) -> None:
        """SIGKILL to the program's first process; supervisord starts it again."""
        self._call("signalProcess", name, "KILL", accepted=(_NOT_RUNNING,))

    def shutdown(self) -> None:
        """End it and what still runs, without waiting."""
        self._call("shutdown")

    def _call(self, method: str, *arguments: object, accepted: tuple[int, ...] = ()) -> Any:
        with self._proxy(method) as proxy:
            try:
                return getattr(proxy.supervisor, method)(*arguments)
            except xmlrpc.client.Fault as fault:
                if fault.faultCode in accepted:
                    return None
                what = " ".join(["ask supervisord:", method, *(str(each) for each in arguments)])
                raise CommandFailed(what, f"fault {fault.faultCode}: {fault.faultString}"[:500]) from fault

    @contextmanager
    def _proxy(self, method: str) -> Iterator[Any]:
        transport = _SocketTransport(self.socket)
        try:
            # The address is not used: the transport goes to the socket.
            yield xmlrpc.client.ServerProxy("http://supervisord", transport=transport)
        except (OSError, http.client.HTTPException, xmlrpc.client.ProtocolError) as error:
            raise UnreachableError(
                f"ask supervisord: {method}", f"{type(error).__name__}: {error}", "Run `ecom up`."
            ) from error
        finally:
            transport.close()


class _SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket, with a deadline; supervisor's own client has none."""

    def __init__(self, path: Path) -> None:
        super().__init__("supervisord", timeout=ANSWER_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(ANSWER_SECONDS)
        try:
            self.sock.connect(str(self._path))
        except OSError:
            self.close()
            raise


class _SocketTransport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self._socket_connection = _SocketConnection(path)

    def make_connection(self, host: object) -> http.client.HTTPConnection:
        del host
        return self._socket_connection

    def close(self) -> None:
        self._socket_connection.close()


def _state(info: Mapping[str, Any]) -> ProcessState:
    seen = info["spawnerr"] or info["description"]
    if info["statename"] == "EXITED":
        seen = f"exit code {info['exitstatus']}"
    return ProcessState(info["statename"], info["pid"] or None, float(info["start"]), seen)
