"""For each alert: series in which it must fire, and series that are as bad as may be, in which it must not.

Series are written as promtool wants them: 'START+STEPxCOUNT', one value a minute. `at`: minutes.
"""

from __future__ import annotations

from dataclasses import dataclass

Series = dict[str, str]
ALWAYS = "x200"  # minutes of a value that stays


@dataclass(frozen=True)
class Case:
    quiet: Series
    firing: Series
    at: int = 30
    times: int = 1


def still(value: float) -> str:
    return f"{value:.15g}+0{ALWAYS}"


def growing(by_minute: float, start: float = 0) -> str:
    return f"{start:g}+{by_minute:g}{ALWAYS}"


def requests(status: str, per_second: float, route: str = "/api/products") -> Series:
    name = f'http_requests_total{{job="shop",namespace="n",route="{route}",status="{status}"}}'
    return {name: growing(per_second * 60)}


def latency(fast: float, slow: float, route: str = "/api/products") -> Series:
    """Requests per minute below 0.4 s, and between 0.5 and 0.75 s."""
    own = f'job="shop",namespace="n",route="{route}"'
    counts = {"0.4": fast, "0.5": fast, "0.75": fast + slow, "+Inf": fast + slow}
    return {f'http_request_duration_seconds_bucket{{{own},le="{le}"}}': growing(count) for le, count in counts.items()}


def day_of_requests(today: float) -> Series:
    """200 requests/s for a day and an hour, then `today` of them."""
    name = 'http_requests_total{job="shop",namespace="n",route="/",status="200"}'
    return {name: f"0+12000x1500 18000000+{today * 60:g}x120"}


SOURCE = 'shop="s",source="database-d"'
STORE = f'{SOURCE},store="local"'
READ = {'ecom_facts_read{shop="s",part="stores"}': still(1)}
BLIND = {'ecom_facts_read{shop="s",part="stores"}': still(0)}
RPO = {f"ecom_backup_rpo_seconds{{{SOURCE}}}": still(3600)}
EXPECTED = {f"ecom_backup_expected{{{STORE}}}": still(1)}


def one(name: str, labels: str, value: float) -> Series:
    return {f'{name}{{shop="s"{"," if labels else ""}{labels}}}': still(value)}


def backup(kind: str, *moments: float) -> Series:
    """Snapshots that show these seconds, one in each store."""
    name = f"ecom_backup_{kind}_timestamp_seconds"
    return {f'{name}{{{SOURCE},store="{place}"}}': still(moment) for place, moment in enumerate(moments)}


def check(outcome: str, stage: str = "restores") -> Series:
    own = f'stage="{stage}",subject="x",check="content"'
    outcomes = ("passed", "failed", "inconclusive")
    found: Series = {}
    for each in outcomes:
        found |= one("ecom_check", f'{own},outcome="{each}"', each == outcome)
    return found


def schedule(due: float, tick: float) -> Series:
    return one("ecom_schedule_due_timestamp_seconds", 'schedule="b"', due) | one(
        "ecom_schedule_tick_timestamp_seconds", 'schedule="b"', tick
    )


def sensor(tick: float) -> Series:
    return one("ecom_sensor_tick_timestamp_seconds", 'sensor="n"', tick) | one(
        "ecom_sensor_interval_seconds", 'sensor="n"', 60
    )


def release(since: float, *, going: bool) -> Series:
    found = one("ecom_release_since_timestamp_seconds", "", since) | one("ecom_release_in_progress", "", going)
    return found | one("ecom_release_dwell_seconds", "", 300)


UP = 'up{job="%s",instance="i"}'
FAST_PROBES = latency(60_000, 0, "/healthz")
DAY = 86_400
OWN = '{job="shop",instance="i"}'

