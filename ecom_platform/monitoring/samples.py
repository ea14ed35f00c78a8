"""The platform's own metrics: their names, what they mean, and one value of one. Pure.

Every time is Unix seconds, every length seconds, every size bytes; the unit ends the name. `shop` labels them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

METRICS: Mapping[str, str] = {
    "ecom_facts_read": "1 when the part's facts could be read at the last scrape, else 0.",
    "ecom_backup_rpo_seconds": "Budget for lost data, from the spec.",
    "ecom_backup_rto_seconds": "Budget for a verified restore, from the spec.",
    "ecom_backup_expected": "1 for each store that is to hold snapshots of the source, from the spec.",
    "ecom_backup_newest_timestamp_seconds": "The moment that the newest snapshot in the store shows.",
    "ecom_backup_newest_bytes": "Stored size of the newest snapshot in the store.",
    "ecom_backup_verified_timestamp_seconds": "The moment that the newest proved snapshot in the store shows.",
    "ecom_backup_snapshots": "Snapshots in the store by what may be said of them.",
    "ecom_backup_stored_bytes": "Stored size of all snapshots in the store.",
    "ecom_catalogue_problems": "Records of the store's catalogue that a sound one does not have.",
    "ecom_retention_refused": "1 when retention would remove something and a safety rule forbids it, else 0.",
    "ecom_restore_seconds": "The last verified restore, from fetch to compared.",
    "ecom_restore_timestamp_seconds": "When the last verified restore ended.",
    "ecom_drill_rto_seconds": "Time to recover, measured by the last drill that was passed.",
    "ecom_drill_rto_budget_seconds": "What that drill was allowed.",
    "ecom_drill_rpo_seconds": "Data lost in that drill, as time.",
    "ecom_drill_rpo_budget_seconds": "What that drill was allowed to lose; nothing where all must be kept.",
    "ecom_drill_orders_lost": "Acknowledged orders that were gone after that drill.",
    "ecom_drill_timestamp_seconds": "When that drill ended.",
    "ecom_check": "1 for the outcome of the newest evaluation of the check, 0 for the other outcomes.",
    "ecom_check_timestamp_seconds": "When the check was evaluated last.",
    "ecom_job_last_run_timestamp_seconds": "When the newest run of the job that is over ended, by its end.",
    "ecom_daemon_healthy": "1 when the daemon has sent a heartbeat within five minutes, else 0.",
    "ecom_schedule_due_timestamp_seconds": "When the schedule ought to have ticked last.",
    "ecom_schedule_tick_timestamp_seconds": "When the schedule ticked last, or its job was started since.",
    "ecom_schedule_tick_failed": "1 when the newest tick of the schedule failed, else 0.",
    "ecom_sensor_interval_seconds": "How often the sensor is to tick.",
    "ecom_sensor_tick_timestamp_seconds": "When the sensor ticked last.",
    "ecom_sensor_tick_failed": "1 when the newest tick of the sensor failed, else 0.",
    "ecom_release_dwell_seconds": "How long a release is watched before it is promoted, from the spec.",
    "ecom_release_in_progress": "1 while a release is under way, else 0.",
    "ecom_release_state": "1 for the state that the release is in.",
    "ecom_release_since_timestamp_seconds": "Since when the release is in its state.",
    "ecom_certificate_expiry_timestamp_seconds": "When the certificate ends.",
    "ecom_key_written_timestamp_seconds": "When the key's file was written.",
    "ecom_machine_disk_busy_seconds_total": "Time that a disk of the exporter's machine was busy; a counter.",
}

COUNTERS = frozenset({"ecom_machine_disk_busy_seconds_total"})


@dataclass(frozen=True, slots=True)
class Sample:
    """One value. Raises ValueError for a name that METRICS does not explain."""

    name: str
    value: float
    labels: Mapping[str, str]

    def __post_init__(self) -> None:
        if self.name not in METRICS:
            raise ValueError(f"{self.name} is not in METRICS")
