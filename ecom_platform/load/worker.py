"""A worker process of the load generator: `python -m ecom_platform.load.worker`, spoken to by lines of JSON.

In: the plan; when everything is ready, {"go": T} with T of the monotonic clock, which all processes of a
machine share, or {"go_in": SECONDS} from another machine. Out: {"ready": ...}, {"progress": ...} every half second,
{"result": ...} at the end. Everything that decides is elsewhere.
"""

from __future__ import annotations

import contextlib
import gc
import json
import math
import os
import resource
import sys
import time
from typing import Any

import gevent
import gevent.socket
import locust  # noqa: F401  # first, because it makes blocking calls cooperative
from locust import log

from ecom_platform.load.connections import Broken, resolve
from ecom_platform.load.crew import SWEEP_SECONDS, Crew
from ecom_platform.load.pacing import intended_starts
from ecom_platform.load.plan import LoadPlan
from ecom_platform.load.recorder import Recorder
from ecom_platform.load.scenarios import journeys_of

AT_ONCE = 32
"""Arrivals that are started without a pause when several are due; then the loop may read answers."""
OVERRUN_SECONDS = 1.0
"""How long after the schedule's end a generator that is behind goes on; the rest was never started."""
PROGRESS_SECONDS = 0.5
NICENESS = -10
SPARE_FILES = 64  # file descriptors that are not connections


def main() -> None:
    # Where it is allowed: a generator that waits for its turn measures this machine, not the target.
    with contextlib.suppress(PermissionError):
        os.nice(NICENESS)
    order = json.loads(sys.stdin.readline())
    plan, part = LoadPlan.from_dict(order["plan"]), int(order["part"])
    recorder = Recorder(start=0.0, duration=plan.schedule.seconds)
    try:
        address = resolve(plan)
    except Broken as broken:
        _say({"unresolved": str(broken)})
        return
    share = plan.rate / plan.processes
    crew = Crew(
        address,
        journeys_of(plan, part),
        recorder,
        rate=share,
        visitors=max(1, math.ceil(share * plan.think)),
        users=_most_users(plan, share),
        patience=plan.timeout,
    )
    # Enough for answers of 50 ms: the first arrivals should not all wait for handshakes.
    crew.prepare(4 + math.ceil(share * 0.05))
    _say({"ready": part})
    # What is there now stays; without it every collection walks over all of Locust.
    gc.collect()
    gc.freeze()
    recorder.start = _start(json.loads(sys.stdin.readline()))
    gevent.spawn(_end_with_parent)
    _run(plan, part, crew, recorder)


def _start(order: dict[str, float]) -> float:
    """By this process's clock. From another machine it is late by the order's way there: milliseconds."""
    return order["go"] if "go" in order else time.monotonic() + order["go_in"]


def _most_users(plan: LoadPlan, share: float) -> int:
    """As many as can be in flight at once (rate x timeout), as far as the plan and this machine allow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = plan.most_connections + SPARE_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    allowed = plan.most_connections if soft == resource.RLIM_INFINITY else max(1, soft - SPARE_FILES)
    return max(1, min(math.ceil(share * plan.timeout) + 1, plan.most_connections, allowed))


def _run(plan: LoadPlan, part: int, crew: Crew, recorder: Recorder) -> None:
    cpu = time.process_time()
    teller = gevent.spawn(_tell, recorder)
    sweeper = gevent.spawn(_sweep, crew)
    planned = _pace(plan, part, crew, recorder)
    busy = (time.process_time() - cpu) / max(0.001, time.monotonic() - recorder.start)
    sweeper.kill()
    # Every arrival has its own end; the margin is for the loop that has to notice it.
    crew.sweep_until(time.monotonic() + plan.timeout + 2.0)
    teller.kill()
    unfinished = crew.give_up()
    if unfinished or log.unhandled_greenlet_exception:
        # Locust logs what goes wrong in a listener and goes on; a result with holes is none.
        sys.exit(f"{unfinished} requests have no result")
    _say({"result": {**recorder.as_dict(), "planned": planned, "cpu": busy}})


def _pace(plan: LoadPlan, part: int, crew: Crew, recorder: Recorder) -> int:
    """Hand over each arrival at its time, or as soon after as this process can; how many there were to be."""
    start, clock = recorder.start, time.monotonic
    give_up = start + plan.schedule.seconds + OVERRUN_SECONDS
    in_a_row = 0
    offsets = intended_starts(plan.schedule, part=part, parts=plan.processes)
    for offset in offsets:
        due = start + offset
        wait = due - clock()
        if wait > 0:
            gevent.sleep(wait)
            in_a_row = 0
        elif in_a_row >= AT_ONCE:
            gevent.sleep(0)
            in_a_row = 0
        in_a_row += 1
        now = clock()
        if now > give_up:
            return recorder.started + 1 + sum(1 for _ in offsets)
        recorder.arrival(due, now)
        crew.offer(due)
    return recorder.started


def _sweep(crew: Crew) -> None:
    while True:
        crew.sweep()
        gevent.sleep(SWEEP_SECONDS)


def _end_with_parent() -> None:
    """Nobody would read the result: load without a judge must not go on."""
    gevent.socket.wait_read(sys.stdin.fileno())
    os._exit(1)


def _tell(recorder: Recorder) -> None:
    while True:
        gevent.sleep(PROGRESS_SECONDS)
        _say({"progress": recorder.progress()})


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
