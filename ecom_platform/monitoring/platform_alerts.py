"""Alerts on what the platform says of itself; each can be judged with Prometheus and without. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from ecom_platform.monitoring.alerts import LATENESS, Alert
from ecom_platform.monitoring.conditions import Both, Compared, Condition, Metric, Without
from ecom_platform.spec import Thresholds

Severity = Literal["critical", "warning"]
Unit = Literal["seconds", "share", ""]

SCHEDULE_GRACE = timedelta(minutes=10)
"""A tick comes within a minute; a daemon that was restarted just then needs some more."""
SENSOR_SILENCE = timedelta(minutes=5)
"""Beyond a sensor's own interval; one that waits for a slow evaluation ticks within a minute."""

_SOURCE = ("shop", "source")
_RPO = Metric("ecom_backup_rpo_seconds")


def platform_alerts(limits: Thresholds) -> tuple[Alert, ...]:
    return (*_backup_alerts(), *_restore_alerts(), *_automation_alerts(), *_operation_alerts(limits))


def _alert(  # noqa: PLR0917  # a row of a table
    name: str, condition: Condition, minutes: float, severity: Severity, summary: str, description: str, *,
    unit: Unit = "",
) -> Alert:  # fmt: skip
    hold = timedelta(minutes=minutes)
    return Alert(name, condition.value, condition.expression, hold, severity, summary, description, unit, condition)


def _is(metric: str, value: float, **where: str) -> Compared:
    return Compared(Metric(metric, tuple(where.items())), "==", value)


def _above(metric: str, limit: float) -> Compared:
    return Compared(Metric(metric), ">", limit)


def _backup_alerts() -> tuple[Alert, ...]:
    verified = Metric("ecom_backup_verified_timestamp_seconds", by=_SOURCE)
    late = LATENESS.total_seconds()
    return (
        _alert(
            "BackupTooOld", Compared(verified, ">", _RPO, of="age", on=_SOURCE, plus=late), 5, "critical",
            "The newest proved backup is too old",
            "{source}: the newest backup that was shown to restore is {value} old; the budget is shorter.",
            unit="seconds",
        ),
        _alert(
            "BackupNeverVerified",
            Without(_RPO, verified, _SOURCE, Metric("ecom_facts_read", (("part", "stores"),))), 60, "critical",
            "No backup was ever proved", "{source}: no snapshot in any store was shown to restore.", unit="seconds",
        ),
        _alert(
            "BackupMissingInStore",
            Compared(Metric("ecom_backup_newest_timestamp_seconds"), ">", _RPO, of="age", on=_SOURCE, plus=late),
            5, "critical", "A store gets no backups",
            "{source}: the newest snapshot in the store {store} is {value} old.", unit="seconds",
        ),
        _alert(
            "StoreWithoutBackup",
            Without(
                Metric("ecom_backup_expected"),
                Metric("ecom_backup_newest_timestamp_seconds"),
                (*_SOURCE, "store"),
                Metric("ecom_facts_read", (("part", "stores"),)),
            ),
            60,
            "critical",
            "A store never got a backup",
            "{source}: the store {store} holds no snapshot.",
        ),
        _alert(
            "BackupVerificationFailed",
            Compared(Metric("ecom_backup_snapshots", (("status", "failed"),)), ">", 0), 1, "critical",
            "A backup does not restore", "{source}: {value} snapshots in the store {store} failed their verification.",
        ),
        _alert(
            "CatalogueDamaged", _above("ecom_catalogue_problems", 0), 1, "critical",
            "A store's catalogue cannot be trusted", "The store {store} has {value} records that a sound one has not.",
        ),
        _alert(
            "RetentionRefused", _is("ecom_retention_refused", 1), 60, "warning",
            "Retention removes nothing any more",
            "{source}: a safety rule forbids what the retention of the store {store} asks for.",
        ),
    )  # fmt: skip


