"""Which files the generator writes, by name, and their texts. Pure."""

from __future__ import annotations

from ecom_platform.monitoring import dashboards, panels, rules
from ecom_platform.spec import Thresholds


def files(limits: Thresholds, *, spec: str, runbooks: str) -> dict[str, str]:
    """Texts by path below the output folder."""
    boards = {"performance": panels.performance(limits), "operations": panels.operations()}
    return {
        "rules.yaml": rules.rules_file(limits, spec=spec, runbooks=runbooks),
        **{f"dashboards/{name}.json": dashboards.dashboard_json(each) for name, each in boards.items()},
        "prometheus-rule.yaml": rules.prometheus_rule(limits, spec=spec, runbooks=runbooks),
    }
