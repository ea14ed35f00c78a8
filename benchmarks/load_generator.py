"""Goals: one generator process holds 3,000 requests/s by schedule; p99 is within 5 % of the truth when the target
stops for 1.4 s in a run of 10 s at 1,000 requests/s.

The fast target is Caddy with a fixed answer, on the other core. The stall is a real one, by SIGSTOP; the truth
is computed from the schedule and from how long the target was really stopped.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ecom_platform.load.generator import Progress, run_load
from ecom_platform.load.judge import why_behind
from ecom_platform.load.plan import steady
from tests.load.runs import true_p99_ms
from tests.load.target import Target, running_target
from tests.shop.programs import Program, until
from tests.shop.server import free_port

GOAL_RATE = 3000
RATES = (3000, 6000, 9000)
SECONDS = 10.0
ROUNDS = 3  # of the stall; the median counts
STALL_SECONDS, STALL_RATE, GOAL_ERROR = 1.4, 1000, 0.05

_CADDYFILE = """{
    admin off
    auto_https off
    persist_config off
}
http://127.0.0.1:%d {
    respond `{"products":[],"next_offset":null}` 200
}
"""


@contextmanager
def fast_target() -> Iterator[str]:
    """Caddy that answers at once, at a free port."""
    with tempfile.TemporaryDirectory() as folder:
        port, config = free_port(), Path(folder) / "Caddyfile"
        config.write_text(_CADDYFILE % port)
        caddy = Path(sys.executable).parent / "caddy"
        command = [str(caddy), "run", "--adapter", "caddyfile", "--config", str(config)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            program = Program(process, f"http://127.0.0.1:{port}", config)
            until(lambda: program.status("/") == 200, "Caddy answers")
            yield program.url
        finally:
            process.kill()
            process.wait()


def capacity() -> list[dict[str, Any]]:
    """How well one process keeps schedules of several rates."""
    found = []
    with fast_target() as url:
        for rate in RATES:
            result = run_load(steady(url, rate, SECONDS))
            found.append(
                {
                    "rate": rate,
                    "achieved_rate": result.achieved_rate,
                    "errors": result.errors,
                    "kept": not why_behind(result),
                    "cpu_cores": round(result.generator_cpu[0], 2),
                    "lag_ms": result.generator["lag_ms"],
                    "latency_ms": result.percentiles().as_dict(),
                }
            )
    return found


def stall() -> dict[str, Any]:
    """What is reported of a target that stops, beside the truth."""
    lasted: list[float] = []

    def freeze(target: Target) -> None:
        target.stop_it()
        began = time.monotonic()
        time.sleep(STALL_SECONDS)
        target.go_on()
        lasted.append(time.monotonic() - began)

    with running_target() as target:
        freezer = threading.Thread(target=freeze, args=(target,))

        def begin(progress: Progress) -> None:
            if progress.seconds > 3 and not freezer.ident:
                freezer.start()

        result = run_load(steady(f"{target.url}/ok", STALL_RATE, SECONDS), progress=begin)
        freezer.join()
    truth = true_p99_ms(rate=STALL_RATE, requests=result.planned, stall=lasted[0])
    reported = result.percentiles().p99 or 0.0
    return {
        "true_p99_ms": round(truth, 1),
        "reported_p99_ms": reported,
        "off_by": round(abs(reported / truth - 1), 4),
        "requests": result.requests,
        "errors": result.errors,
    }


def main() -> int:
    rates, stalls = capacity(), [stall() for _ in range(ROUNDS)]
    off_by = statistics.median(each["off_by"] for each in stalls)
    held = rates[0]["kept"] and rates[0]["achieved_rate"] >= GOAL_RATE * 0.99 and not rates[0]["errors"]
    met = held and off_by <= GOAL_ERROR
    print(
        json.dumps(
            {"one_process": rates, "goal_rate": GOAL_RATE, "stalls": stalls, "off_by": off_by, "met": met}, indent=2
        )
    )
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
