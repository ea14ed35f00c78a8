"""Runs from the command line: by the instance that is up, else in this process; always recorded by Dagster."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import click

from ecom_platform.cli.context import Context
from ecom_platform.clients.dagster_api import MAX_RETRIES, RETRY_RUN, TERMINAL, WILL_RETRY, DagsterApi, Followed
from ecom_platform.errors import PreflightError, UnreachableError
from ecom_platform.verdicts import Outcome

PATIENCE_SECONDS = 120.0
"""A webserver that is busy, or that the cluster puts somewhere else, answers again within this time; the run goes on
meanwhile, so nobody is told that it failed."""

RETRY_PATIENCE_SECONDS = 600.0
"""A promised retry begins within seconds, and within a minute and a half where it was lost and asked for again; a
daemon that restarts gets the time to come up."""

POLL_SECONDS = 0.5  # quick enough to look live, and two requests a second cost the webserver nothing


def webserver(context: Context) -> str:
    """The address of the shop's running webserver; PreflightError if none runs."""
    address = running_webserver(context)
    if address is None:
        raise PreflightError("reach Dagster", "the platform is not up", "Run `ecom up`, or name it with --url.")
    return address


def running_webserver(context: Context) -> str | None:
    """The address of the webserver, or None when it does not run. In a cluster one that leads there through the
    kubeconfig, for as long as this process lives.
    """
    return context.platform.webserver()


def run_job(
    context: Context,
    job: str,
    *,
    config: Mapping[str, object] | None = None,
    assets: tuple[tuple[str, ...], ...] = (),
) -> int:
    """Run a job and return its exit code. assets: only these of the job, by key path.

    A platform that is up runs it; else it runs in this process, recorded in the same instance. So does a job that
    a cluster's instance has not, because it takes the operator's rights.
    """
    address = running_webserver(context)
    api = DagsterApi(address) if address else None
    if api is None or (context.shop.platform == "kubernetes" and job not in api.jobs()):
        return _run_here(context, job, config=config or {}, assets=assets)
    return follow_run(api, api.launch(job, config=config or {}, tags={}, assets=assets), seconds=6 * 3600)


def follow_run(api: DagsterApi, run: str, *, seconds: float) -> int:
    """Print the run's progress to stderr until it ends: 0 succeeded, 1 failed, 3 inconclusive or not over."""
    from ecom_platform.cli.run_lines import show_graphql

    click.echo(f"run {run}  {api.address}/runs/{run}", err=True)
    cursor: str | None = None
    outcomes: list[str] = []
    ended_at: float | None = None
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        followed = _followed(api, run, cursor, until=min(deadline, time.monotonic() + PATIENCE_SECONDS))
        for event in followed.events:
            show_graphql(event)
            outcomes += _outcome_of(event)
        cursor = followed.cursor
        if followed.status in TERMINAL and not followed.more:
            ended_at = ended_at or time.monotonic()
            if again := followed.tags.get(RETRY_RUN):
                # Its pod was lost; the instance tries once more, and that run's result counts.
                click.echo(f"run {run}  {followed.status}; tried again", err=True)
                return follow_run(api, again, seconds=deadline - time.monotonic())
            if not may_be_tried_again(followed, time.monotonic() - ended_at):
                click.echo(f"run {run}  {followed.status}", err=True)
                return exit_code(outcomes, succeeded=followed.status == "SUCCESS")
        if not followed.more:
            time.sleep(POLL_SECONDS)
    click.echo(f"run {run}  not over after {seconds:g} s; it goes on", err=True)
    return 3


def may_be_tried_again(followed: Followed, since_end: float) -> bool:
    """Whether a run that ended (since_end: that many seconds ago) is tried again by the instance, or may be for all
    that is known: the instance says so a moment after it says that the run failed. Only runs in pods are.
    """
    told = followed.tags.get(WILL_RETRY)
    if told is None and followed.status == "FAILURE" and followed.tags.get(MAX_RETRIES, "0") != "0":
        return since_end < PATIENCE_SECONDS
    return told == "true" and since_end < RETRY_PATIENCE_SECONDS


def _followed(api: DagsterApi, run: str, cursor: str | None, *, until: float) -> Followed:
    """What happened in the run. Raises UnreachableError where nothing answers until then (monotonic)."""
    while True:
        try:
            return api.follow(run, cursor)
        except UnreachableError:
            if time.monotonic() > until:
                raise
            time.sleep(POLL_SECONDS)


def exit_code(outcomes: Sequence[str], *, succeeded: bool) -> int:
    """outcomes: of the run's checks that did not pass. A run that only lacks evidence is inconclusive."""
    if succeeded:
        return Outcome.PASSED.exit_code
    lacking = outcomes and set(outcomes) == {Outcome.INCONCLUSIVE.value}
    return (Outcome.INCONCLUSIVE if lacking else Outcome.FAILED).exit_code


def _outcome_of(event: Mapping[str, Any]) -> list[str]:
    if event["__typename"] != "AssetCheckEvaluationEvent" or event["evaluation"]["success"]:
        return []
    entries = event["evaluation"]["metadataEntries"]
    return [each["text"] for each in entries if each["label"] == "outcome"]


def _run_here(context: Context, job: str, *, config: Mapping[str, object], assets: tuple[tuple[str, ...], ...]) -> int:
    import dagster as dg

    from ecom_platform.cli.run_lines import LOGGER, lines_logger
    from ecom_platform.definitions import build_defs

    definition = build_defs([context.shop], context.settings, loggers={LOGGER: lines_logger}).resolve_job_def(job)
    with dg.DagsterInstance.from_config(str(context.platform.dagster_home())) as instance:
        result = definition.execute_in_process(
            instance=instance,
            run_config={**config, "loggers": {LOGGER: {}}},
            asset_selection=[dg.AssetKey(list(each)) for each in assets] or None,
            raise_on_error=False,
        )
    click.echo(f"run {result.run_id}  {'SUCCESS' if result.success else 'FAILURE'}", err=True)
    outcomes = [str(each.metadata["outcome"].value) for each in result.get_asset_check_evaluations() if not each.passed]
    return exit_code(outcomes, succeeded=result.success)
