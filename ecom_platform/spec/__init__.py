"""One shop as typed data: services, databases, stores, schedules, budgets.

Read from YAML by spec_file.py, which names the line of an error. Nothing here does I/O.
Secrets are references ({env: NAME} or {file: PATH}), never values.
"""

from ecom_platform.spec.cluster import Kubernetes, Velero
from ecom_platform.spec.data import Backups, Database, Encryption, Folder, Retention, SourceKind, Store, Tasks
from ecom_platform.spec.demands import Drills, Load, NodeLoss, Release, Thresholds
from ecom_platform.spec.people import Contact, Escalation, Notification
from ecom_platform.spec.services import (
    DatabaseReference,
    Endpoint,
    EnvironmentValue,
    FolderReference,
    Probes,
    Service,
    ServiceReference,
)
from ecom_platform.spec.shop import Shop, Stage
from ecom_platform.spec.words import Duration, Name, SecretReference, Span, duration, duration_text

__all__ = [
    "Backups",
    "Contact",
    "Database",
    "DatabaseReference",
    "Drills",
    "Duration",
    "Encryption",
    "Endpoint",
    "EnvironmentValue",
    "Escalation",
    "Folder",
    "FolderReference",
    "Kubernetes",
    "Load",
    "Name",
    "NodeLoss",
    "Notification",
    "Probes",
    "Release",
    "Retention",
    "SecretReference",
    "Service",
    "ServiceReference",
    "Shop",
    "SourceKind",
    "Span",
    "Stage",
    "Store",
    "Tasks",
    "Thresholds",
    "Velero",
    "duration",
    "duration_text",
]
