"""How a run's progress looks in a terminal: the same lines, whether the instance or this process runs it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
import dagster as dg

if TYPE_CHECKING:
    from dagster._core.events import DagsterEvent
    from dagster_shared.error import SerializableErrorInfo

LOGGER = "lines"
_STEPS_FAILED = "Steps failed"  # in the message of a run whose steps have told why
_REASON = 1500  # characters: what the cluster says of a pod
_DESCRIPTION = 160  # characters of a check's description; the report has all of it


def started(step: str) -> None:
    click.echo(f"  … {step}", err=True)


def succeeded(step: str) -> None:
    click.echo(f"  ✓ {step}", err=True)


def failed(step: str, why: str) -> None:
    click.echo(f"  ✗ {step}: {why}", err=True)


def tried_again(step: str, why: str) -> None:
    click.echo(f"  ↻ {step}, again after: {why}", err=True)


def checked(asset: str, check: str, description: str, *, passed: bool) -> None:
    click.echo(
        f"    {'✓' if passed else '✗'} {asset} {check}: {' '.join(description.split())[:_DESCRIPTION]}", err=True
    )


def said(message: str) -> None:
    click.echo(f"    {message}", err=True)


def show_graphql(event: Mapping[str, Any]) -> None:
    """An event as the webserver gives it (clients/dagster_api.py)."""
    kind, step = event["__typename"], event.get("stepKey") or ""
    if kind == "ExecutionStepStartEvent":
        started(step)
    elif kind == "ExecutionStepSuccessEvent":
        succeeded(step)
    elif kind == "ExecutionStepFailureEvent":
        metadata = event.get("failureMetadata") or {}
        failed(step, metadata.get("description") or _deepest(event))
    elif kind == "ExecutionStepUpForRetryEvent":
        tried_again(step, _deepest(event))
    elif kind == "AssetCheckEvaluationEvent":
        check = event["evaluation"]
        name = "/".join(check["assetKey"]["path"])
        checked(name, check["checkName"], check["description"] or "", passed=check["success"])
    elif kind == "RunFailureEvent" and _STEPS_FAILED not in event["message"]:
        failed("the run", event["message"][:_REASON])  # its process was lost, or never began
    elif kind == "LogMessageEvent" and event.get("level") in ("INFO", "WARNING", "ERROR", "CRITICAL"):
        said(event["message"])


def _deepest(event: Mapping[str, Any]) -> str:
    """The deepest message of a step's error: what Dagster wraps around it says nothing new."""
    error, message = event.get("error"), ""
    while error:
        error, message = error.get("cause"), error["message"].strip() or message
    return message


class _Lines(logging.Handler):
    """Shows a run that this process executes."""

    def emit(self, record: logging.LogRecord) -> None:
        about: Mapping[str, Any] = getattr(record, "dagster_meta", {})
        event = about.get("dagster_event")
        if event is not None:
            _show_event(event)
        elif record.levelno >= logging.INFO:
            said(str(about.get("orig_message") or record.getMessage()))


def _show_event(event: DagsterEvent) -> None:
    step = event.step_key or ""
    if event.event_type is dg.DagsterEventType.STEP_START:
        started(step)
    elif event.event_type is dg.DagsterEventType.STEP_SUCCESS:
        succeeded(step)
    elif event.event_type is dg.DagsterEventType.STEP_FAILURE:
        told = event.step_failure_data.user_failure_data
        failed(step, (told.description if told else None) or _innermost(event.step_failure_data.error))
    elif event.event_type is dg.DagsterEventType.STEP_UP_FOR_RETRY:
        tried_again(step, event.message or "")
    elif event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        found = event.asset_check_evaluation_data
        checked(found.asset_key.to_user_string(), found.check_name, found.description or "", passed=found.passed)
    elif event.event_type is dg.DagsterEventType.RUN_FAILURE and _STEPS_FAILED not in (event.message or ""):
        failed("the run", _innermost(event.job_failure_data.error) or event.message or "")  # a resource did not begin


def _innermost(error: SerializableErrorInfo | None) -> str:
    """As _deepest, of the errors that Dagster keeps."""
    message = ""
    while error is not None:
        message, error = error.message.strip() or message, error.cause
    return message


@dg.logger(config_schema=None, description="Progress lines on stderr, for a run that a person started and watches.")
def lines_logger(init_context: dg.InitLoggerContext) -> logging.Logger:
    del init_context
    logger = logging.Logger(LOGGER, logging.DEBUG)
    logger.addHandler(_Lines())
    return logger
