"""The process of a request ledger: `python -m ecom_platform.load.ledger_worker`, spoken to by lines of JSON.

In: the order; then a line, or the end of its input, to stop. Out: {"ready": true}, {"answers": [...]} ten times
a second, {"end": how many were sent}. Bounded by the order's seconds, whatever its parent does.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import gevent
import gevent.socket
from gevent.event import Event

from ecom_platform.load.connections import Address, Broken, Connection, resolve
from ecom_platform.load.plan import steady
from ecom_platform.load.scenarios import Answer, Request

SAY_SECONDS = 0.1
IDENTITY = ("instance", "colour", "version")


class Client:
    """Sends numbered requests, each at its time whether or not those before it were answered."""

    def __init__(self, address: Address, order: dict[str, Any]) -> None:
        self._address = address
        self._requests = [(Request(path, path), contains.encode()) for path, contains in order["paths"]]
        self._rate, self._seconds = float(order["rate"]), float(order["seconds"])
        self._timeout, self._fresh = float(order["timeout"]), bool(order["fresh"])
        self._idle: list[Connection] = []
        self.stopped = Event()
        self.seen: list[list[Any]] = []
        self.sent = 0

    def run(self) -> None:
        """Send until stopped or the time is over, and wait for what is under way."""
        start, under_way = time.monotonic(), []
        while not self.stopped.is_set():
            due = start + self.sent / self._rate
            if due > start + self._seconds:
                break
            wait = due - time.monotonic()
            if wait > 0:
                self.stopped.wait(wait)
                continue
            under_way.append(gevent.spawn(self._ask, self.sent, due))
            self.sent += 1
            if self.sent % 32 == 0:
                gevent.sleep(0)
                under_way = [each for each in under_way if not each.dead]
        gevent.joinall(under_way)

    def _ask(self, number: int, due: float) -> None:
        place = number % len(self._requests)
        request, contains = self._requests[place]
        began, status, said, problem = time.monotonic(), 0, {}, ""
        connection = self._idle.pop() if self._idle and not self._fresh else Connection(self._address)
        try:
            with gevent.Timeout(max(0.001, due + self._timeout - began)):
                answer = connection.ask(request)
            status, said, problem = answer.status, _identity(answer), _wrong(answer, contains)
        except Broken as broken:
            problem = f"{broken.kind}: {broken}"
        except gevent.Timeout:
            problem = f"timeout: no answer within {self._timeout:g} s"
            connection.close()
        self._keep(connection)
        known = [said.get(name) or "" for name in IDENTITY]
        self.seen.append([number, place, due, began, time.monotonic(), status, *known, problem])

    def _keep(self, connection: Connection) -> None:
        if self._fresh:
            connection.close()
        else:
            self._idle.append(connection)


def _identity(answer: Answer) -> dict[str, Any]:
    try:
        content = json.loads(answer.body) if answer.body[:1] == b"{" else {}
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _wrong(answer: Answer, contains: bytes) -> str:
    if answer.status != 200:
        return f"status {answer.status}: {answer.body[:120].decode(errors='replace')}"
    return "" if contains in answer.body else f"the answer does not hold {contains.decode()!r}"


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _tell(client: Client) -> None:
    while True:
        gevent.sleep(SAY_SECONDS)
        _hand_over(client)


def _hand_over(client: Client) -> None:
    if client.seen:
        answers, client.seen = client.seen, []
        _say({"answers": answers})


def _stop_when_told(client: Client) -> None:
    gevent.socket.wait_read(sys.stdin.fileno())
    client.stopped.set()


def main() -> None:
    order = json.loads(sys.stdin.readline())
    client = Client(resolve(steady(order["target"], order["rate"], order["seconds"])), order)
    gevent.spawn(_stop_when_told, client)
    teller = gevent.spawn(_tell, client)
    _say({"ready": True})
    client.run()
    teller.kill()
    _hand_over(client)
    _say({"end": client.sent})


if __name__ == "__main__":
    main()
