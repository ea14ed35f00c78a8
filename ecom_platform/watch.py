"""Tells people of the platform's alerts without Prometheus: looks, decides, sends, remembers.

It runs in the exporter's process and not in Dagster's daemon, so that it can tell of a dead one. What it knows lies in
the Dagster instance, so a restart neither repeats nor forgets. Not here: what an alert is (monitoring/).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import dagster as dg

from ecom_platform.clients.heartbeat import beat
from ecom_platform.clients.notices import notify
from ecom_platform.errors import EcomError
from ecom_platform.monitoring import incidents
from ecom_platform.monitoring.incidents import Incident, Notice, State, Step
from ecom_platform.monitoring.platform_alerts import platform_alerts
from ecom_platform.secret_values import resolve
from ecom_platform.spec import SecretReference, Shop

if TYPE_CHECKING:
    from ecom_platform.exporter import Facts  # with SQLAlchemy, which would be loaded with every code location

LOOK_SECONDS = 30.0
"""Between two looks; the shortest time that an alert must last is a minute."""

OK_JOB, OK_OP = "alert_ok", "note_ok"
OKS_KEPT = timedelta(days=30)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Watch:
    """clock: Unix seconds. send: to one target's URL, beat: to that of the heartbeat; tests may listen in."""

    shop: Shop
    facts: Facts
    instance: dg.DagsterInstance
    clock: Callable[[], float] = time.time
    send: Callable[[Sequence[str], str, str], None] = notify
    beat: Callable[[str], None] = beat

    @property
    def _key(self) -> str:
        return f"ecom/alerts/{self.shop.shop}"

    def steps(self) -> list[tuple[Step, Sequence[SecretReference]]]:
        first = (Step(timedelta(0), len(self.shop.notify.targets)), self.shop.notify.targets)
        return [first, *((Step(each.after, len(each.targets)), each.targets) for each in self.shop.notify.escalation)]

    def state(self) -> State:
        """What is known of alerts that hold or held at the last look."""
        stored = self.instance.daemon_cursor_storage.get_cursor_values({self._key}).get(self._key)
        return incidents.from_json(stored, {each.name for each in platform_alerts(self.shop.thresholds)})

    def look(self) -> State:
        """One look: the state afterwards. Targets that took nothing are logged, and told at the next look."""
        now, steps = self.clock(), [step for step, _ in self.steps()]
        samples = self.facts.samples()
        blind = any(each.value == 0 for each in samples if each.name == "ecom_facts_read")
        found = incidents.found_now(platform_alerts(self.shop.thresholds), samples, now)
        state, ended = incidents.observed(self.state(), found, now, blind=blind)
        state = incidents.acknowledged(state, self._oks(now))
        # Kept before anything is sent: whoever dies now has told nobody, and will.
        self._keep(state)
        for notice in incidents.over(ended, steps, shop=self.shop.shop):
            self._sent(notice)
        for notice in incidents.due(state, steps, self.shop.notify.again, now, shop=self.shop.shop):
            if self._sent(notice):
                state = incidents.after_telling(state, notice, now)
                self._keep(state)
        self._live()
        return state

    def _live(self) -> None:
        """A whole look was made: the sign of life. What hangs or dies gives none, and is told from outside."""
        if self.shop.notify.heartbeat is not None:
            try:
                self.beat(resolve(self.shop.notify.heartbeat, f"notify.heartbeat of {self.shop.shop}"))
            except EcomError as error:
                _log.error("%s", error)

    def _sent(self, notice: Notice) -> bool:
        reference = self.steps()[notice.step][1][notice.place]
        try:
            self.send([resolve(reference, f"notify target of {self.shop.shop}")], notice.title, notice.body)
        except EcomError as error:
            _log.error("step %d, target %d: %s", notice.step + 1, notice.place + 1, error)
            return False
        return True

    def _keep(self, state: State) -> None:
        self.instance.daemon_cursor_storage.set_cursor_values({self._key: incidents.to_json(state)})

    def _oks(self, now: float) -> Iterator[tuple[str, str, float]]:
        """The runs of the job that says an ok are the record of it."""
        since = datetime.fromtimestamp(now, UTC) - OKS_KEPT
        done = dg.RunsFilter(job_name=OK_JOB, statuses=[dg.DagsterRunStatus.SUCCESS], created_after=since)
        for record in self.instance.get_run_records(done):
            config = cast("dict[str, Any]", record.dagster_run.run_config)
            said = config["ops"][OK_OP]["config"]
            yield said["alert"], said["by"], record.create_timestamp.timestamp()


def lines(state: State) -> list[Incident]:
    """Those that fire, the worst and oldest first."""
    return sorted((each for each in state.values() if each.fired), key=lambda each: (each.severity, each.fired or 0.0))
