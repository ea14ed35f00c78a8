"""One real shop for all tests of the pipeline: PostgreSQL, S3, the switch, backend and frontend, without Dagster's
own processes. Runs are executed in this process against an instance that is thrown away.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from ecom_platform.definitions import build_defs
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.resources import Platforms
from ecom_platform.settings import EXAMPLE_SPEC, Settings
from ecom_platform.spec import Service, Shop
from ecom_platform.spec_file import read_spec
from tests.browser import browser

__all__ = ["browser"]


@dataclass
class Pipeline:
    """The running shop and the instance that remembers its runs."""

    shop: Shop
    platform: LocalPlatform
    instance: dg.DagsterInstance

    def run(self, job: str, *, shop: Shop | None = None, config: dict[str, object] | None = None) -> "Ran":
        """Run the job to its end. shop: a changed spec over the same state."""
        shop = shop or self.shop
        platform = LocalPlatform(shop, self.platform.layout.state)
        settings = Settings((EXAMPLE_SPEC,), "local", self.platform.layout.state.parent)
        defs = build_defs([shop], settings, {"platforms": Platforms(of=lambda _: platform)})
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        result = defs.resolve_job_def(job).execute_in_process(
            instance=self.instance, run_config={**(config or {}), **quiet}, raise_on_error=False
        )
        return Ran(result)


@dataclass
class Ran:
    result: dg.ExecuteInProcessResult

    @property
    def success(self) -> bool:
        return self.result.success

    def red(self) -> dict[str, str]:
        """Description by SUBJECT/CHECK of every check that did not pass."""
        return {
            f"{each.asset_key.path[-1]}/{each.check_name}": each.description or ""
            for each in self.result.get_asset_check_evaluations()
            if not each.passed
        }

    def materialised(self) -> set[str]:
        return {"/".join(each.step_key.split("__")[1:]) for each in self.result.get_asset_materialization_events()}  # type: ignore[union-attr]


def impatient(service: Service) -> Service:
    """The same service, given up on after 20 s: a broken one is waited for in several tests."""
    probes = service.probes.model_copy(update={"start_timeout": timedelta(seconds=20)})
    return service.model_copy(update={"probes": probes})


@pytest.fixture(scope="session")
def state() -> Iterator[Path]:
    """A folder that PostgreSQL's own account may enter; pytest's are closed to it when root tests."""
    folder = Path(tempfile.mkdtemp(prefix="ecom-pipeline-"))
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def pipeline(state: Path) -> Iterator[Pipeline]:
    example = read_spec(EXAMPLE_SPEC)
    database = example.databases[0]
    tasks = database.tasks.model_copy(update={"seed": ("python", "-m", "shop.seed", "--orders", "2000")})
    assert example.load is not None
    shop = example.model_copy(
        update={
            "services": tuple(impatient(each) for each in example.services),
            "databases": (database.model_copy(update={"tasks": tasks}),),
            "load": example.load.model_copy(
                update={"rate": 60.0, "duration": timedelta(seconds=8), "minimum_requests": 300}
            ),
            # This machine runs the tests beside the load: what is judged here is the path, not the speed.
            "thresholds": example.thresholds.model_copy(
                update={"requests_per_second": 50.0, "p95_ms": 5000.0, "utilisation": 1.0}
            ),
        }
    )
    platform = LocalPlatform(shop, state / shop.shop)
    platform.up()
    try:
        with dg.DagsterInstance.ephemeral() as instance:
            yield Pipeline(shop, platform, instance)
    finally:
        platform.down()
