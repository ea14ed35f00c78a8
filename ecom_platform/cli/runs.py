"""Runs from the command line: by the instance that is up, else in this process; always recorded by Dagster."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import click

from ecom_platform.cli.context import Context
from ecom_platform.clients.dagster_api import TERMINAL, DagsterApi, Followed
from ecom_platform.errors import PreflightError

POLL_SECONDS = 0.5  # quick enough to look live, and two requests a second cost the webserver nothing


def webserver(context: Context) -> str:
    """The address of the shop's running webserver; PreflightError if none runs."""
    address = running_webserver(context)
    if address is None:
        raise PreflightError("reach Dagster", "the platform is not up", "Run `ecom up`, or name it with --url.")
    return address


def running_webserver(context: Context) -> str | None:
    """The address of the webserver, or None when it does not run."""
    from ecom_platform.platforms.local import LocalPlatform

    platform = context.platform
    return platform.webserver() if isinstance(platform, LocalPlatform) else None


def run_job(
    context: Context,
    job: str,
    *,
    config: Mapping[str, object] | None = None,
    assets: tuple[tuple[str, ...], ...] = (),
) -> int:
    """Run a job and return its exit code. assets: only these of the job, by key path.

    A platform that is up runs it; else it runs in this process, recorded in the same instance.
    """
    address = running_webserver(context)
    if address is None:
        return _run_here(context, job, config=config or {}, assets=assets)
    api = DagsterApi(address)
    return follow_run(api, api.launch(job, config=config or {}, tags={}, assets=assets), seconds=6 * 3600)


def follow_run(api: DagsterApi, run: str, *, seconds: float) -> int:
    """Print the run's progress to stderr until it ends: 0 succeeded, 1 failed, 3 not over in time."""
    click.echo(f"run {run}  {api.address}/runs/{run}", err=True)
    cursor: str | None = None
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        followed = api.follow(run, cursor)
        _show(followed)
        cursor = followed.cursor
        if followed.status in TERMINAL and not followed.more:
            click.echo(f"run {run}  {followed.status}", err=True)
            return 0 if followed.status == "SUCCESS" else 1
        if not followed.more:
            time.sleep(POLL_SECONDS)
    click.echo(f"run {run}  not over after {seconds:g} s; it goes on", err=True)
    return 3


def _show(followed: Followed) -> None:
    for event in followed.events:
        kind, step = event["__typename"], event.get("stepKey") or ""
        if kind == "ExecutionStepStartEvent":
            click.echo(f"  … {step}", err=True)
        elif kind == "ExecutionStepSuccessEvent":
            click.echo(f"  ✓ {step}", err=True)
        elif kind == "ExecutionStepFailureEvent":
            metadata = event.get("failureMetadata") or {}
            click.echo(f"  ✗ {step}: {metadata.get('description') or _cause(event)}", err=True)
        elif kind == "ExecutionStepUpForRetryEvent":
            click.echo(f"  ↻ {step}, again after: {_cause(event)}", err=True)
        elif kind == "AssetCheckEvaluationEvent":
            check = event["evaluation"]
            sign = "✓" if check["success"] else "✗"
            name = "/".join(check["assetKey"]["path"])
            click.echo(f"    {sign} {name} {check['checkName']}: {(check['description'] or '')[:160]}", err=True)
        elif kind == "LogMessageEvent" and event.get("level") in ("INFO", "WARNING", "ERROR", "CRITICAL"):
            click.echo(f"    {event['message']}", err=True)


def _cause(event: Mapping[str, Any]) -> str:
    """The deepest message of a step's error: what Dagster wraps around it says nothing new."""
    error, message = event.get("error"), ""
    while error:
        error, message = error.get("cause"), error["message"].strip() or message
    return message


def _run_here(context: Context, job: str, *, config: Mapping[str, object], assets: tuple[tuple[str, ...], ...]) -> int:
    import dagster as dg

    from ecom_platform.definitions import build_defs

    definition = build_defs([context.shop], context.settings).resolve_job_def(job)
    with dg.DagsterInstance.from_config(str(context.platform.dagster_home())) as instance:
        result = definition.execute_in_process(
            instance=instance,
            run_config=dict(config),
            asset_selection=[dg.AssetKey(list(each)) for each in assets] or None,
            raise_on_error=False,
        )
    return 0 if result.success else 1
