"""What an alert is, and the two lists of them: those of live traffic, and those of the platform. Pure.

Every limit comes from spec.Thresholds or from a budget that the platform exports, so the load gate and the alerts
demand the same. Rendering for Prometheus is in rules.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from ecom_platform.monitoring.conditions import Condition
from ecom_platform.spec import Thresholds

LATENESS = timedelta(hours=1)
"""How much later than its budget a dump may be before it counts as missing: a dump that began on
time still has to finish, and its proof too."""

WINDOW = "5m"
"""Of rates: twenty scrapes at 15 s, so that one that is lost moves nothing."""

PROBES = "/healthz|/readyz|/version|/metrics"
"""Routes that machines call; their quick answers would make people's look faster."""

JOB, PLATFORM_JOB = "shop", "ecom-platform"
"""The `job` of the shop's and of the platform's targets in Prometheus."""


@dataclass(frozen=True)
class Alert:
    """value: PromQL that has data while all is well. expression: has data where it is not.

    hold: how long before it fires. unit: of the value, for people. condition: the same for those who judge
    without Prometheus; None for what only Prometheus can see (rates over time, targets).
    description: {value} and {LABEL} stand for what was found. severity none: for programs, not for people.
    """

    name: str
    value: str
    expression: str
    hold: timedelta
    severity: Literal["critical", "warning", "none"]
    summary: str
    description: str
    unit: Literal["seconds", "share", ""] = ""
    condition: Condition | None = None


def _requests(more: str = "", offset: str = "") -> str:
    chosen = ", ".join(each for each in (f'job="{JOB}"', f'route!~"{PROBES}"', more) if each)
    return f"sum by (namespace) (rate(http_requests_total{{{chosen}}}[{WINDOW}]{offset}))"


def _share_of(status: str) -> str:
    """Of requests that were answered so; 0 and not nothing where none was."""
    bad = _requests(f'status=~"{status}"')
    return f"({bad} or 0 * {_requests()}) / {_requests()}"


def _live(  # noqa: PLR0917  # a row of a table
    name: str, value: str, test: str, minutes: float, severity: Literal["critical", "warning", "none"], summary: str,
    description: str, *, unit: Literal["seconds", "share", ""] = "",
) -> Alert:  # fmt: skip
    """test: what stands around {value}."""
    expression = test.replace("{value}", value)
    return Alert(name, value, expression, timedelta(minutes=minutes), severity, summary, description, unit)


def shop_alerts(limits: Thresholds) -> tuple[Alert, ...]:
    """The rows of the user's document's alert table, on what the shop exports."""
    return (*_traffic_alerts(limits), *_usage_alerts(limits), *_target_alerts())


def _traffic_alerts(limits: Thresholds) -> tuple[Alert, ...]:
    p95 = (
        f'histogram_quantile(0.95, sum by (namespace, le) (rate(http_request_duration_seconds_bucket{{job="{JOB}", '
        f'route!~"{PROBES}"}}[{WINDOW}])))'
    )
    least, day_before = limits.requests_per_second, _requests(offset=" offset 1d")
    return (
        _live(
            "HighResponseTime", p95, f"{{value}} > {limits.p95_ms / 1000:g}", 5, "warning",
            "The shop answers slowly", f"p95 is {{value}}; the limit is {limits.p95_ms:g} ms.", unit="seconds",
        ),
        _live(
            "HighErrorRate", _share_of("5.."), f"{{value}} > {limits.error_rate:g}", 2, "critical",
            "Requests go wrong", f"{{value}} of all requests fail (5xx); the limit is {limits.error_rate:.3g}.",
            unit="share",
        ),
        _live(
            "ManyRefusedRequests", _share_of("4.."), f"{{value}} > {limits.client_error_rate:g}", 10, "warning",
            "Many requests are refused",
            f"{{value}} of all requests are refused (4xx); the limit is {limits.client_error_rate:.3g}.", unit="share",
        ),
        _live(
            "LowThroughput", _requests(), f"{{value}} < {least:g} and {day_before} >= {least:g}", 10, "warning",
            "Fewer people come than yesterday",
            f"{{value}} requests/s; the limit is {least:g}, and at this time yesterday it was held.",
        ),
    )  # fmt: skip


def _usage_alerts(limits: Thresholds) -> tuple[Alert, ...]:
    most, own = limits.utilisation, f'job="{JOB}"'
    cpu = f"rate(process_cpu_seconds_total{{{own}}}[{WINDOW}]) / shop_cpu_limit_cores{{{own}}}"
    memory = f"process_resident_memory_bytes{{{own}}} / shop_memory_limit_bytes{{{own}}}"
    disk = " or ".join(
        f"max by (instance, device) (rate({name}[{WINDOW}]))"
        for name in ("node_disk_io_time_seconds_total", "ecom_machine_disk_busy_seconds_total")
    )
    over = f"{{value}} > {most:g}"
    return (
        _live(
            "HighCpuUse", cpu, over, 10, "warning", "An instance of the shop is short of CPU",
            f"{{instance}} uses {{value}} of its CPU; the limit is {most:.0%}.", unit="share",
        ),
        _live(
            "HighMemoryUse", memory, over, 10, "warning", "An instance of the shop is short of memory",
            f"{{instance}} uses {{value}} of its memory; the limit is {most:.0%}.", unit="share",
        ),
        _live(
            "DiskBusy", disk, f"({{value}}) > {most:g}", 10, "warning", "A disk is busy most of the time",
            f"{{device}} of {{instance}} is busy {{value}} of the time; the limit is {most:.0%}.", unit="share",
        ),
        _live(
            "ManyDatabaseConnections", f"sum by (namespace) (shop_database_connections{{{own}}})",
            f"{{value}} > {limits.database_connections}", 5, "warning", "The shop holds many database connections",
            f"{{value}} connections; the limit is {limits.database_connections}.",
        ),
    )  # fmt: skip


def _target_alerts() -> tuple[Alert, ...]:
    return (
        _live(
            "ShopDown", f'up{{job="{JOB}"}}', "{value} == 0 or absent({value})", 2, "critical",
            "An instance of the shop does not answer, or none is known",
            "Prometheus gets no metrics from {instance}; nothing is known of the shop's errors.",
        ),
        _live(
            "ShopMetricsMissing", f'http_request_duration_seconds_count{{job="{JOB}"}}', "absent({value})", 5,
            "warning", "The shop tells nothing of its requests",
            "Targets answer and have no request metrics: every alert on traffic is blind.",
        ),
        _live(
            "PlatformMetricsDown", f'up{{job="{PLATFORM_JOB}"}}', "{value} == 0 or absent({value})", 5, "critical",
            "The platform's metrics are gone",
            "Nothing is known of backups, schedules, drills and releases.",
        ),
        _live(
            "PlatformFactsMissing", "ecom_facts_read", "absent({value})", 5, "critical",
            "The platform's metrics are empty", "The exporter answers and says nothing: every alert on it is blind.",
        ),
        # The other way round: it fires while all is well, and somebody outside is told when it stops.
        _live(
            "Watchdog", f'max(up{{job="{PLATFORM_JOB}"}})', "{value} == 1", 0, "none",
            "The platform, its Prometheus and the way to people live",
            "This always fires. When it stops, what watches it from outside tells that nobody here can.",
        ),
    )  # fmt: skip
