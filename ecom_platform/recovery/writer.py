"""Places real orders through the shop's front door all through a drill, at a bounded pace, and keeps the ledger.

Each order has a key of its own and is tried once: what was not acknowledged stays so, and the ledger can say exactly
what became of it. Not here: what that means (ledger.py).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Condition, Event, Thread
from typing import Any

from ecom_platform.clients.web import Answer, Session, session
from ecom_platform.errors import DeadlineExceeded, PermanentError, UnreachableError
from ecom_platform.recovery import ledger_file
from ecom_platform.recovery.ledger import Attempt

SECONDS = 3.0
"""How long one request may take: a shop that answers later than that does not serve."""

MOST_ORDERS = 50_000
"""A drill that is forgotten ends its writing by itself: at 10 orders a second after an hour and a half."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where and how fast. address: of the front door; prefix: of the orders' keys, unique to the drill."""

    address: str
    prefix: str
    per_second: float


class Writer:
    """Reads of its counters are safe from other threads."""

    def __init__(self, place: Place, ledger: ledger_file.LedgerFile, now: Callable[[], float]) -> None:
        self._place, self._ledger, self._now = place, ledger, now
        self._ended, self._changed = Event(), Condition()
        self._answered: list[Attempt] = []
        self._number, self._address = 0, place.address
        self._bearer: dict[str, str] = {}
        self._error: Exception | None = None
        self.last_refusal = "nothing was refused"

    # Seen from outside

    def wait_for(self, count: int, *, since: float, seconds: float) -> Attempt:
        """The count-th acknowledged order among those begun at or after `since`; waits for it.

        Raises DeadlineExceeded with the last refusal when it does not come in time.
        """
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                found = [each for each in self._answered if each.began >= since]
                if len(found) >= count:
                    return found[count - 1]
                self.refuse_broken()
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    raise DeadlineExceeded(
                        f"wait for {count} orders", f"{len(found)} in {seconds:g} s; last refusal: {self.last_refusal}"
                    )

    def refuse_broken(self) -> None:
        """Raises PermanentError if the writer ended before it was told to."""
        if self._error is not None:
            raise PermanentError("write orders", f"the writer ended: {self._error}") from self._error

    # The thread

    def run(self) -> None:
        try:
            while self._goes_on():
                address = self._address
                with session(address, seconds=SECONDS) as door:
                    self._orders(door, address)
        except Exception as error:  # noqa: BLE001  # told by whoever waits for orders, and by close()
            self._error = error
        with self._changed:
            self._changed.notify_all()

    def _goes_on(self) -> bool:
        return self._number < MOST_ORDERS and not self._ended.is_set()

    def _orders(self, door: Session, address: str) -> None:
        """One after the other, until the end or until the shop is somewhere else."""
        due = time.monotonic()
        while self._goes_on() and self._address == address and not self._ended.wait(max(0.0, due - time.monotonic())):
            due = max(due + 1 / self._place.per_second, time.monotonic() - SECONDS)
            self._order(door)

    def redirect(self, address: str) -> None:
        """The shop is at another address from now on, as after a change of its name's record."""
        self._address = address

    def close(self) -> None:
        self._ended.set()

    def _order(self, door: Session) -> None:
        try:
            filled = self._bearer and self._fill_cart(door)
            if not filled:
                self._sign_up(door)
                filled = self._fill_cart(door)
        except UnreachableError as error:
            self.last_refusal = error.seen
            return
        if filled:
            self._check_out(door)

    def _sign_up(self, door: Session) -> None:
        """A new customer: the first one, or after a recovery that lost the one before."""
        content = {
            "email": f"drill-{uuid.uuid4().hex}@example.com",
            "password": uuid.uuid4().hex,
            "name": "Drill",
        }
        answer = door.send("POST", "/api/signup", content=content)
        token = _field(answer, "token")
        self._bearer = {"Authorization": f"Bearer {token}"} if answer.status == 201 and token else {}
        if not self._bearer:
            self.last_refusal = f"sign-up: {answer.status} {answer.text[:100]}"

    def _fill_cart(self, door: Session) -> bool:
        listed = door.get("/api/products?limit=20")
        products = [each for each in (_field(listed, "products") or []) if each.get("stock", 0) > 0]
        if not products:
            self.last_refusal = f"product list: {listed.status} {listed.text[:100]}"
            return False
        product = products[self._number % len(products)]["id"]
        answer = door.send("PUT", f"/api/cart/items/{product}", content={"quantity": 1}, headers=self._bearer)
        if answer.status == 401:
            self._bearer = {}
        if answer.status != 200:
            self.last_refusal = f"cart: {answer.status} {answer.text[:100]}"
        return answer.status == 200

    def _check_out(self, door: Session) -> None:
        self._number += 1
        attempt = Attempt(self._number, f"{self._place.prefix}{self._number:06d}", self._now())
        self._ledger.begun(attempt)
        headers = self._bearer | {"Idempotency-Key": attempt.key}
        try:
            answer = door.send("POST", "/api/checkout", content={}, headers=headers)
        except UnreachableError as error:
            self.last_refusal = error.seen
            return
        order = _field(answer, "order_id")
        if answer.status != 201 or not isinstance(order, int):
            self.last_refusal = f"checkout: {answer.status} {answer.text[:100]}"
            return
        attempt = replace(attempt, acknowledged=self._now(), order=order)
        self._ledger.acknowledged(attempt)
        with self._changed:
            self._answered.append(attempt)
            self._changed.notify_all()


def _field(answer: Answer, name: str) -> Any:
    content = answer.json()
    return content.get(name) if isinstance(content, dict) else None


@contextmanager
def writing(place: Place, path: Path, now: Callable[[], float]) -> Iterator[Writer]:
    """Orders come during the block; afterwards the ledger at `path` is whole. Raises what ended the writer."""
    with ledger_file.opened(path) as ledger:
        writer = Writer(place, ledger, now)
        thread = Thread(target=writer.run, name="drill-writer", daemon=True)
        thread.start()
        try:
            yield writer
        finally:
            writer.close()
            thread.join()
    writer.refuse_broken()
