"""Requests of customers who keep their connections: every one that got no good answer is counted."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.waiting import wait_until


@dataclass(frozen=True)
class Reply:
    """began: monotonic seconds when it was sent. said: what /version said, or empty."""

    began: float
    ended: float
    status: int
    said: dict[str, str]
    problem: str = ""


@dataclass
class Customers:
    """replies: in the order in which they came."""

    replies: list[Reply] = field(default_factory=list)

    @property
    def lost(self) -> list[Reply]:
        return [each for each in self.replies if each.status not in (200, 201)]

    def wait_for(self, count: int) -> None:
        """Until that many more replies came."""
        target = len(self.replies) + count
        wait_until(lambda: len(self.replies) >= target, seconds=30, what=f"{count} more replies")


@contextmanager
def customers(address: str, count: int = 8) -> Iterator[Customers]:
    """That many send one request after the other during the block: GETs, slow GETs and POSTs."""
    seen, over = Customers(), threading.Event()
    threads = [threading.Thread(target=_customer, args=(address, seen, over, number)) for number in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join(30)


def _customer(address: str, seen: Customers, over: threading.Event, number: int) -> None:
    where = urlsplit(address).netloc
    connection = http.client.HTTPConnection(where, timeout=10)
    turn = number
    while not over.is_set():
        turn += 1
        seen.replies.append(_request(connection, turn))
    connection.close()


def _request(connection: http.client.HTTPConnection, turn: int) -> Reply:
    began = time.monotonic()
    try:
        if turn % 5 == 0:
            connection.request("POST", "/orders", body=b"x" * 1000)
        else:
            connection.request("GET", "/slow?ms=100" if turn % 17 == 0 else "/version")
        answer = connection.getresponse()
        body = answer.read()
        return Reply(began, time.monotonic(), answer.status, json.loads(body) if body else {})
    except (OSError, http.client.HTTPException, ValueError) as error:
        connection.close()
        return Reply(began, time.monotonic(), 0, {}, f"{type(error).__name__}: {error}")
