"""Runs a load plan: starts the worker processes, gives them one start, and merges what they saw.

The parent measures nothing of a request itself. It bounds the run in time, whatever a worker does.
"""

from __future__ import annotations

import json
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from ecom_platform.clients.line_programs import LineGroup, LinePrograms
from ecom_platform.clients.line_streams import LineStreams
from ecom_platform.load.histograms import Latencies, merged
from ecom_platform.load.plan import LoadPlan
from ecom_platform.load.resources import Sampler, ThisMachine, Usage
from ecom_platform.load.results import LoadResult, merge_classes

READY_SECONDS = 60.0
"""Importing Locust takes a second of CPU; sixteen workers on two busy cores take half a minute."""
LEAD_SECONDS = 0.1
"""From the last ready worker to the first arrival: every worker has read its start by then."""
MARGIN_SECONDS = 10.0
"""What a worker may take beyond schedule and timeout, to write its result; then it is killed."""
SAMPLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. seconds: of `duration`; counts of all workers together."""

    seconds: float
    duration: float
    started: int
    finished: int
    errors: int


@dataclass
class _Run:
    """What the workers have said so far, by worker."""

    plan: LoadPlan
    ready: set[int] = field(default_factory=set)
    counts: dict[int, Mapping[str, int]] = field(default_factory=dict)
    results: dict[int, dict[str, Any]] = field(default_factory=dict)
    unresolved: dict[int, str] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)
    usage: list[Usage] = field(default_factory=list)

    def hear(self, worker: int, text: str | None) -> None:
        if text is None:
            self.ended.add(worker)
            return
        said = json.loads(text)
        if "ready" in said:
            self.ready.add(worker)
        elif "progress" in said:
            self.counts[worker] = said["progress"]
        elif "unresolved" in said:
            self.unresolved[worker] = said["unresolved"]
        elif "result" in said:
            self.results[worker] = said["result"]

    def progress(self, seconds: float) -> Progress:
        total = {name: sum(each[name] for each in self.counts.values()) for name in ("started", "finished", "errors")}
        return Progress(seconds, self.plan.schedule.seconds, **total)


def run_load(
    plan: LoadPlan,
    *,
    progress: Callable[[Progress], None] = lambda _progress: None,
    sampler: Sampler | None = None,
    workers: Sequence[str] = (),
) -> LoadResult:
    """Run the plan to its end, at the latest its seconds plus its timeout plus READY and MARGIN.

    progress: called about twice a second. sampler: default this machine. workers: host:port of worker_pod.py, one for
    each part of the plan; by default processes of this machine. Raises PreflightError when the workers cannot be
    started; whatever the target does is in the result.
    """
    plan = replace(plan, run=plan.run or uuid.uuid4().hex[:12], processes=len(workers) or plan.processes)
    sampler = sampler or ThisMachine()
    run = _Run(plan)
    with _begun(plan, workers) as group:
        for part, worker in enumerate(group.programs):
            worker.send(json.dumps({"plan": plan.as_dict(), "part": part}))
        _listen(group, run, time.monotonic() + READY_SECONDS, until=lambda: len(run.ready | run.ended))
        started_at = datetime.now(UTC)
        if len(run.ready) == plan.processes:
            _drive(group, run, progress, sampler)
        faults = [f"worker {part}: {why}" for part, why in _faults(group, run).items()]
    return _result(run, started_at, sampler.of, tuple(faults))


def _begun(plan: LoadPlan, workers: Sequence[str]) -> LineGroup:
    return (
        LineStreams(workers)
        if workers
        else LinePrograms([sys.executable, "-m", "ecom_platform.load.worker"], plan.processes)
    )


def _drive(workers: LineGroup, run: _Run, progress: Callable[[Progress], None], sampler: Sampler) -> None:
    start = time.monotonic() + LEAD_SECONDS
    for worker in workers.programs:
        # Another machine has another monotonic clock.
        worker.send(json.dumps({"go": start} if worker.pid else {"go_in": start - time.monotonic()}))
    sampler.begin([worker.pid for worker in workers.programs if worker.pid])
    schedule_end = start + run.plan.schedule.seconds
    next_sample = start + min(SAMPLE_SECONDS, run.plan.schedule.seconds)

    def tick() -> None:
        nonlocal next_sample
        now = time.monotonic()
        progress(run.progress(now - start))
        # After the schedule's end the target rests, and its idleness would flatter the mean.
        if next_sample <= now and next_sample <= schedule_end:
            next_sample += SAMPLE_SECONDS
            usage = sampler.sample()
            run.usage += [usage] if usage else []

    deadline = schedule_end + run.plan.timeout + MARGIN_SECONDS
    _listen(workers, run, deadline, until=lambda: len(run.results.keys() | run.ended), tick=tick)


def _listen(
    workers: LineGroup,
    run: _Run,
    deadline: float,
    *,
    until: Callable[[], int],
    tick: Callable[[], None] = lambda: None,
) -> None:
    """Hear the workers until all of them are counted by `until`, or the deadline; tick twice a second."""
    next_tick = time.monotonic() + 0.5
    while until() < run.plan.processes and (now := time.monotonic()) < deadline:
        line = workers.next_line(min(deadline, next_tick) - now)
        if line is not None:
            run.hear(line.program, line.text)
        if time.monotonic() >= next_tick:
            tick()
            next_tick += 0.5


def _faults(workers: LineGroup, run: _Run) -> dict[int, str]:
    """Workers without a result, and why; a target without an address is no fault of a worker."""
    missing = set(range(run.plan.processes)) - run.results.keys() - run.unresolved.keys()
    if not missing or run.unresolved:
        return {}
    return {
        part: workers.programs[part].ending() or "no result" if part in run.ended else "no result in time, killed"
        for part in sorted(missing)
    }


def _result(run: _Run, started_at: datetime, usage_of: str, faults: tuple[str, ...]) -> LoadResult:
    plan, parts = run.plan, [run.results[worker] for worker in sorted(run.results)]
    seconds: dict[int, int] = {}
    for second, count in (pair for part in parts for pair in part["answers_by_second"]):
        seconds[second] = seconds.get(second, 0) + count
    examples: dict[str, str] = {"unresolved": next(iter(run.unresolved.values()))} if run.unresolved else {}
    for part in parts:
        examples = part["examples"] | examples
    return LoadResult(
        run=plan.run,
        target=plan.target,
        scenario=plan.scenario,
        started_at=started_at,
        duration=plan.schedule.seconds,
        seconds=max((part["seconds"] for part in parts), default=0.0),
        processes=plan.processes,
        timeout=plan.timeout,
        planned=sum(part["planned"] for part in parts),
        started=sum(part["started"] for part in parts),
        in_time=sum(part["in_time"] for part in parts),
        late=sum(part["late"] for part in parts),
        crowded=sum(part["crowded"] for part in parts),
        lag=merged(Latencies.decode(part["lag"]) for part in parts).encode(),
        generator_cpu=tuple(part["cpu"] for part in parts),
        classes=merge_classes(parts),
        examples=examples,
        answers_by_second=tuple(sorted(seconds.items())),
        faults=faults,
        usage_of=usage_of,
        usage=tuple(run.usage),
    )
