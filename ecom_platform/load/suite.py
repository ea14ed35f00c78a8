"""The benchmark suite: the load test, ApacheBench, growing rates up to the first limit, resource use through it all,
and a dated folder with the figures and what follows from them.

Goes here: the order of the work and the folder. Not here: judgement (judge.py), advice (advice.py), the page
(report/bench_page.py).
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ecom_platform.load import apache_bench
from ecom_platform.load.advice import RampStep
from ecom_platform.load.gate import CHECKS, plan_of
from ecom_platform.load.generator import run_load
from ecom_platform.load.judge import judge
from ecom_platform.load.plan import steady
from ecom_platform.load.resources import Sampler, Usage
from ecom_platform.load.results import LoadResult, rule_of_three
from ecom_platform.platforms.protocol import Platform
from ecom_platform.spec import Load, Shop
from ecom_platform.verdicts import Verdict

FACTORS = (1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
"""Times the spec's rate. The first that breaks a limit is the last that is tried."""
STEP_SECONDS = 4.0
"""Of a step: with 100 requests/s and more enough for a p95 and a share of errors of 1 %."""
RATE_OF_A_PROCESS = 2500.0
SAMPLE_SECONDS = 0.5


@dataclass(frozen=True)
class Suite:
    """Everything that was seen. usage: by phase, in seconds since the phase began."""

    shop: str
    result: LoadResult
    verdicts: Mapping[str, Verdict]
    ab: tuple[apache_bench.AbRun, ...]
    ramp: tuple[RampStep, ...]
    usage: Mapping[str, Sequence[Usage]] = field(default_factory=dict)


def run_suite(
    platform: Platform, shop: Shop, load: Load, result: LoadResult, verdicts: Mapping[str, Verdict],
    *, progress: Callable[[str], None],
) -> Suite:  # fmt: skip
    """What follows the load test, whose result and verdicts (by check) are given."""
    usage: dict[str, Sequence[Usage]] = {"load": result.usage}
    ab = []
    for service, path in _ab_targets(shop):
        progress(f"ApacheBench at {service}{path}")
        with _sampled(platform.load_sampler(), usage, f"ab-{service}"):
            ab.append(apache_bench.measure(service, platform.address(shop.service(service), "active") + path))
    ramp = []
    for step in _ramp(platform, shop, load, progress):
        ramp.append(step)
        usage[f"{step.rate:.0f}/s"] = step.result.usage
    return Suite(shop.shop, result, verdicts, tuple(ab), tuple(ramp), usage)


def _ab_targets(shop: Shop) -> list[tuple[str, str]]:
    """The front door's home page, and the first address of each other service that is not a probe."""
    found = [(shop.front_door.name, "/")]
    for service in shop.services:
        probes = {service.probes.live, service.probes.ready, service.probes.version, "/metrics"}
        paths = [each.path for each in service.endpoints if each.path not in probes and each.status == 200]
        if not service.front_door and paths:
            found.append((service.name, paths[0]))
    return found


def _ramp(platform: Platform, shop: Shop, load: Load, progress: Callable[[str], None]) -> Iterator[RampStep]:
    for factor in FACTORS:
        rate = load.rate * factor
        progress(f"{rate:.0f} requests/s for {STEP_SECONDS:g} s")
        plan = steady(
            plan_of(platform, shop, load).target,
            rate,
            STEP_SECONDS,
            scenario="shop",
            processes=max(load.processes, math.ceil(rate / RATE_OF_A_PROCESS)),
        )
        result = run_load(plan, sampler=platform.load_sampler(), workers=platform.load_workers())
        limits = shop.thresholds.model_copy(update={"requests_per_second": rate})
        enough = load.model_copy(update={"minimum_requests": rule_of_three(limits.error_rate)})
        step = RampStep(rate, result, dict(zip(CHECKS, judge(result, limits, enough), strict=True)))
        yield step
        if step.broken:
            return


@contextmanager
def _sampled(sampler: Sampler, usage: dict[str, Sequence[Usage]], phase: str) -> Iterator[None]:
    """Samples resource use during the block."""
    samples: list[Usage] = []
    ended = threading.Event()

    def sample() -> None:
        while not ended.wait(SAMPLE_SECONDS):
            seen = sampler.sample()
            if seen is not None:
                samples.append(seen)

    sampler.begin([])
    thread = threading.Thread(target=sample, name="resource use", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        usage[phase] = samples


def write_folder(suite: Suite, below: Path) -> Path:
    """A new folder YYYYMMDD-HHMMSS with the files of the user's document; its path."""
    from ecom_platform.report import bench_page

    folder = below / f"{suite.result.started_at:%Y%m%d-%H%M%S}"
    folder.mkdir(parents=True)
    for name, text in {**_files(suite), **bench_page.files(suite)}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def _files(suite: Suite) -> dict[str, str]:
    """Names as in the user's document. The engine is not k6; the files say so."""
    about = {
        "about": "Written by the platform's own load engine (docs/benchmarking.md), under the name that k6's results "
        "had. `latency` and `service` are HDR histograms.",
        "summary": suite.result.summary(),
        "verdicts": {name: each.as_dict() for name, each in suite.verdicts.items()},
        "ramp": [
            {"rate": step.rate, "summary": step.result.summary()}
            | {"verdicts": {name: each.as_dict() for name, each in step.verdicts.items()}}
            for step in suite.ramp
        ],
        "result": suite.result.as_dict(),
    }
    lines = [f"{suite.result.target} at {suite.result.offered_rate:.0f} requests/s", *_said(suite.verdicts)]
    for step in suite.ramp:
        lines += ["", f"at {step.rate:.0f} requests/s", *_said(step.verdicts)]
    return {
        "k6-results.json": json.dumps(about, indent=1) + "\n",
        "k6-output.log": "\n".join(lines) + "\n",
        **{f"ab-{each.name}.log": each.said for each in suite.ab},
        "resource-usage.log": _usage(suite),
    }


def _said(verdicts: Mapping[str, Verdict]) -> list[str]:
    return [str(each) for each in verdicts.values()]


def _usage(suite: Suite) -> str:
    lines = [
        f"# {suite.result.usage_of or 'nothing was sampled'}; shares of what it may use",
        "phase,seconds,cpu,memory",
    ]
    for phase, samples in suite.usage.items():
        lines += [f"{phase},{each.seconds:.1f},{each.cpu:.3f},{each.memory:.3f}" for each in samples]
    return "\n".join(lines) + "\n"
