"""The rules that are written down are those of the spec, and each fires where it must and nowhere else."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ecom_platform.monitoring.alerts import Alert, shop_alerts
from ecom_platform.monitoring.platform_alerts import platform_alerts
from ecom_platform.monitoring.rules import rules_file
from ecom_platform.monitoring.written import files
from ecom_platform.settings import EXAMPLE_SPEC, ROOT
from ecom_platform.spec import Thresholds
from ecom_platform.spec_file import read_spec
from tests.monitoring.cases import CASES, Series
from tests.monitoring.programs import program

MONITORING = ROOT / "k8s" / "monitoring"
LIMITS = Thresholds()
RULES: dict[str, Any] = yaml.safe_load(rules_file(LIMITS, spec="test", runbooks="r"))
ALERTS: dict[str, Alert] = {each.name: each for each in (*shop_alerts(LIMITS), *platform_alerts(LIMITS))}


def test_the_written_files_are_in_step_with_the_spec() -> None:
    wanted = files(read_spec(EXAMPLE_SPEC).thresholds, spec=EXAMPLE_SPEC.name, runbooks="k8s/monitoring/runbooks")
    for name, text in wanted.items():
        assert (MONITORING / name).read_text(encoding="utf-8") == text, f"{name} is old: run `make monitoring`"


def test_another_threshold_is_another_rule() -> None:
    def rule(limits: Thresholds, name: str) -> str:
        content = yaml.safe_load(rules_file(limits, spec="x", runbooks="r"))
        return str(
            next(each["expr"] for group in content["groups"] for each in group["rules"] if each["alert"] == name)
        )

    for change, alert, limit in (
        ({"p95_ms": 250}, "HighResponseTime", "> 0.25"),
        ({"error_rate": 0.002}, "HighErrorRate", "> 0.002"),
        ({"utilisation": 0.6}, "HighCpuUse", "> 0.6"),
        ({"database_connections": 7}, "ManyDatabaseConnections", "> 7"),
        ({"requests_per_second": 12}, "LowThroughput", "< 12"),
        ({"release_stuck": "1m"}, "ReleaseStuck", "+ 60)"),
    ):
        assert limit in rule(Thresholds.model_validate(change), alert)


def test_every_alert_has_a_case_and_a_runbook() -> None:
    assert set(CASES) == set(ALERTS)
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (MONITORING / "runbooks").glob("*.md")}
    assert set(pages) == set(ALERTS)
    for name, text in pages.items():
        headings = [line for line in text.splitlines() if line.startswith("#")]
        assert headings == [f"# {name}", "## Meaning", "## Impact", "## Diagnosis", "## Mitigation"], name
        parts = text.split("\n## ")[1:]
        assert all(len(part.split()) > 6 for part in parts), f"{name} has a section that says nothing"


def test_the_watchdog_goes_outside_every_minute_and_never_to_people() -> None:
    route = yaml.safe_load((MONITORING / "alertmanager.yaml").read_text(encoding="utf-8"))["route"]
    (own,) = route["routes"]
    assert own["matchers"] == ['alertname="Watchdog"']
    assert own["repeat_interval"] == own["group_interval"] == "1m"
    assert not own.get("continue")
    assert own["receiver"] != route["receiver"]
    assert ALERTS["Watchdog"].severity == "none"


def _group(series: Series, alert: str, at: int, times: int) -> dict[str, Any]:
    firing = f'count(ALERTS{{alertname="{alert}",alertstate="firing"}})'
    samples = [{"labels": "{}", "value": times}] if times else []
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": firing, "eval_time": f"{at}m", "exp_samples": samples}],
    }


def _write(folder: Path, alert: str, groups: list[dict[str, Any]]) -> None:
    """A test file of one rule, by itself; all rules in each test would take a minute."""
    (found,) = (each for group in RULES["groups"] for each in group["rules"] if each["alert"] == alert)
    (folder / f"{alert}.rules").write_text(yaml.safe_dump({"groups": [{"name": "one", "rules": [found]}]}))
    every = "10m" if CASES[alert].at > 1000 else "1m"
    test = {"rule_files": [f"{alert}.rules"], "evaluation_interval": every, "tests": groups}
    (folder / f"{alert}.test").write_text(yaml.safe_dump(test))


def _promtool(folder: Path) -> str:
    """What promtool says against the tests that were written; "" when all hold."""
    done = subprocess.run(
        [program("promtool"), "test", "rules", *sorted(each.name for each in folder.glob("*.test"))],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_every_alert_fires_and_its_near_miss_does_not(tmp_path: Path) -> None:
    for name, case in CASES.items():
        _write(tmp_path, name, [_group(case.quiet, name, case.at, 0), _group(case.firing, name, case.at, case.times)])
    assert _promtool(tmp_path) == ""


@pytest.mark.parametrize(("alert", "minutes"), [("HighErrorRate", 2), ("ShopDown", 21)])
def test_an_alert_waits_for_its_time(tmp_path: Path, alert: str, minutes: int) -> None:
    _write(tmp_path, alert, [_group(CASES[alert].firing, alert, minutes, 0)])
    assert _promtool(tmp_path) == ""


def test_the_error_rule_of_the_document_would_have_been_silent_or_always_on(tmp_path: Path) -> None:
    """Without sums each failing series is divided by itself: one error in a million would be 100 %."""
    series = CASES["HighErrorRate"].quiet
    naive = 'count(rate(http_requests_total{status=~"5.."}[5m]) / rate(http_requests_total[5m]) > 0.05)'
    group = _group(series, "HighErrorRate", 30, 0)
    group["promql_expr_test"].append({"expr": naive, "eval_time": "30m", "exp_samples": [{"labels": "{}", "value": 1}]})
    _write(tmp_path, "HighErrorRate", [group])
    assert _promtool(tmp_path) == ""
