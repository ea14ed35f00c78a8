"""`ecom bench --target`: what it prints and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.load.target import OK, Target
from tests.shop.server import free_port


def _bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ecom_platform.cli", "bench", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def _json(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.alone
def test_it_measures_any_address_and_prints_json(target: Target) -> None:
    done = _bench(
        "--target", f"{target.url}/ok", "--rate", "300", "--duration", "2s", "--contains", OK.decode(), "--json"
    )
    assert done.returncode == 0, done.stderr + done.stdout
    found = _json(done)
    assert (found["requests"], found["errors"], found["achieved_rate"]) == (600, 0, 300)
    assert 0 < found["latency_ms"]["p50"] <= found["latency_ms"]["p95"] <= found["latency_ms"]["p99"]
    assert found["latency_ms"]["p99"] <= found["latency_ms"]["max"]
    assert found["verdict"] == "passed"
    assert "answered" in done.stderr


@pytest.mark.alone
def test_for_people_it_prints_a_table_and_the_verdicts(target: Target) -> None:
    done = _bench("--target", f"{target.url}/ok", "--rate", "500", "--duration", "1s", "--arrivals", "poisson")
    assert done.returncode == 0, done.stderr + done.stdout
    assert "p95 ms" in done.stdout
    assert "passed        p95 stays below 500 ms" in done.stdout


@pytest.mark.alone
def test_a_limit_that_is_broken_ends_with_1(target: Target) -> None:
    done = _bench("--target", f"{target.url}/slow/100", "--rate", "300", "--duration", "1s", "--p95-ms", "50", "--json")
    assert done.returncode == 1
    assert _json(done)["verdict"] == "failed"


def test_nothing_that_listens_ends_with_1_and_names_the_cause() -> None:
    done = _bench("--target", f"http://127.0.0.1:{free_port()}", "--duration", "1s", "--json")
    assert done.returncode == 1
    assert "Connection refused" in _json(done)["error_examples"]["refused"]


def test_too_few_requests_end_with_3(target: Target) -> None:
    done = _bench("--target", f"{target.url}/ok", "--rate", "20", "--duration", "1s", "--json")
    assert done.returncode == 3
    assert _json(done)["verdict"] == "inconclusive"


def test_usage_ends_with_2(target: Target) -> None:
    for arguments, complaint in (
        (("--target", "ftp://127.0.0.1"), "no http(s) address"),
        (("--target", target.url, "--duration", "soon"), "no duration"),
        (("--target", target.url, "--rate", "0"), "not in the range"),
        (("--rate", "10"), "needs --target"),
        (("--target", target.url, "--rate", "nan"), "nan is no number"),
        (("--target", target.url, "--error-rate", "nan"), "nan is no number"),
        (("--target", "http://[::1"), "no http(s) address"),
        (("--target", "http://127.0.0.1:99999"), "no http(s) address"),
        (("--target", "http://user:secret@127.0.0.1"), "holds a user or a password"),
    ):
        done = _bench(*arguments)
        assert done.returncode == 2
        assert complaint in done.stderr
        assert "Traceback" not in done.stderr
        assert "secret" not in done.stderr
