"""`ecom bench`: measure any address with the load engine, or run the spec's own load test as a recorded run."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from ecom_platform.cli.context import Context
from ecom_platform.spec import Thresholds, duration
from ecom_platform.verdicts import Verdict, worst

if TYPE_CHECKING:
    from ecom_platform.load.generator import Progress
    from ecom_platform.load.plan import LoadPlan
    from ecom_platform.load.results import LoadResult

RATE_OF_A_PROCESS = 2500.0
"""Requests per second that one worker process keeps with room to spare; see benchmarks/load_generator.py."""


class _Duration(click.ParamType[timedelta]):
    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        try:
            return duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Number(click.FloatRange):
    """A range holds no nan, though nan is on neither side of its ends."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = float(super().convert(value, param, ctx))
        return self.fail("nan is no number", param, ctx) if math.isnan(found) else found


@dataclass(frozen=True, kw_only=True)
class _Options:
    """The options of `ecom bench`, as they were given."""

    target: str | None
    rate: float
    duration: timedelta
    scenario: str
    arrivals: str
    seed: int
    processes: int | None
    timeout: timedelta
    p95_ms: float
    error_rate: float
    contains: str
    insecure: bool
    as_json: bool


@click.command()
@click.option("--target", help="The address to measure, http(s)://HOST[:PORT][/PATH]; default: the shop's load test.")
@click.option("--rate", type=_Number(0, 100_000, min_open=True), default=100.0, show_default=True, help="Requests/s.")
@click.option("--duration", type=_Duration(), default="10s", show_default=True, help="How long, like 10s or 2m.")
@click.option(
    "--scenario", type=click.Choice(["get", "shop"]), default="get", show_default=True, help="One GET, or customers."
)
@click.option(
    "--arrivals",
    type=click.Choice(["constant", "poisson"]),
    default="constant",
    show_default=True,
    help="Evenly, or at random.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of random arrivals.")
@click.option("--processes", type=click.IntRange(1, 64), help=f"Generators; default: one per {RATE_OF_A_PROCESS:g}/s.")
@click.option("--timeout", type=_Duration(), default="10s", show_default=True, help="How long a customer waits.")
@click.option(
    "--p95-ms",
    type=_Number(0, min_open=True),
    default=Thresholds().p95_ms,
    show_default=True,
    help="Limit of p95.",
)
@click.option(
    "--error-rate",
    type=_Number(0, 1, min_open=True, max_open=True),
    default=Thresholds().error_rate,
    show_default=True,
    help="Limit of the share of errors.",
)
@click.option("--contains", default="", help="Text that each answer must hold (scenario get).")
@click.option("--insecure", is_flag=True, help="Accept any TLS certificate.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def bench(ctx: click.Context, /, **given: Any) -> None:
    """Measure an address with arrivals by schedule, and judge it.

    Latency counts from each request's intended start, so that a target that stalls is charged for
    everyone who would have come. Without --target the whole suite runs, as a recorded run: the spec's
    load at the shop's front door, judged by the spec, ApacheBench where it is installed, growing rates up
    to the first limit; with a dated folder of figures, plots and recommendations.

    Exit codes: 0 all limits hold, 1 one does not, 2 usage or configuration, 3 inconclusive: too few
    requests, or a generator that could not keep its schedule.

    Example: ecom bench --target http://127.0.0.1:8080/ --rate 500 --duration 10s --json
    """
    options = _Options(**given)
    if options.target is None:
        _refuse_other_options(ctx)
        sys.exit(run_spec_bench(ctx.obj))
    sys.exit(_measure(options))


def run_spec_bench(context: Context) -> int:
    """The benchmark suite, as the job `benchmark`; the exit code of its load test."""
    from ecom_platform import keys
    from ecom_platform.cli.runs import run_job

    asset = keys.config_name(keys.service_path(context.shop, "benchmarks", "front-door"))
    return run_job(context, "benchmark", config={"ops": {asset: {"config": {"suite": True}}}})


def _refuse_other_options(ctx: click.Context) -> None:
    given = [
        parameter.opts[0]
        for parameter in ctx.command.params
        if parameter.name and ctx.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
    ]
    if given:
        raise click.UsageError(f"{', '.join(given)} needs --target; the spec's `load` says what its own test does.")


def _measure(options: _Options) -> int:
    """Run, judge, print; the exit code is the verdict's."""
    from ecom_platform.load.generator import run_load
    from ecom_platform.load.judge import judge_requests

    plan = _plan(options)
    result = run_load(plan, progress=_teller())
    # Random arrivals may be a few fewer than the rate says; those that the schedule holds must be answered.
    wanted = min(options.rate, result.planned / result.duration) or options.rate
    verdicts = judge_requests(result, p95_ms=options.p95_ms, error_rate=options.error_rate, requests_per_second=wanted)
    if options.as_json:
        click.echo(json.dumps(_as_json(result, verdicts), indent=2))
    else:
        _show(result, verdicts)
    return worst(verdicts).exit_code


def _plan(options: _Options) -> LoadPlan:
    from ecom_platform.load.pacing import constant
    from ecom_platform.load.plan import LoadPlan

    assert options.target is not None
    seconds = options.duration.total_seconds()
    if seconds <= 0:
        raise click.BadParameter("must be longer than nothing", param_hint="--duration")
    cores = os.cpu_count() or 1
    processes = options.processes or min(cores, math.ceil(options.rate / RATE_OF_A_PROCESS))
    return LoadPlan(
        target=options.target,
        schedule=constant(options.rate, seconds, arrivals="poisson" if options.arrivals == "poisson" else "constant",
                          seed=options.seed),
        scenario="shop" if options.scenario == "shop" else "get",
        processes=processes,
        timeout=options.timeout.total_seconds(),
        insecure=options.insecure,
        contains=options.contains,
    )  # fmt: skip


def _teller() -> Any:
    """Tells how far the run is: one line that is written over on a terminal, else a line every few seconds."""
    terminal = sys.stderr.isatty()
    next_told = 0.0

    def tell(progress: Progress) -> None:
        nonlocal next_told
        if progress.seconds < next_told:
            return
        next_told = progress.seconds + (0.0 if terminal else 5.0)
        text = (
            f"{max(0.0, progress.seconds):4.0f} of {progress.duration:.0f} s  "
            f"{progress.finished} answered  {progress.errors} wrong"
        )
        click.echo(f"\r{text}" if terminal else text, err=True, nl=not terminal)
        if terminal and progress.seconds >= progress.duration:
            click.echo(err=True)

    return tell


def _as_json(result: LoadResult, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    return {
        **result.summary(),
        "verdict": worst(verdicts).value,
        "verdicts": [each.as_dict() for each in verdicts],
    }


def _show(result: LoadResult, verdicts: Sequence[Verdict]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(soft_wrap=True)
    table = Table("request", "count", "errors", "p50 ms", "p95 ms", "p99 ms", "max ms")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, each in sorted(result.classes.items()):
        figures = each.latencies.percentiles().as_dict().values()
        table.add_row(name, f"{each.requests}", f"{sum(each.errors.values())}", *map(_ms, figures))
    total = result.percentiles().as_dict().values()
    table.add_row("all", f"{result.requests}", f"{result.errors}", *map(_ms, total), style="bold", end_section=True)
    console.print(table)
    for verdict in verdicts:
        console.print(f"{verdict.outcome:<12}  {verdict.claim}: {verdict.seen}", markup=False, highlight=False)


def _ms(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds:.1f}"
