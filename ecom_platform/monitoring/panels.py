"""What the dashboards show: titles, units and queries. Pure; dashboards.py makes Grafana's JSON of it.

Queries are those of the alerts where there is one, so that a panel shows what an alert judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ecom_platform.monitoring.alerts import JOB, PROBES, WINDOW, Alert, shop_alerts
from ecom_platform.spec import Thresholds


@dataclass(frozen=True)
class Panel:
    """queries: PromQL by legend ({{label}} stands for a label's value). limit: drawn as a line, in the same unit."""

    title: str
    unit: str
    queries: Mapping[str, str]
    limit: float | None = None
    about: str = ""
    stacked: bool = False


@dataclass(frozen=True)
class Board:
    """rows: panels by the row's title."""

    uid: str
    title: str
    rows: Mapping[str, tuple[Panel, ...]]


_PEOPLE = f'job="{JOB}", route!~"{PROBES}"'


def quantile(share: float, metric: str, chosen: str, by: str = "le") -> str:
    return f"histogram_quantile({share:g}, sum by ({by}) (rate({metric}_bucket{{{chosen}}}[{WINDOW}])))"


def performance(limits: Thresholds) -> Board:
    """The performance dashboard of the user's document."""
    alerts = {each.name: each for each in shop_alerts(limits)}
    rows = {
        "Response times": _response_times(limits),
        "Throughput and errors": _traffic(limits, alerts),
        "CPU and memory": _usage(limits, alerts),
        "Database": _database(limits),
    }
    return Board("ecom-shop-performance", "Shop: performance", rows)


def _response_times(limits: Thresholds) -> tuple[Panel, ...]:
    metric = "http_request_duration_seconds"
    all_of = {f"p{share * 100:.0f}": quantile(share, metric, _PEOPLE) for share in (0.5, 0.95, 0.99)}
    by_route = {"{{method}} {{route}}": quantile(0.95, metric, _PEOPLE, "le, method, route")}
    about = "Measured in the backend, without the probes. The load test measures from outside, queue included."
    return (
        Panel("Response time", "s", all_of, limits.p95_ms / 1000, about),
        Panel("p95 by route", "s", by_route, limits.p95_ms / 1000),
    )


def _traffic(limits: Thresholds, alerts: Mapping[str, Alert]) -> tuple[Panel, ...]:
    by_route = f"sum by (method, route) (rate(http_requests_total{{{_PEOPLE}}}[{WINDOW}]))"
    by_status = f"sum by (status) (rate(http_requests_total{{{_PEOPLE}}}[{WINDOW}]))"
    shares = {"5xx": alerts["HighErrorRate"].value, "4xx": alerts["ManyRefusedRequests"].value}
    return (
        Panel("Requests by route", "reqps", {"{{method}} {{route}}": by_route}, stacked=True),
        Panel("Throughput", "reqps", {"requests/s": alerts["LowThroughput"].value}, limits.requests_per_second),
        Panel("Errors by status", "reqps", {"{{status}}": by_status}, about="All answers by HTTP status."),
        Panel("Share of errors", "percentunit", shares, limits.error_rate, "The line is the limit of 5xx."),
        Panel("Open requests", "short", {"{{instance}}": f'http_requests_in_progress{{job="{JOB}"}}'}),
    )


def _usage(limits: Thresholds, alerts: Mapping[str, Alert]) -> tuple[Panel, ...]:
    most, each = limits.utilisation, "{{instance}}"
    return (
        Panel("CPU of its limit", "percentunit", {each: alerts["HighCpuUse"].value}, most),
        Panel("Memory of its limit", "percentunit", {each: alerts["HighMemoryUse"].value}, most),
        Panel("Memory", "bytes", {each: f'process_resident_memory_bytes{{job="{JOB}"}}'}),
        Panel("Disk busy", "percentunit", {"{{instance}} {{device}}": alerts["DiskBusy"].value}, most),
    )


def _database(limits: Thresholds) -> tuple[Panel, ...]:
    own, metric = f'job="{JOB}"', "shop_database_query_seconds"
    times = {f"p{share * 100:.0f}": quantile(share, metric, own) for share in (0.5, 0.95, 0.99)}
    return (
        Panel(
            "Connections by state",
            "short",
            {"{{state}}": f"sum by (state) (shop_database_connections{{{own}}})"},
            limits.database_connections,
            stacked=True,
        ),
        Panel("Query time", "s", times, about="A statement, from sending it to its last row."),
        Panel("Queries", "reqps", {"queries/s": f"sum(rate({metric}_count{{{own}}}[{WINDOW}]))"}),
    )


def operations() -> Board:
    """Backups, proofs, drills, and what starts them."""
    rows = {"Backups": _backups(), "Recovery": _recovery(), "Automation": _automation(), "Evidence": _evidence()}
    return Board("ecom-platform-operations", "Platform: backups and drills", rows)


def _backups() -> tuple[Panel, ...]:
    place = "{{source}} {{store}}"
    proved = "time() - max by (shop, source) (ecom_backup_verified_timestamp_seconds)"
    return (
        Panel(
            "Age of the newest proved backup",
            "s",
            {"{{source}}": proved, "{{source}} budget": "ecom_backup_rpo_seconds"},
            about="Of snapshots that were shown to restore. An untested backup is no backup.",
        ),
        Panel("Age of the newest snapshot", "s", {place: "time() - ecom_backup_newest_timestamp_seconds"}),
        Panel("Size of the newest snapshot", "bytes", {place: "ecom_backup_newest_bytes"}),
        Panel("Size of all snapshots", "bytes", {place: "ecom_backup_stored_bytes"}, stacked=True),
        Panel("Snapshots", "short", {f"{place} {{{{status}}}}": "ecom_backup_snapshots"}),
        Panel(
            "Catalogue and retention",
            "short",
            {"{{store}} problems": "ecom_catalogue_problems", f"{place} refused": "ecom_retention_refused"},
        ),
    )


def _recovery() -> tuple[Panel, ...]:
    drill = "{{drill}}"
    return (
        Panel(
            "Verified restore",
            "s",
            {"{{source}}": "ecom_restore_seconds", "{{source}} budget": "ecom_backup_rto_seconds"},
        ),
        Panel(
            "Time to recover in drills",
            "s",
            {drill: "ecom_drill_rto_seconds", f"{drill} budget": "ecom_drill_rto_budget_seconds"},
        ),
        Panel("Data lost in drills", "s", {drill: "ecom_drill_rpo_seconds"}),
        Panel("Acknowledged orders lost in drills", "short", {drill: "ecom_drill_orders_lost"}),
        Panel("Time since the last drill", "s", {drill: "time() - ecom_drill_timestamp_seconds"}),
    )


def _automation() -> tuple[Panel, ...]:
    return (
        Panel("Time since a sensor ticked", "s", {"{{sensor}}": "time() - ecom_sensor_tick_timestamp_seconds"}),
        Panel("Time since a schedule ticked", "s", {"{{schedule}}": "time() - ecom_schedule_tick_timestamp_seconds"}),
        Panel("Daemons that are well", "short", {"{{daemon}}": "ecom_daemon_healthy"}),
        Panel("Time since a job's last run", "s", {"{{job}} {{end}}": "time() - ecom_job_last_run_timestamp_seconds"}),
    )


def _evidence() -> tuple[Panel, ...]:
    return (
        Panel("Checks by outcome", "short", {"{{outcome}}": "sum by (outcome) (ecom_check)"}, stacked=True),
        Panel("Facts that could be read", "short", {"{{part}}": "ecom_facts_read"}),
        Panel("Release", "short", {"{{state}}": "ecom_release_state"}),
        Panel("Certificates end in", "s", {"{{certificate}}": "ecom_certificate_expiry_timestamp_seconds - time()"}),
        Panel("Age of keys", "s", {"{{key}}": "time() - ecom_key_written_timestamp_seconds"}),
    )
