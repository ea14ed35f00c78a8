"""A real Prometheus on this machine, with the configuration and the rules of the repository."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from ecom_platform.monitoring.alerts import shop_alerts
from ecom_platform.monitoring.panels import operations, performance
from ecom_platform.monitoring.platform_alerts import platform_alerts
from ecom_platform.settings import ROOT
from ecom_platform.spec import Thresholds
from tests.monitoring.programs import program
from tests.shop.server import free_port
from tests.waiting import wait_until

NOT_ALWAYS = ("ecom_drill_", 'stage="drills"', "ecom_release_since")
"""What only a drill or a release leaves; tests/pipeline/test_metrics.py shows it from their own records."""

MONITORING = ROOT / "k8s" / "monitoring"


@dataclass(frozen=True)
class Prometheus:
    url: str

    def query(self, promql: str) -> list[dict[str, Any]]:
        """The instant vector's samples. Fails for an expression that Prometheus refuses."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": promql}, timeout=20)
        assert answer.status_code == 200, f"{promql}: {answer.text}"
        found: list[dict[str, Any]] = answer.json()["data"]["result"]
        return found

    def firing(self) -> set[str]:
        """Names of the alerts that fire."""
        answer = httpx.get(f"{self.url}/api/v1/alerts", timeout=20).json()
        return {each["labels"]["alertname"] for each in answer["data"]["alerts"] if each["state"] == "firing"}

    def rules(self) -> dict[str, str]:
        """The health of each rule by its alert's name."""
        groups = httpx.get(f"{self.url}/api/v1/rules", timeout=20).json()["data"]["groups"]
        return {each["name"]: each["health"] for group in groups for each in group["rules"]}


def configuration(targets: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """That of the repository, quick, with these targets by job in place of a cluster's pods."""
    content: dict[str, Any] = yaml.safe_load((MONITORING / "prometheus.yaml").read_text(encoding="utf-8"))
    assert {each["job_name"] for each in content["scrape_configs"]} == set(targets)
    content["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s", "scrape_timeout": "1s"}
    content.pop("alerting")
    content["scrape_configs"] = [
        {"job_name": job, "scrape_interval": "2s", "scrape_timeout": "2s", "static_configs": [{"targets": list(hosts)}]}
        for job, hosts in targets.items()
    ]
    return content


def queries_of_everything(limits: Thresholds) -> dict[str, str]:
    """What must have data, by the panel or the alert that asks."""
    panels = [panel for board in (performance(limits), operations()) for row in board.rows.values() for panel in row]
    found = {f"{panel.title}: {legend}": query for panel in panels for legend, query in panel.queries.items()}
    found |= {alert.name: alert.value for alert in (*shop_alerts(limits), *platform_alerts(limits))}
    return {name: query for name, query in found.items() if not any(each in query for each in NOT_ALWAYS)}


@contextmanager
def running_prometheus(folder: Path, targets: Mapping[str, Sequence[str]], hold: str = "") -> Iterator[Prometheus]:
    """targets: host:port by job. hold: in place of each rule's own time. Gone when the block ends."""
    binary, port = program("prometheus"), free_port()
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration(targets)))
    rules = (MONITORING / "rules.yaml").read_text(encoding="utf-8")
    (folder / "rules.yaml").write_text(re.sub(r"for: \d+s", f"for: {hold}", rules) if hold else rules)
    command = [
        binary,
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) as process:
        try:
            found = Prometheus(f"http://127.0.0.1:{port}")
            wait_until(lambda: ready(found.url), seconds=60, what="Prometheus answers")
            yield found
        finally:
            process.terminate()
            process.wait(20)


def ready(url: str) -> bool:
    """Whether a Prometheus or an Alertmanager serves there."""
    try:
        return httpx.get(f"{url}/-/ready", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
