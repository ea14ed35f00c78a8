"""The platform's metrics, computed when they are asked for: from the stores, the Dagster instance and this machine.

Nothing is counted in memory, so they are right after a restart. What cannot be read is left out and said so
(`ecom_facts_read`), never shown as it was. Not here: what the figures are (monitoring/, instance_facts.py).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from sqlalchemy.exc import SQLAlchemyError

from ecom_platform import instance_facts
from ecom_platform.errors import EcomError
from ecom_platform.monitoring import machine, stored
from ecom_platform.monitoring.samples import Sample
from ecom_platform.platforms.protocol import Platform
from ecom_platform.settings import Settings
from ecom_platform.spec import Shop, Store

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

KEPT_SECONDS = 15.0
"""How long figures are given again: as long as a usual scrape interval, so two Prometheus servers cost one reading."""
STORES_KEPT_SECONDS = 60.0
"""Of the stores: a catalogue is read whole, and changes a few times a day."""

_UNREADABLE = (EcomError, OSError, SQLAlchemyError, dg.DagsterError)
_log = logging.getLogger(__name__)


@dataclass
class Reader:
    """A part of the facts. kept: seconds that a reading holds; it says nothing while `read` raises."""

    part: str
    read: Callable[[], Iterable[Sample]]
    kept: float = KEPT_SECONDS
    _at: float = field(default=float("-inf"), repr=False)
    _samples: list[Sample] | None = field(default=None, repr=False)

    def samples(self) -> list[Sample] | None:
        """None when the part cannot be read now."""
        if time.monotonic() - self._at >= self.kept:
            try:
                self._samples = list(self.read())
            except _UNREADABLE as error:
                _log.error("%s: %s", self.part, error)
                self._samples = None
            self._at = time.monotonic()
        return self._samples


class Facts:
    """All that is known now of one shop. Several threads may ask; one reads."""

    def __init__(self, shop: str, readers: Sequence[Reader]) -> None:
        self._shop = shop
        self._readers = readers
        self._lock = threading.Lock()

    def samples(self) -> list[Sample]:
        with self._lock:
            read = [(each.part, each.samples()) for each in self._readers]
        parts = dict.fromkeys((part for part, _ in read), True)
        for part, found in read:
            parts[part] = parts[part] and found is not None
        known = [each for _, found in read for each in found or ()]
        return [
            *known,
            *(Sample("ecom_facts_read", ok, {"shop": self._shop, "part": part}) for part, ok in parts.items()),
        ]


def facts_of(shop: Shop, platform: Platform, instance: dg.DagsterInstance, settings: Settings) -> Facts:
    from ecom_platform.definitions import backup_periods, build_defs, stage_assets

    repository = build_defs([shop], settings).get_repository_def()
    assets = [each for built in stage_assets(shop).values() for each in built]
    schedules = {
        each.name: instance_facts.Schedule(str(each.cron_schedule), each.job_name) for each in repository.schedule_defs
    }
    sensors = {each.name: float(each.minimum_interval_seconds or 30) for each in repository.sensor_defs}
    jobs = [each for each in repository.job_names if not each.startswith("__")]
    periods = backup_periods(shop)
    released = bool(stage_assets(shop).get("releases"))
    secrets = settings.state / shop.shop / "secrets"
    readers = [
        Reader("spec", lambda: stored.budget_samples(shop, periods)),
        Reader("machine", lambda: _machine(shop, secrets)),
        Reader("checks", lambda: instance_facts.check_samples(instance, shop, assets)),
        Reader("recoveries", lambda: instance_facts.recovery_samples(instance, shop, assets)),
        Reader("runs", lambda: instance_facts.run_samples(instance, shop, jobs)),
        Reader("daemons", lambda: instance_facts.daemon_samples(instance, shop, time.time())),
        Reader("schedules", lambda: instance_facts.schedule_samples(instance, shop, schedules, datetime.now(UTC))),
        Reader("sensors", lambda: instance_facts.sensor_samples(instance, shop, sensors)),
        *([Reader("release", lambda: _release(shop, platform))] if released else []),
        *(_store_reader(shop, platform, name, store) for name, store in shop.stores.items()),
    ]
    return Facts(shop.shop, readers)


def _machine(shop: Shop, secrets: Path) -> Iterator[Sample]:
    yield from machine.disk_samples(shop.shop)
    yield from machine.certificate_samples(shop.shop, (secrets, machine.MOUNTED))
    yield from machine.key_samples(shop.shop, secrets)


def _release(shop: Shop, platform: Platform) -> Iterator[Sample]:
    from ecom_platform.monitoring.released import release_samples
    from ecom_platform.release.state import read_state

    return release_samples(shop.shop, read_state(platform))


def _store_reader(shop: Shop, platform: Platform, name: str, store: Store) -> Reader:
    def read() -> Iterator[Sample]:
        from ecom_platform.backup.catalogue_reading import read_catalogue
        from ecom_platform.backup.retention_guard import Limits
        from ecom_platform.backup.retention_policy import rules_of
        from ecom_platform.backup.trust import trusted_signers
        from ecom_platform.clients.objects import open_store

        trusted = trusted_signers(platform, shop)
        catalogue = read_catalogue(open_store(platform.store(name)), shop=shop.shop, trusted=trusted)
        rules, limits = rules_of(store, name), Limits(lock=store.object_lock)
        return stored.store_samples({"shop": shop.shop, "store": name}, catalogue, rules, limits, datetime.now(UTC))

    return Reader("stores", read, STORES_KEPT_SECONDS)


def collector(facts: Facts) -> Collector:
    """The facts as prometheus_client's registry wants them."""
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
    from prometheus_client.registry import Collector as Base

    from ecom_platform.monitoring.samples import COUNTERS, METRICS

    class Collected(Base):
        def collect(self) -> Iterator[Metric]:
            samples = facts.samples()
            for name, meaning in METRICS.items():
                mine = [each for each in samples if each.name == name]
                if not mine:
                    continue
                labels = list(mine[0].labels)
                kind = CounterMetricFamily if name in COUNTERS else GaugeMetricFamily
                family = kind(name, meaning, labels=labels)
                for each in mine:
                    family.add_metric([each.labels[label] for label in labels], float(each.value))
                yield family

    return Collected()