CASES: dict[str, Case] = {
    # 5 % of people's requests wait for more than 0.5 s; a thousand quick probes a second change nothing.
    "HighResponseTime": Case(latency(960, 40) | FAST_PROBES, latency(940, 60) | FAST_PROBES),
    "HighErrorRate": Case(
        requests("200", 99.1) | requests("500", 0.9), requests("200", 98.8) | requests("500", 1) | requests("503", 0.2)
    ),
    "ManyRefusedRequests": Case(
        requests("200", 95.1) | requests("404", 4.9), requests("200", 94) | requests("404", 5) | requests("401", 1)
    ),
    "LowThroughput": Case(day_of_requests(101), day_of_requests(99), at=1530),
    "HighCpuUse": Case(
        {f"process_cpu_seconds_total{OWN}": growing(47), f"shop_cpu_limit_cores{OWN}": still(1)},
        {f"process_cpu_seconds_total{OWN}": growing(49), f"shop_cpu_limit_cores{OWN}": still(1)},
    ),
    "HighMemoryUse": Case(
        {f"process_resident_memory_bytes{OWN}": still(79), f"shop_memory_limit_bytes{OWN}": still(100)},
        {f"process_resident_memory_bytes{OWN}": still(81), f"shop_memory_limit_bytes{OWN}": still(100)},
    ),
    "DiskBusy": Case(
        {'ecom_machine_disk_busy_seconds_total{instance="p",device="a"}': growing(47)},
        {
            'ecom_machine_disk_busy_seconds_total{instance="p",device="a"}': growing(49),
            'node_disk_io_time_seconds_total{instance="n",device="b"}': growing(49),
        },
        times=2,
    ),
    "ManyDatabaseConnections": Case(
        {f'shop_database_connections{{job="shop",instance="{each}",state="idle"}}': still(50) for each in "ab"},
        {f'shop_database_connections{{job="shop",instance="{each}",state="idle"}}': still(51) for each in "ab"},
    ),
    "ShopDown": Case({UP % "shop": still(1)}, {UP % "shop": "1+0x20 0+0x100"}),
    "ShopMetricsMissing": Case({'http_request_duration_seconds_count{job="shop"}': still(0)}, {UP % "shop": still(1)}),
    "PlatformMetricsDown": Case({UP % "ecom-platform": still(1)}, {UP % "shop": still(1)}),
    "Watchdog": Case({UP % "ecom-platform": still(0)}, {UP % "ecom-platform": still(1)}),
    "PlatformFactsMissing": Case(READ, {UP % "ecom-platform": still(1)}),
    # At 2.5 h: the recovery point is 1 h, and a dump and its proof may take another.
    "BackupTooOld": Case(RPO | backup("verified", 0, 1860), RPO | backup("verified", 0, 1200), at=150),
    "BackupNeverVerified": Case(RPO | READ | backup("verified", 0), RPO | READ | backup("newest", 0), at=70),
    "BackupMissingInStore": Case(RPO | backup("newest", 1860, 9000), RPO | backup("newest", 1200, 9000), at=150),
    "StoreWithoutBackup": Case(
        EXPECTED | BLIND,
        EXPECTED | READ | {f'ecom_backup_newest_timestamp_seconds{{{SOURCE},store="x"}}': still(0)},
        70,
    ),
    "BackupVerificationFailed": Case(
        one("ecom_backup_snapshots", 'status="failed"', 0) | one("ecom_backup_snapshots", 'status="stored"', 3),
        one("ecom_backup_snapshots", 'status="failed"', 1),
    ),
    "CatalogueDamaged": Case(one("ecom_catalogue_problems", "", 0), one("ecom_catalogue_problems", "", 1)),
    "RetentionRefused": Case(one("ecom_retention_refused", "", 0), one("ecom_retention_refused", "", 1), at=70),
    "RestoreOverBudget": Case(
        one("ecom_restore_seconds", 'source="d"', 60) | one("ecom_backup_rto_seconds", 'source="d"', 60),
        one("ecom_restore_seconds", 'source="d"', 61) | one("ecom_backup_rto_seconds", 'source="d"', 60),
    ),
    "DrillOverBudget": Case(
        one("ecom_drill_rto_seconds", 'drill="d"', 60) | one("ecom_drill_rto_budget_seconds", 'drill="d"', 60),
        one("ecom_drill_rto_seconds", 'drill="d"', 61) | one("ecom_drill_rto_budget_seconds", 'drill="d"', 60),
    ),
    "DrillLostOrders": Case(
        one("ecom_drill_rpo_seconds", 'drill="d"', 60) | one("ecom_drill_rpo_budget_seconds", 'drill="d"', 60),
        one("ecom_drill_rpo_seconds", 'drill="d"', 1) | one("ecom_drill_rpo_budget_seconds", 'drill="d"', 0),
    ),
    "DrillFailed": Case(check("failed") | check("passed", "drills"), check("inconclusive", "drills")),
    "ScheduleMissed": Case(schedule(1800, 1770) | schedule(1800, 1801), schedule(900, 600)),
    "ScheduleTickFailed": Case(one("ecom_schedule_tick_failed", "", 0), one("ecom_schedule_tick_failed", "", 1)),
    # At 1800 s: five minutes of silence beyond the sensor's own interval of a minute.
    "SensorDead": Case(sensor(1450), sensor(1360)),
    "SensorFailed": Case(one("ecom_sensor_tick_failed", "", 0), one("ecom_sensor_tick_failed", "", 1)),
    "DaemonDead": Case(one("ecom_daemon_healthy", "", 1), one("ecom_daemon_healthy", "", 0)),
    "FactsNotRead": Case(READ, BLIND),
    "CheckFailed": Case(check("inconclusive"), check("failed")),
    "CheckInconclusive": Case(check("failed"), check("inconclusive"), at=70),
    "CertificateNearEnd": Case(
        one("ecom_certificate_expiry_timestamp_seconds", "", 22 * DAY),
        one("ecom_certificate_expiry_timestamp_seconds", "", 20 * DAY),
    ),
    "KeyTooOld": Case(
        one("ecom_key_written_timestamp_seconds", "", -364 * DAY),
        one("ecom_key_written_timestamp_seconds", "", -366 * DAY),
    ),
    "ReleaseStuck": Case(
        release(360, going=True) | {'ecom_release_in_progress{shop="t"}': still(1)}, release(120, going=True), at=40
    ),
}
