"""A real Alertmanager with the repository's configuration: who is told of what, and who is not."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from gates.tools import TOOLS
from tests.monitoring.prometheus import MONITORING, ready
from tests.platforms.cluster import missing
from tests.report.test_notices import Receiver, receiving
from tests.shop.server import free_port
from tests.waiting import wait_until


@dataclass(frozen=True)
class Alertmanager:
    """people, outside: what the two addresses of the configuration were sent."""

    url: str
    people: Receiver
    outside: Receiver

    def fire(self, *alerts: str) -> None:
        content = [{"labels": {"alertname": each, "namespace": "shop"}} for each in alerts]
        httpx.post(f"{self.url}/api/v2/alerts", json=content, timeout=10).raise_for_status()

    def inhibited(self) -> set[str]:
        found = httpx.get(f"{self.url}/api/v2/alerts", timeout=10).json()
        return {each["labels"]["alertname"] for each in found if each["status"]["inhibitedBy"]}


def told(receiver: Receiver) -> set[str]:
    return {alert["labels"]["alertname"] for message in receiver.got for alert in message["alerts"]}  # type: ignore[index]


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[Alertmanager]:
    """With its addresses in files of this test, and people told after a second and not after half a minute."""
    binary = TOOLS / "bin" / "alertmanager"
    if not binary.exists():
        missing("needs `make tools`")
    text = (MONITORING / "alertmanager.yaml").read_text(encoding="utf-8")
    for before, after in (("/run/secrets/alertmanager", str(tmp_path)), ("group_wait: 30s", "group_wait: 1s")):
        assert before in text
        text = text.replace(before, after)
    (tmp_path / "alertmanager.yaml").write_text(text)
    url = f"127.0.0.1:{free_port()}"
    own = [f"--web.listen-address={url}", "--cluster.listen-address=", "--log.level=warn"]
    command = [
        str(binary),
        f"--config.file={tmp_path / 'alertmanager.yaml'}",
        f"--storage.path={tmp_path / 'data'}",
        *own,
    ]
    with ExitStack() as stack:
        people, outside = (stack.enter_context(receiving(Receiver())) for _ in range(2))
        (tmp_path / "people").write_text(f"http://127.0.0.1:{people.port}/people")
        (tmp_path / "dead-mans-switch").write_text(f"http://127.0.0.1:{outside.port}/outside")
        log = stack.enter_context((tmp_path / "log").open("wb"))
        process = stack.enter_context(subprocess.Popen(command, stdout=log, stderr=log, cwd=tmp_path))
        stack.callback(process.wait, 20)
        stack.callback(process.terminate)
        wait_until(lambda: ready(f"http://{url}"), seconds=60, what="Alertmanager answers")
        yield Alertmanager(f"http://{url}", people, outside)


def test_people_get_every_alarm_but_the_watchdog_and_somebody_outside_gets_it_alone(
    alertmanager: Alertmanager,
) -> None:
    alertmanager.fire("Watchdog", "BackupTooOld", "PlatformMetricsDown", "PlatformFactsMissing")
    wait_until(lambda: "BackupTooOld" in told(alertmanager.people), seconds=30, what="people are told")
    wait_until(lambda: "Watchdog" in told(alertmanager.outside), seconds=30, what="somebody outside hears the Watchdog")
    assert told(alertmanager.outside) == {"Watchdog"}
    assert "Watchdog" not in told(alertmanager.people)
    # An exporter that is gone says nothing of anything: that its facts are missing is no second alarm.
    wait_until(lambda: "PlatformMetricsDown" in told(alertmanager.people), seconds=30, what="the cause is told")
    assert alertmanager.inhibited() == {"PlatformFactsMissing"}
    assert "PlatformFactsMissing" not in told(alertmanager.people)
