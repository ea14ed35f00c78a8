"""Who may drive a release: one process at a time, by a lease in the document, with a token as its fence.

Every write of a driver is refused once somebody else has taken the lease, so a driver that was stopped for a
while ends at its next step. A driver that is dead is seen at once on its own machine, elsewhere after a minute.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psutil

from ecom_platform.errors import BusyError, EcomError, UnreachableError
from ecom_platform.platforms.protocol import Conflict, Document
from ecom_platform.release.state import Lease, State, age_seconds, parsed

RENEW_SECONDS = 5.0
LEASE_SECONDS = 60.0
"""A driver on another machine that has not renewed for so long is dead; clocks may differ by half of it."""
WRITES = 50
"""How often a write is tried again that others come before; each of them writes once in seconds."""

PATIENCE_SECONDS = 60.0
"""How long an API that does not answer is asked again; then the driver ends, and the release waits for the next."""
AGAIN_SECONDS = 1.0

Change = Callable[[State], State]


class Fenced(BusyError):
    """Somebody else has taken the release over; this driver must end."""


def host() -> str:
    """This machine as it runs now: a reboot makes it another one, and so is each container."""
    boot = "/proc/sys/kernel/random/boot_id"
    try:
        with open(boot, encoding="ascii") as file:  # noqa: PTH123  # a file of the kernel
            return f"{socket.gethostname()}/{file.read().strip()}"
    except OSError:
        return socket.gethostname()


def why_held(lease: Lease, now: datetime) -> str:
    """In words, by whom it is held; empty if its holder is dead."""
    told = f"{lease.holder} since {lease.since:%Y-%m-%d %H:%M:%S} UTC"
    if lease.host == host():
        try:
            same = abs(psutil.Process(lease.pid).create_time() - lease.started) < 1.0
        except psutil.NoSuchProcess:
            return ""
        return told if same else ""
    return told if age_seconds(lease.renewed, now) < LEASE_SECONDS else ""


def written(document: Document, change: Change) -> State:
    """The state after the change, made to whatever it is now; others may write meanwhile.

    A write whose answer did not come is looked for before it is tried again: it may have happened.
    """
    deadline, pending = time.monotonic() + PATIENCE_SECONDS, ""
    for _ in range(WRITES):
        try:
            text, revision = document.read()
            if pending and text == pending:
                return parsed(text)
            state = parsed(text)
            after = change(state)
            if after == state:
                return state
            after = after.model_copy(update={"revision": state.revision + 1})
            pending = after.model_dump_json()
            document.write(pending, revision)
        except Conflict:
            continue
        except UnreachableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(AGAIN_SECONDS)
            continue
        return after
    raise BusyError("write the state of the release", f"others came before it {WRITES} times", "Try again.")


class Held:
    """A lease that is held; every write of its holder goes through here."""

    def __init__(self, document: Document, token: str) -> None:
        self._document = document
        self._token = token
        self._writing = threading.Lock()
        self.asked = threading.Event()
        """Somebody asks for something, or the lease is lost: what is under way should end soon."""

    def write(self, change: Change) -> State:
        """Raises Fenced when the lease is somebody else's."""

        def guarded(state: State) -> State:
            if state.lease is None or state.lease.token != self._token:
                raise Fenced("go on with the release", "somebody else has taken it over")
            now = datetime.now(UTC)
            return change(state).model_copy(update={"lease": state.lease.model_copy(update={"renewed": now})})

        with self._writing:
            after = written(self._document, guarded)
        if after.ask is not None:
            self.asked.set()
        return after

    def read(self) -> State:
        return parsed(self._document.read()[0])

    def keep(self, over: threading.Event) -> None:
        """Renew until it is over; an API that does not answer is asked again. Looks out for what is asked."""
        turn = 0
        while not over.wait(1.0):
            turn += 1
            try:
                if turn % int(RENEW_SECONDS) == 0:
                    self.write(lambda state: state)
                elif self.read().ask is not None:
                    self.asked.set()
            except Fenced:
                self.asked.set()
                return
            except EcomError:
                continue  # the driver's own writes tell what is wrong


@contextmanager
def leased(document: Document, who: str) -> Iterator[Held]:
    """Hold the lease during the block. Raises BusyError that says by whom it is held and since when."""
    token = secrets.token_hex(8)
    now = datetime.now(UTC)
    lease = Lease(
        token=token,
        holder=f"{who}, process {os.getpid()} on {socket.gethostname()}",
        host=host(),
        pid=os.getpid(),
        started=psutil.Process().create_time(),
        since=now,
        renewed=now,
    )

    def take(state: State) -> State:
        held = why_held(state.lease, datetime.now(UTC)) if state.lease else ""
        if held:
            version = state.journal.release.version if state.journal else "-"
            raise BusyError(
                "drive a release",
                f"{version} is driven by {held}",
                "Follow it with `ecom release status`, or `ecom release abort`.",
            )
        return state.model_copy(update={"lease": lease, "ask": None})

    written(document, take)
    held, over = Held(document, token), threading.Event()
    keeper = threading.Thread(target=held.keep, args=(over,), daemon=True, name="release lease")
    keeper.start()
    try:
        yield held
    finally:
        over.set()
        keeper.join()
        written(document, lambda state: _let_go(state, token))


def _let_go(state: State, token: str) -> State:
    mine = state.lease is not None and state.lease.token == token
    return state.model_copy(update={"lease": None, "ask": None}) if mine else state
