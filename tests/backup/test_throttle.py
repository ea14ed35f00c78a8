"""A throttled reader is never faster than its rate, also after it had to wait for something else."""

from __future__ import annotations

import time

import pytest

from ecom_platform.backup import throttle


class Clock:
    """Time that passes only when somebody sleeps, so that the test measures no machine."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(throttle, "time", found)
    return found


def test_bytes_pass_at_the_rate(clock: Clock) -> None:
    passed = throttle.throttle(1000)
    for _ in range(20):
        passed(100)
    assert clock.now == pytest.approx(102.0)


def test_a_pause_is_not_made_up_for_by_a_burst(clock: Clock) -> None:
    passed = throttle.throttle(1000)
    passed(100)
    clock.now += 60
    began = clock.now
    for _ in range(20):
        passed(100)
    assert clock.now - began == pytest.approx(2.0)


def test_without_a_rate_nothing_waits() -> None:
    passed = throttle.throttle(None)
    began = time.monotonic()
    for _ in range(1000):
        passed(1 << 30)
    assert time.monotonic() - began < 5
