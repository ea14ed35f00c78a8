"""One real shop for all tests of the pipeline: PostgreSQL, S3, the switch, backend and frontend, without Dagster's
own processes. Runs are executed in this process against an instance that is thrown away.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import dagster as dg
import pytest
import yaml

from ecom_platform.definitions import build_defs
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.resources import Platforms
from ecom_platform.settings import EXAMPLE_SPEC, ROOT, Settings
from ecom_platform.spec import Shop
from ecom_platform.spec_file import read_spec


@dataclass
class Pipeline:
    """The running shop and the instance that remembers its runs."""

    spec: Path
    shop: Shop
    platform: LocalPlatform
    instance: dg.DagsterInstance

    @property
    def settings(self) -> Settings:
        return Settings((self.spec,), "local", self.platform.layout.state.parent)

    def run(
        self, job: str, *, shop: Shop | None = None, config: dict[str, object] | None = None, assets: Sequence[str] = ()
    ) -> "Ran":
        """Run the job to its end. shop: a changed spec over the same state. assets: only these, as STAGE/SUBJECT."""
        shop = shop or self.shop
        platform = LocalPlatform(shop, self.platform.layout.state)
        defs = build_defs([shop], self.settings, {"platforms": Platforms(of=lambda _: platform)})
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        result = defs.resolve_job_def(job).execute_in_process(
            instance=self.instance,
            run_config={**(config or {}), **quiet},
            asset_selection=[dg.AssetKey([shop.shop, *each.split("/")]) for each in assets] or None,
            raise_on_error=False,
        )
        return Ran(result)

    def ecom(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A verb of the command line on this shop, in a process of its own."""
        return subprocess.run(
            [sys.executable, "-m", "ecom_platform.cli", "--spec", str(self.spec), *arguments],
            env={**os.environ, "ECOM_STATE": str(self.settings.state)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )


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


@dataclass
class Receiver:
    """A local stand-in for a chat room: keeps what is posted to it. target: its apprise URL."""

    target: str
    posted: list[str]


@pytest.fixture(scope="session")
def receiver() -> Iterator[Receiver]:
    posted: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield Receiver(f"json://127.0.0.1:{server.server_port}", posted)
        server.shutdown()


def write_spec(folder: Path, target: str) -> Path:
    """The example shop, small; and judged by its path, not its speed: this machine tests beside the load."""
    spec = yaml.safe_load(EXAMPLE_SPEC.read_text(encoding="utf-8"))
    spec["databases"][0]["tasks"]["seed"] = ["python", "-m", "shop.seed", "--orders", "2000"]
    for service in spec["services"]:
        service["probes"] = {"start_timeout": "15s"}  # a broken one is waited for in several tests
    spec["load"] = {"rate": 60, "duration": "8s", "minimum_requests": 300}
    spec["thresholds"] = {"requests_per_second": 50, "p95_ms": 20_000, "utilisation": 1.0}
    spec["release"] = {"load": "6s", "dwell": "5s", "probes": 70, "allowed_slow_down": None}
    secret = folder / "notify-target"
    secret.write_text(target, encoding="utf-8")
    spec["notify"] = {"targets": [{"file": str(secret)}]}
    path = folder / "shop.yaml"
    path.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def state() -> Iterator[Path]:
    """A folder that PostgreSQL's own account may enter; pytest's are closed to it when root tests."""
    folder = Path(tempfile.mkdtemp(prefix="ecom-pipeline-"))
    folder.chmod(0o711 if os.geteuid() == 0 else 0o700)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def pipeline(state: Path, receiver: Receiver) -> Iterator[Pipeline]:
    spec = write_spec(state, receiver.target)
    shop = read_spec(spec)
    platform = LocalPlatform(shop, state / shop.shop)
    platform.up()
    try:
        with dg.DagsterInstance.ephemeral() as instance:
            yield Pipeline(spec, shop, platform, instance)
    finally:
        platform.down()
