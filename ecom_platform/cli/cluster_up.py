"""`ecom up` for a shop in Kubernetes: look, install or bring up to date, then deploy, validate, back up, prove.

Each step does nothing where it is done already, so one that was interrupted goes on where it was.
"""

from __future__ import annotations

import sys
import time

import click

from ecom_platform.cli.cluster_verbs import places, platform_of
from ecom_platform.cli.context import Context
from ecom_platform.cli.runs import follow_run, run_job
from ecom_platform.clients.dagster_api import DagsterApi
from ecom_platform.errors import DeadlineExceeded, PreflightError, UnreachableError
from ecom_platform.platforms.kubernetes import KubernetesPlatform
from ecom_platform.verdicts import Outcome, Verdict, worst

OUTSIDE_JOBS = {"deploy": "deployments", "validate": "validations", "backup": "backups"}
"""Jobs that are run from here, with their stages: one that the spec leaves out is not there."""

FOLLOWED_BY = (("deploy", "validate"), ("backup", "verify_restore"))
"""A job that is launched, and the one that a sensor in the cluster then starts by itself."""

LOAD_SECONDS = 120.0
SENSOR_SECONDS = 60.0
"""A sensor ticks each 5 s; one that was switched off does not, and then the job is launched from here."""

RUN_SECONDS = 3600.0
LOCATION = "ecom_platform"


def bring_up(context: Context) -> None:
    """Look at the cluster, install what is not there, bring the rest to the spec's form, deploy and prove."""
    platform, began = platform_of(context), time.monotonic()
    _refuse_what_is_missing(context, platform)
    _say("cluster", "has what is needed", began)
    new = platform.install()
    changed = not new and platform.refresh()
    _say("shop", "installed" if new else "brought up to date" if changed else "is there already", began)
    if platform.operated_inside:
        _say("platform", "installed" if platform.install_platform() else "is there already", began)
        _operate_inside(context, loaded(context), began)
    else:
        _operate_from_here(context, began)
    _prove_walls(platform, began)
    for name, place in places(platform).items():
        click.echo(f"{name:<12} {place}")


def _refuse_what_is_missing(context: Context, platform: KubernetesPlatform) -> None:
    from ecom_platform.validation.cluster import examine

    missing = [each for each in examine(platform) if each.outcome is not Outcome.PASSED]
    if missing:
        told = "\n".join(f"  {each}" for each in missing)
        raise PreflightError(f"bring the shop {context.shop.shop} to the cluster", f"it lacks\n{told}", "Mend that.")


def _operate_from_here(context: Context, began: float) -> None:
    for job, stage in OUTSIDE_JOBS.items():
        if stage not in context.shop.leave_out and (context.shop.databases or job != "backup"):
            _go_on_if(run_job(context, job), job, began)


def _go_on_if(code: int, job: str, began: float) -> None:
    _say(job, "done" if code == 0 else "FAILED", began)
    if code != 0:
        sys.exit(code)


def loaded(context: Context) -> DagsterApi:
    """The cluster's instance, when it has loaded the shop's definitions. Raises DeadlineExceeded."""
    platform, deadline = platform_of(context), time.monotonic() + LOAD_SECONDS
    while time.monotonic() < deadline:
        address = platform.webserver()
        if address is not None:
            api = DagsterApi(address)
            try:
                api.reload(LOCATION)
                if api.jobs():
                    return api
            except UnreachableError:
                pass  # its pod or its code location is being replaced; the deadline stands
        time.sleep(1.0)
    raise DeadlineExceeded(
        "load the shop into the cluster's Dagster",
        f"no jobs after {LOAD_SECONDS:g} s",
        f"See kubectl -n {platform.names.platform_namespace} logs deployment/code-location.",
    )


def _operate_inside(context: Context, api: DagsterApi, began: float) -> None:
    jobs = api.jobs()
    for first, then in FOLLOWED_BY:
        if first not in jobs or (first == "backup" and not context.shop.databases):
            continue
        run = api.launch(first, config={}, tags={})
        _go_on_if(follow_run(api, run, seconds=RUN_SECONDS), first, began)
        if then in jobs:
            _go_on_if(follow_run(api, _asked_for(api, then, run), seconds=RUN_SECONDS), then, began)


def _asked_for(api: DagsterApi, job: str, after: str) -> str:
    """The run that a sensor asked for after that run; launched from here if no sensor does."""
    deadline = time.monotonic() + SENSOR_SECONDS
    while time.monotonic() < deadline:
        found = api.runs({"ecom/after": after})
        if found:
            return found[0]
        time.sleep(0.5)
    return api.launch(job, config={}, tags={"ecom/after": after})


def _prove_walls(platform: KubernetesPlatform, began: float) -> None:
    """What no account in the cluster may try: a stranger in another namespace, and the rights of every account."""
    from ecom_platform.validation.cluster import proved_from_outside

    if not platform.release.walled:
        _say("walls and rights", "none: the spec's values switch them off", began)
        return
    verdicts = proved_from_outside(platform)
    outcome = worst(verdicts)
    _say("walls and rights", f"{len(verdicts)} claims, {outcome}", began)
    if outcome is not Outcome.PASSED:
        _tell(verdicts)
        sys.exit(outcome.exit_code)


def _tell(verdicts: list[Verdict]) -> None:
    for each in verdicts:
        if each.outcome is not Outcome.PASSED:
            click.echo(f"  {each}", err=True)


def _say(name: str, what: str, began: float) -> None:
    click.echo(click.style(f"  {name:<28} {what} after {time.monotonic() - began:.0f} s", dim=True), err=True)
