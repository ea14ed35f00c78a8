"""The load engine against real servers that behave, misbehave, stop, or are not there."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import psutil
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from ecom_platform.errors import ConfigurationError
from ecom_platform.load.generator import Progress, run_load
from ecom_platform.load.judge import judge_requests
from ecom_platform.load.plan import steady
from ecom_platform.load.results import LoadResult
from ecom_platform.verdicts import Outcome, Verdict, worst
from tests.load.runs import outcome, true_p99_ms
from tests.load.target import OK, Target, running_target
from tests.shop.server import free_port


def _verdicts(result: LoadResult, rate: float) -> list[Verdict]:
    return judge_requests(result, p95_ms=500, error_rate=0.01, requests_per_second=rate)


def _workers() -> list[psutil.Process]:
    """The worker processes that this process has now."""
    return [each for each in psutil.Process().children() if "ecom_platform.load.worker" in each.cmdline()]


def _at(seconds: float, act: Callable[[], None]) -> Callable[[Progress], None]:
    """A progress callback that acts once, when the run is that far."""
    done = False

    def tell(progress: Progress) -> None:
        nonlocal done
        if progress.seconds >= seconds and not done:
            done = True
            act()

    return tell


@pytest.mark.alone
def test_every_planned_request_is_sent_once_and_counted_once_by_two_processes(target: Target) -> None:
    result = run_load(steady(f"{target.url}/ok", 300, 2, processes=2, contains=OK.decode()))
    assert (result.planned, result.started, result.requests, result.errors) == (600, 600, 600, 0)
    assert result.latencies().count == result.services().count == 600
    assert result.achieved_rate == 300
    assert len(result.generator_cpu) == 2
    assert result.usage
    assert worst(_verdicts(result, 300)) is Outcome.PASSED
    assert not _workers()


@pytest.mark.parametrize(
    ("path", "kind", "share"),
    [
        ("/status/503", "status_503", 1.0),
        ("/status/302", "status_302", 1.0),
        ("/every/4/500", "status_500", 0.25),
        ("/hangup", "closed", 1.0),
        ("/short", "broken_answer", 1.0),
        ("/ok", "wrong_content", 1.0),
    ],
)
def test_errors_are_counted_by_kind(target: Target, path: str, kind: str, share: float) -> None:
    contains = "another body" if path == "/ok" else ""
    result = run_load(steady(target.url + path, 100, 0.8, contains=contains))
    assert result.errors_by_kind == {kind: pytest.approx(80 * share, abs=1)}
    assert result.examples[kind]
    assert outcome(_verdicts(result, 100), "go wrong") is Outcome.FAILED


@pytest.mark.alone
@pytest.mark.parametrize("path", ["/silent", "/drip"])
def test_a_request_without_an_end_is_a_timeout_and_its_waiting_time_is_its_latency(target: Target, path: str) -> None:
    result = run_load(steady(target.url + path, 100, 1, timeout=0.5))
    assert result.errors_by_kind == {"timeout": 100}
    found = result.percentiles()
    assert found.p50 is not None
    assert found.p50 == pytest.approx(500, rel=0.3)
    assert outcome(_verdicts(result, 100), "go wrong") is Outcome.FAILED


@pytest.mark.alone
def test_slow_answers_are_waited_for_by_everybody_at_once(target: Target) -> None:
    result = run_load(steady(f"{target.url}/slow/700", 150, 2))
    assert result.errors == 0
    p50 = result.percentiles().p50
    assert p50 is not None
    # One after the other on a few connections would take many times as long.
    assert p50 == pytest.approx(700, rel=0.25)
    assert outcome(_verdicts(result, 150), "p95") is Outcome.FAILED


def test_a_server_that_closes_after_each_answer_makes_no_error(target: Target) -> None:
    result = run_load(steady(f"{target.url}/close", 100, 1))
    assert (result.requests, result.errors_by_kind) == (100, {})


def test_nothing_that_listens_fails_and_names_the_cause() -> None:
    address = f"127.0.0.1:{free_port()}"
    result = run_load(steady(f"http://{address}/", 100, 0.8))
    assert result.errors_by_kind == {"refused": 80}
    reached = _verdicts(result, 100)[0]
    assert reached.outcome is Outcome.FAILED
    assert f"Connection refused, connecting to {address}" in reached.seen


def test_a_name_without_an_address_fails_and_names_the_cause() -> None:
    result = run_load(steady("http://no-such-shop.invalid/", 100, 1))
    assert result.requests == 0
    reached = _verdicts(result, 100)[0]
    assert reached.outcome is Outcome.FAILED
    assert "no-such-shop.invalid" in reached.seen


def test_a_load_test_without_a_request_is_inconclusive(target: Target) -> None:
    result = run_load(steady(f"{target.url}/ok", 0.5, 1, processes=2))
    assert result.requests <= 1
    assert worst(_verdicts(result, 0.5)) is Outcome.INCONCLUSIVE


def _stalled_run(stall: float, rate: int, seconds: int) -> tuple[LoadResult, float]:
    """A run in which the target stops once, and for how long it really did."""
    lasted: list[float] = []

    def freeze(server: Target) -> None:
        server.stop_it()
        began = time.monotonic()
        time.sleep(stall)  # the fault itself
        server.go_on()
        lasted.append(time.monotonic() - began)

    with running_target() as server:
        freezer = threading.Thread(target=freeze, args=(server,))
        result = run_load(steady(f"{server.url}/ok", rate, seconds), progress=_at(1.0, freezer.start))
        freezer.join()
    return result, lasted[0]


@pytest.mark.alone
def test_a_stall_counts_for_everybody_who_would_have_come() -> None:
    rate, seconds = 500, 5
    for _ in range(3):
        result, lasted = _stalled_run(1.4, rate, seconds)
        assert (result.requests, result.errors) == (rate * seconds, 0)
        assert outcome(_verdicts(result, rate), "p95") is not Outcome.PASSED
        # A machine that is busy with other things delays the target too; then the truth is not the schedule's.
        if result.generator["lag_ms"]["p99"] < 25:
            break
    p99 = result.percentiles().p99
    assert p99 is not None
    assert p99 == pytest.approx(true_p99_ms(rate=rate, requests=rate * seconds, stall=lasted), rel=0.05)


def test_a_target_that_dies_is_neither_waited_for_nor_forgiven() -> None:
    with running_target() as server:
        began = time.monotonic()
        result = run_load(steady(f"{server.url}/ok", 200, 3, timeout=2), progress=_at(1.0, server.process.kill))
        assert time.monotonic() - began < 20
    assert result.requests == 600
    assert result.errors_by_kind["refused"] > 250
    assert outcome(_verdicts(result, 200), "go wrong") is Outcome.FAILED


def test_a_generator_that_cannot_keep_up_says_so_and_proves_nothing(target: Target) -> None:
    began = time.monotonic()
    result = run_load(steady(f"{target.url}/ok", 60_000, 1, timeout=2))
    assert time.monotonic() - began < 30
    assert result.planned == 60_000
    assert result.started < result.planned or result.late > result.started * 0.05
    verdicts = _verdicts(result, 60_000)
    assert outcome(verdicts, "kept its schedule") is Outcome.INCONCLUSIVE
    assert Outcome.PASSED not in {each.outcome for each in verdicts[1:]}


@pytest.mark.alone
def test_a_generator_that_was_held_up_says_so_and_proves_nothing(target: Target) -> None:
    def hold_up() -> None:
        (worker,) = _workers()
        worker.suspend()
        time.sleep(1.2)  # the fault itself
        worker.resume()

    result = run_load(steady(f"{target.url}/ok", 200, 4), progress=_at(1.0, hold_up))
    assert (result.requests, result.errors) == (800, 0)
    assert result.late > 150
    assert worst(_verdicts(result, 200)) is Outcome.INCONCLUSIVE


def test_a_worker_that_is_killed_makes_the_run_inconclusive(target: Target) -> None:
    def kill_one() -> None:
        _workers()[0].kill()

    result = run_load(steady(f"{target.url}/ok", 200, 2, processes=2), progress=_at(0.5, kill_one))
    assert result.requests == 200
    assert result.faults == ("worker 0: killed by signal 9",)
    assert worst(_verdicts(result, 200)) is Outcome.INCONCLUSIVE


def test_a_run_that_is_interrupted_leaves_no_worker(target: Target) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_load(steady(f"{target.url}/ok", 50, 30), progress=_at(0.5, interrupt))
    assert not _workers()


def test_workers_end_when_nobody_is_left_to_hear_them(target: Target) -> None:
    code = (
        "from ecom_platform.load.generator import run_load; from ecom_platform.load.plan import steady; "
        f"run_load(steady('{target.url}/ok', 50, 60), progress=lambda seen: print(seen.started, flush=True))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline()
        (worker,) = psutil.Process(parent.pid).children()
    finally:
        parent.kill()
        parent.communicate()
    worker.wait(20)  # psutil raises when it still runs


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate that nobody signed but its owner, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "shop")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(("insecure", "errors"), [(False, {"tls": 30}), (True, {})])
def test_a_certificate_that_nobody_signed_is_refused_unless_allowed(
    certificate: Path, *, insecure: bool, errors: dict[str, int]
) -> None:
    with running_target(certificate) as server:
        result = run_load(steady(f"{server.url}/ok", 50, 0.6, insecure=insecure))
    assert (result.requests, result.errors_by_kind) == (30, errors)


@pytest.mark.parametrize(
    ("address", "rate", "seconds"),
    [
        ("ftp://127.0.0.1", 1, 1),
        ("127.0.0.1:80", 1, 1),
        ("http://user:secret@127.0.0.1", 1, 1),
        ("http://127.0.0.1", 0, 1),
        ("http://127.0.0.1", 1, 86_400),
        ("http://127.0.0.1", 1e9, 10),
    ],
)
def test_a_plan_without_bounds_or_address_is_refused(address: str, rate: float, seconds: float) -> None:
    with pytest.raises(ConfigurationError) as raised:
        steady(address, rate, seconds)
    assert "secret" not in str(raised.value)
