"""Load that is made elsewhere: workers over connections, as pods of a Deployment are, merged without loss."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import psutil
import pytest

from ecom_platform.clients.line_streams import AT_WORK, LineServer
from ecom_platform.errors import PreflightError
from ecom_platform.load.generator import Progress, run_load
from ecom_platform.load.judge import judge_requests
from ecom_platform.load.plan import steady
from ecom_platform.verdicts import Outcome, worst
from tests.load.target import OK, Target
from tests.shop.server import free_port
from tests.waiting import wait_until


@contextmanager
def worker_pod() -> Iterator[tuple[str, psutil.Process]]:
    """A process as in a pod of its own: its address."""
    command = [sys.executable, "-m", "ecom_platform.load.worker_pod", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            port = process.stderr.readline().split()[-1]
            yield f"127.0.0.1:{port}", psutil.Process(process.pid)
        finally:
            for each in psutil.Process(process.pid).children() if process.poll() is None else ():
                each.kill()
            process.kill()


@pytest.fixture(scope="module")
def pods() -> Iterator[list[tuple[str, psutil.Process]]]:
    with ExitStack() as stack:
        yield [stack.enter_context(worker_pod()) for _ in range(2)]


@pytest.mark.alone
def test_the_histograms_of_workers_elsewhere_are_merged_without_loss(
    target: Target, pods: list[tuple[str, psutil.Process]]
) -> None:
    plan = steady(f"{target.url}/ok", 300, 2, contains=OK.decode())
    result = run_load(plan, workers=[address for address, _ in pods])
    assert (result.processes, result.requests, result.errors, result.faults) == (2, 600, 0, ())
    # The next run may come at once, as in a comparison: the worker's process may not have ended yet.
    again = run_load(steady(f"{target.url}/ok", 50, 0.5), workers=[address for address, _ in pods])
    assert (again.requests, again.faults) == (25, ())
    assert result.latencies().count == 600
    assert len(result.generator_cpu) == 2
    verdicts = judge_requests(result, p95_ms=2000, error_rate=0.01, requests_per_second=300)
    assert worst(verdicts) is Outcome.PASSED, verdicts


@pytest.mark.alone
def test_a_worker_that_is_gone_in_the_middle_makes_the_run_inconclusive(target: Target) -> None:
    with worker_pod() as one, worker_pod() as other:

        def kill(seen: Progress) -> None:
            if seen.seconds > 0.5 and other[1].is_running():
                for each in (*other[1].children(), other[1]):
                    each.kill()

        result = run_load(steady(f"{target.url}/ok", 200, 2), workers=[one[0], other[0]], progress=kill)
    assert result.requests == 200
    (fault,) = result.faults
    assert other[0] in fault
    assert worst(judge_requests(result, p95_ms=500, error_rate=0.01, requests_per_second=200)) is Outcome.INCONCLUSIVE


def test_a_worker_that_nobody_answers_for_is_named() -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    with pytest.raises(PreflightError, match=nowhere):
        run_load(steady("http://127.0.0.1:1/", 100, 1), workers=[nowhere])


@contextmanager
def server(code: str) -> Iterator[int]:
    found = LineServer([sys.executable, "-c", code], 0, patience=0.3)
    serving = threading.Thread(target=found.serve)
    serving.start()
    try:
        yield found.port
    finally:
        found.close()
        serving.join(10)


def said(port: int, line: str, then: Callable[[], None] = lambda: None) -> str:
    """What the program at that port answers; then: done before its connection ends."""
    with socket.create_connection(("127.0.0.1", port)) as one, one.makefile("rw") as lines:
        lines.write(line + "\n")
        lines.flush()
        answer = lines.readline().strip()
        then()
    return answer


def test_one_run_at_a_time_and_a_probe_of_the_port_starts_nothing() -> None:
    with server("import sys; print(sys.stdin.readline(), end='', flush=True); sys.stdin.read()") as port:
        socket.create_connection(("127.0.0.1", port)).close()
        refused: list[str] = []
        assert said(port, "first", lambda: refused.append(said(port, "me too"))) == "first"
        assert refused == [AT_WORK]
        # The program ends with its connection, and the next one may come.
        wait_until(lambda: said(port, "next") == "next", seconds=20, what="the worker is free again")


def test_a_program_that_fails_says_why() -> None:
    with server("import sys; sys.stdin.readline(); sys.exit('no room')") as port:
        assert said(port, "go") == "exit code 1: no room"
