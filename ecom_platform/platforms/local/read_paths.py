"""One copy of a service outside all colours, against another database, for as long as a block takes.

It belongs to the process that asked: the kernel ends it with that process, so a verification that is
killed leaves nothing. Not here: the database.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ecom_platform.clients.child import Child
from ecom_platform.clients.child import started as child_started
from ecom_platform.clients.postgres_server import free_port
from ecom_platform.clients.supervisor import Program
from ecom_platform.clients.web import session
from ecom_platform.errors import CommandFailed, DeadlineExceeded, UnreachableError
from ecom_platform.settings import ROOT
from ecom_platform.spec import Service


@contextmanager
def started(service: Service, command: tuple[str, ...], environment: Mapping[str, str], folder: Path) -> Iterator[str]:
    """The copy's URL, when it is ready. Raises CommandFailed with its log's end if it does not start."""
    name, port = f"{service.name}-read-path-{secrets.token_hex(3)}", free_port()
    own = {"HOST": "127.0.0.1", "PORT": str(port), "INSTANCE": name}
    program = Program(name, command, str(ROOT), {**environment, **own})
    url = f"http://127.0.0.1:{port}"
    with child_started(program, folder) as child:
        _wait(service, child, url)
        yield url


def _wait(service: Service, child: Child, url: str) -> None:
    seconds = service.probes.start_timeout.total_seconds()
    deadline = time.monotonic() + seconds
    tried = f"start {service.name} against another database"
    while not _ready(service, url):
        if (code := child.ended()) is not None:
            raise CommandFailed(tried, f"it ended with {code}; its log ends:\n{child.tail()}")
        if time.monotonic() > deadline:
            raise DeadlineExceeded(tried, f"not ready after {seconds:g} s; its log ends:\n{child.tail()}")
        time.sleep(0.05)


def _ready(service: Service, url: str) -> bool:
    try:
        with session(url, seconds=2) as client:
            return client.get(service.probes.ready).status == 200
    except UnreachableError:
        return False