def _restore_alerts() -> tuple[Alert, ...]:
    drill = ("shop", "drill")
    return (
        _alert(
            "RestoreOverBudget",
            Compared(Metric("ecom_restore_seconds"), ">", Metric("ecom_backup_rto_seconds"), on=_SOURCE), 1, "warning",
            "A verified restore takes longer than promised", "{source}: the last one took {value}.", unit="seconds",
        ),
        _alert(
            "DrillOverBudget",
            Compared(Metric("ecom_drill_rto_seconds"), ">", Metric("ecom_drill_rto_budget_seconds"), on=drill),
            1, "warning", "A drill took longer than promised", "The drill {drill} took {value}.", unit="seconds",
        ),
        _alert(
            "DrillLostOrders",
            Compared(Metric("ecom_drill_rpo_seconds"), ">", Metric("ecom_drill_rpo_budget_seconds"), on=drill),
            1, "critical", "A drill lost more orders than promised", "The drill {drill} lost {value} of them.",
            unit="seconds",
        ),
        _alert(
            "DrillFailed", _is("ecom_check", 0, stage="drills", outcome="passed"), 1, "critical",
            "A drill was not passed",
            "The drill {subject} did not pass its check {check}.",
        ),
    )  # fmt: skip


def _automation_alerts() -> tuple[Alert, ...]:
    schedule = ("shop", "schedule")
    due = Metric("ecom_schedule_due_timestamp_seconds")
    return (
        _alert(
            "ScheduleMissed",
            Both(
                Compared(due, ">", Metric("ecom_schedule_tick_timestamp_seconds"), on=schedule, plus=60),
                Compared(due, ">", SCHEDULE_GRACE.total_seconds(), of="age"),
                schedule,
            ), 1, "critical", "A schedule was missed",
            "The schedule {schedule} ought to have ticked, and has not since.",
        ),
        _alert(
            "ScheduleTickFailed", _is("ecom_schedule_tick_failed", 1), 1, "critical",
            "A schedule cannot start its job", "The newest tick of {schedule} failed.",
        ),
        _alert(
            "SensorDead",
            Compared(Metric("ecom_sensor_tick_timestamp_seconds"), ">", Metric("ecom_sensor_interval_seconds"),
                     of="age", on=("shop", "sensor"), plus=SENSOR_SILENCE.total_seconds()),
            1, "critical", "A sensor does not tick", "The sensor {sensor} ticked {value} ago.", unit="seconds",
        ),
        _alert(
            "SensorFailed", _is("ecom_sensor_tick_failed", 1), 5, "critical",
            "A sensor fails", "The newest tick of {sensor} failed: nobody may be told of failed runs.",
        ),
        _alert(
            "DaemonDead", _is("ecom_daemon_healthy", 0), 2, "critical",
            "A Dagster daemon is dead", "The daemon {daemon} sends no heartbeat: nothing starts by itself.",
        ),
        _alert(
            "FactsNotRead", _is("ecom_facts_read", 0), 10, "critical",
            "The platform cannot look at itself", "{part} could not be read: alerts on it are blind.",
        ),
    )  # fmt: skip


def _operation_alerts(limits: Thresholds) -> tuple[Alert, ...]:
    check = "{stage}: {subject}, check {check}"
    stuck = limits.release_stuck.total_seconds()
    return (
        _alert(
            "CheckFailed", _is("ecom_check", 1, outcome="failed"), 1, "critical",
            "A check failed", f"{check}: its newest evaluation failed.",
        ),
        _alert(
            "CheckInconclusive", _is("ecom_check", 1, outcome="inconclusive"), 60, "warning",
            "A check could not say", f"{check}: its newest evaluation was inconclusive.",
        ),
        _alert(
            "CertificateNearEnd",
            Compared(Metric("ecom_certificate_expiry_timestamp_seconds"), "<", limits.certificate_left.total_seconds(),
                     of="left"),
            1, "warning", "A certificate ends soon", "{certificate} ends in {value}.", unit="seconds",
        ),
        _alert(
            "KeyTooOld",
            Compared(Metric("ecom_key_written_timestamp_seconds"), ">", limits.key_age.total_seconds(), of="age"),
            1, "warning", "A key should be replaced", "{key} is {value} old.", unit="seconds",
        ),
        _alert(
            "ReleaseStuck",
            Both(Compared(Metric("ecom_release_since_timestamp_seconds"), ">", Metric("ecom_release_dwell_seconds"),
                          of="age", plus=stuck),
                 _is("ecom_release_in_progress", 1), ("shop",)),
            1, "critical", "A release does not get on", "It is in the same state for {value}.", unit="seconds",
        ),
    )  # fmt: skip
