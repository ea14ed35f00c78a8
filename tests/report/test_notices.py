"""Notices go to real HTTP receivers on this machine."""

from __future__ import annotations

import io
import json
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread

import pytest

from ecom_platform.clients.notices import Throttle, notify
from ecom_platform.errors import ConfigurationError, TransientError

# apprise loads a module of the standard library that Python 3.13 no longer has.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")
TOKEN = "t0ken-of-the-target"
NOW = datetime(2026, 3, 14, 15, 9, tzinfo=UTC)


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """All that reaches the root logger, from debug on. (pytest's own capture also takes what does not reach it.)"""
    text, root = io.StringIO(), logging.getLogger()
    handler, level = logging.StreamHandler(text), root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


@dataclass
class Receiver:
    """An HTTP server that keeps what it was sent. answer: its status. hold: it answers when that is set."""

    answer: int = 200
    hold: Event | None = None
    got: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def target(self) -> str:
        return f"json://user:{TOKEN}@127.0.0.1:{self.port}/{TOKEN}"


@contextmanager
def receiving(receiver: Receiver) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append(json.loads(text))
            if receiver.hold:
                receiver.hold.wait(30)
            self.send_response(receiver.answer)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.port = server.server_port
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield receiver
    finally:
        if receiver.hold:
            receiver.hold.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_notice_reaches_every_target() -> None:
    with receiving(Receiver()) as one, receiving(Receiver()) as two:
        notify([one.target, two.target], "backup failed", "shop: the store does not answer")
    for receiver in (one, two):
        assert [(each["title"], each["message"]) for each in receiver.got] == [
            ("backup failed", "shop: the store does not answer")
        ]


def test_without_targets_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[object] = []
    real = socket.socket.connect

    def connect(sending: socket.socket, address: object) -> None:
        connected.append(address)
        real(sending, address)  # type: ignore[arg-type]  # as it came

    monkeypatch.setattr(socket.socket, "connect", connect)
    notify([], "backup failed", "shop")
    assert connected == []
    with receiving(Receiver()) as seen:
        notify([seen.target], "backup failed", "shop")
    assert connected == [("127.0.0.1", seen.port)], "what is sent would be noticed"


def test_a_refusal_is_transient_and_names_the_target_by_place_without_its_token(
    logged: io.StringIO,
) -> None:
    refused = pytest.raises(TransientError, match=r"target 2 \(JSON\).*403")
    with receiving(Receiver()) as good, receiving(Receiver(answer=403)) as bad, refused as caught:
        notify([good.target, bad.target], "backup failed", "shop")
    assert len(good.got) == 1, "the other target has the notice all the same"
    assert TOKEN not in f"{caught.value!r} {caught.value} {logged.getvalue()}"


def test_a_receiver_that_is_not_there_is_transient_and_its_token_stays_secret() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        target = f"json://user:{TOKEN}@127.0.0.1:{closed.getsockname()[1]}/{TOKEN}?note=a%20{TOKEN}"
        with pytest.raises(TransientError, match="1 of 1 targets") as caught:
            notify([target], "backup failed", "shop")
    assert TOKEN not in f"{caught.value!r} {caught.value}"


def test_a_receiver_that_never_answers_costs_no_more_than_the_time_given() -> None:
    with receiving(Receiver(hold=Event())) as slow:
        began = time.monotonic()
        with pytest.raises(TransientError, match="did not finish"):
            notify([slow.target], "backup failed", "shop", timeout=0.5)
        assert time.monotonic() - began < 3


def test_a_target_that_is_no_apprise_url_is_found_before_anything_is_sent(logged: io.StringIO) -> None:
    with receiving(Receiver()) as good, pytest.raises(ConfigurationError, match="target 2 of 2") as caught:
        notify([good.target, f"nowhere://{TOKEN}"], "backup failed", "shop")
    assert good.got == []
    assert TOKEN not in f"{caught.value!r} {caught.value} {logged.getvalue()}"


def test_the_same_notice_is_due_once_per_window_and_says_how_many_were_kept_back() -> None:
    throttle = Throttle(timedelta(hours=1))
    assert throttle.due("backup", NOW)
    throttle = throttle.after_sending("backup", NOW)
    later = NOW + timedelta(minutes=59)
    assert not throttle.due("backup", later)
    assert throttle.due("restore", later), "another notice is not held back"
    throttle = throttle.after_holding("backup").after_holding("backup")
    assert throttle.kept_back("backup") == 2
    assert throttle.due("backup", NOW + timedelta(hours=1))
    assert throttle.after_sending("backup", NOW + timedelta(hours=1)).kept_back("backup") == 0


def test_a_notice_that_could_not_be_sent_is_due_again() -> None:
    throttle = Throttle(timedelta(hours=1))
    assert throttle.due("backup", NOW)
    assert throttle.due("backup", NOW + timedelta(seconds=1)), "after_sending was not called"


def test_a_clock_that_went_backwards_does_not_silence() -> None:
    throttle = Throttle(timedelta(hours=1)).after_sending("backup", NOW)
    assert throttle.due("backup", NOW - timedelta(days=365))


def test_the_throttle_survives_being_written_down_and_forgets_what_is_over() -> None:
    throttle = Throttle(timedelta(hours=1)).after_sending("backup", NOW).after_holding("backup")
    again = Throttle.from_json(throttle.to_json(), timedelta(hours=1))
    assert again == throttle
    assert Throttle.from_json(None, timedelta(hours=1)).due("backup", NOW)
    later = again.after_sending("restore", NOW + timedelta(hours=2))
    assert set(later.sent) == {"restore"}
    assert later.held == {}
