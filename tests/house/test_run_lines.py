"""What a person sees of a run that this process executes: why it failed, whatever it was that failed."""

from __future__ import annotations

import dagster as dg
import pytest

from ecom_platform.cli.run_lines import LOGGER, lines_logger


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
