"""What a person is told of a run: why it failed, whatever it was that failed, and when it is over."""

from __future__ import annotations

import dagster as dg
import pytest

from ecom_platform.cli.run_lines import LOGGER, lines_logger
from ecom_platform.cli.runs import PATIENCE_SECONDS, RETRY_PATIENCE_SECONDS, may_be_tried_again
from ecom_platform.clients.dagster_api import MAX_RETRIES, WILL_RETRY, Followed


def lines_of(asset: dg.AssetsDefinition, **resources: dg.ResourceDefinition) -> None:
    definitions = dg.Definitions(
        [asset], jobs=[dg.define_asset_job("job")], resources=resources, loggers={LOGGER: lines_logger}
    )
    with dg.DagsterInstance.ephemeral() as instance:
        result = definitions.resolve_job_def("job").execute_in_process(
            instance=instance, run_config={"loggers": {LOGGER: {}}}, raise_on_error=False
        )
    assert not result.success


def test_a_step_tells_the_error_and_not_what_dagster_wrapped_around_it(capsys: pytest.CaptureFixture[str]) -> None:
    @dg.asset
    def snapshot() -> None:
        raise ValueError("the store is full")

    lines_of(snapshot)
    told = capsys.readouterr().err.splitlines()
    assert "  ✗ snapshot: ValueError: the store is full" in told
    assert sum("✗" in line for line in told) == 1


def test_a_failure_outside_of_every_step_is_told_as_the_run_s(capsys: pytest.CaptureFixture[str]) -> None:
    @dg.resource
    def store() -> object:
        raise RuntimeError("no credentials")

    @dg.asset(required_resource_keys={"store"})
    def snapshot() -> None:
        pass

    lines_of(snapshot, store=store)
    assert "  ✗ the run: RuntimeError: no credentials" in capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("status", "tags", "since_end", "expected"),
    [
        ("SUCCESS", {MAX_RETRIES: "1"}, 0.0, False),
        ("FAILURE", {}, 0.0, False),
        ("FAILURE", {MAX_RETRIES: "0"}, 0.0, False),
        ("FAILURE", {MAX_RETRIES: "1"}, 0.5, True),
        ("FAILURE", {MAX_RETRIES: "1"}, PATIENCE_SECONDS + 1, False),
        ("FAILURE", {MAX_RETRIES: "1", WILL_RETRY: "false"}, 0.0, False),
        ("FAILURE", {MAX_RETRIES: "1", WILL_RETRY: "true"}, PATIENCE_SECONDS + 1, True),
        ("FAILURE", {MAX_RETRIES: "1", WILL_RETRY: "true"}, RETRY_PATIENCE_SECONDS + 1, False),
    ],
)
def test_a_lost_pod_s_run_is_not_called_failed_before_the_instance_said_whether_it_tries_again(
    status: str, tags: dict[str, str], since_end: float, *, expected: bool
) -> None:
    assert may_be_tried_again(Followed(status, tags, (), None, False), since_end) is expected
