"""Alerts as Prometheus wants them: a rules file, and the same as a PrometheusRule for its operator. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import yaml

from ecom_platform.monitoring.alerts import Alert, shop_alerts
from ecom_platform.monitoring.platform_alerts import platform_alerts
from ecom_platform.spec import Thresholds

HEADER = "# Written by `make monitoring` from the thresholds of {spec}; changes are lost.\n"
_HUMAN = {"seconds": "$value | humanizeDuration", "share": "$value | humanizePercentage", "": "$value | humanize"}


def groups(limits: Thresholds, runbooks: str) -> dict[str, Any]:
    """The rule groups. runbooks: address of the folder with a page per alert."""
    lists = {"shop": shop_alerts(limits), "ecom-platform": platform_alerts(limits)}
    return {"groups": [{"name": name, "rules": _rules(alerts, runbooks)} for name, alerts in lists.items()]}


def _rules(alerts: Sequence[Alert], runbooks: str) -> list[dict[str, Any]]:
    return [
        {
            "alert": each.name,
            "expr": each.expression,
            "for": f"{each.hold.total_seconds():.0f}s",
            "labels": {"severity": each.severity},
            "annotations": {
                "summary": each.summary,
                "description": templated(each),
                "runbook_url": f"{runbooks}/{each.name}.md",
            },
        }
        for each in alerts
    ]


def templated(alert: Alert) -> str:
    """The description with Prometheus's templates in the places of {value} and {LABEL}."""

    def template(found: re.Match[str]) -> str:
        return "{{ " + (_HUMAN[alert.unit] if found[1] == "value" else f"$labels.{found[1]}") + " }}"

    return re.sub(r"\{(\w+)\}", template, alert.description)


def rules_file(limits: Thresholds, *, spec: str, runbooks: str) -> str:
    return HEADER.format(spec=spec) + _dump(groups(limits, runbooks))


def prometheus_rule(limits: Thresholds, *, spec: str, runbooks: str) -> str:
    """For clusters with the Prometheus operator."""
    content = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "ecom-platform", "labels": {"app.kubernetes.io/part-of": "ecom-platform"}},
        "spec": groups(limits, runbooks),
    }
    return HEADER.format(spec=spec) + _dump(content)


def _dump(content: dict[str, Any]) -> str:
    return yaml.safe_dump(content, sort_keys=False, width=116, allow_unicode=True)
