"""What is judged without Prometheus is what Prometheus judges: the cases of the rules, on samples."""

from __future__ import annotations

import re

import pytest

from ecom_platform.monitoring.conditions import Hit
from ecom_platform.monitoring.platform_alerts import platform_alerts
from ecom_platform.monitoring.rules import templated
from ecom_platform.monitoring.samples import METRICS, Sample
from ecom_platform.spec import Thresholds
from tests.monitoring.cases import CASES, Series

ALERTS = {each.name: each for each in platform_alerts(Thresholds())}


def samples(series: Series) -> list[Sample]:
    """The last value of each series; those of the platform stay what they are."""
    found = []
    for text, values in series.items():
        name, _, labels = text.partition("{")
        start, _, step = values.partition("+")
        assert step.startswith("0x"), f"{text} moves"
        found.append(Sample(name, float(start), dict(re.findall(r'(\w+)="([^"]*)"', labels))))
    return found


@pytest.mark.parametrize("name", sorted(ALERTS))
def test_it_holds_where_the_rule_fires_and_nowhere_else(name: str) -> None:
    case, condition = CASES[name], ALERTS[name].condition
    assert condition is not None
    now = case.at * 60.0
    assert len(condition.hits(samples(case.firing), now)) == case.times
    assert condition.hits(samples(case.quiet), now) == []


def test_the_value_is_the_age_that_people_read() -> None:
    case, alert = CASES["BackupMissingInStore"], ALERTS["BackupMissingInStore"]
    assert alert.condition is not None
    (hit,) = alert.condition.hits(samples(case.firing), case.at * 60.0)
    assert hit == Hit({"shop": "s", "source": "database-d", "store": "0"}, case.at * 60.0 - 1200)
    assert templated(alert) == (
        "{{ $labels.source }}: the newest snapshot in the store {{ $labels.store }} "
        "is {{ $value | humanizeDuration }} old."
    )


def test_alerts_speak_only_of_metrics_that_are_explained() -> None:
    for alert in ALERTS.values():
        assert set(re.findall(r"\becom_\w+", alert.expression)) <= set(METRICS), alert.name


def test_a_metric_that_nobody_explains_is_refused() -> None:
    with pytest.raises(ValueError, match="not in METRICS"):
        Sample("ecom_made_up", 1, {})
