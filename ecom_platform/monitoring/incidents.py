"""Alerts over time, without Prometheus: which last long enough, who is told when, and when it is over. Pure.

The state is a value that its keeper stores after each step (to_json, from_json). A notice counts as told only when
it went out, so a target that did not take it is told again at the next step.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from ecom_platform.monitoring.alerts import Alert
from ecom_platform.monitoring.samples import Sample
from ecom_platform.report.figures import duration_text, number_text

SHOWN = 20
"""Lines of one notice; a pager shows fewer, and a mail with hundreds is not read."""


@dataclass(frozen=True)
class Found:
    """An alert that holds now. key: the same as long as it is the same thing. text: for people."""

    key: str
    alert: str
    severity: str
    text: str
    hold: float


@dataclass(frozen=True)
class Incident:
    """since: when it was seen first; fired: when it had lasted long enough. told: when, by "STEP.PLACE" of a target."""

    key: str
    alert: str
    severity: str
    text: str
    since: float
    fired: float | None = None
    told: Mapping[str, float] = field(default_factory=dict)
    ok_by: str = ""


@dataclass(frozen=True)
class Step:
    """Who is told, how long after an alert fired. targets: how many there are."""

    after: timedelta
    targets: int


@dataclass(frozen=True)
class Notice:
    """For one target. keys: of the incidents that it tells of."""

    step: int
    place: int
    kind: Literal["alert", "over"]
    title: str
    body: str
    keys: tuple[str, ...]


State = Mapping[str, Incident]


def found_now(alerts: Sequence[Alert], samples: Sequence[Sample], now: float) -> list[Found]:
    """The alerts whose condition holds, each with its text."""
    return [
        Found(_key(alert, hit.labels), alert.name, alert.severity, _text(alert, hit.labels, hit.value), _hold(alert))
        for alert in alerts
        if alert.condition is not None
        for hit in alert.condition.hits(samples, now)
    ]


def _hold(alert: Alert) -> float:
    return alert.hold.total_seconds()


def _key(alert: Alert, labels: Mapping[str, str]) -> str:
    return " ".join([alert.name, *(f"{name}={labels[name]}" for name in sorted(labels))])


def _text(alert: Alert, labels: Mapping[str, str], value: float) -> str:
    shown = {"seconds": duration_text, "share": lambda share: f"{share:.1%}", "": number_text}[alert.unit](value)
    text = alert.description
    for name, content in {**labels, "value": shown}.items():
        text = text.replace(f"{{{name}}}", content)
    return f"{alert.name} ({alert.severity}): {alert.summary}. {text}"


def observed(state: State, found: Iterable[Found], now: float, *, blind: bool) -> tuple[State, tuple[Incident, ...]]:
    """The next state, and the incidents that are over.

    blind: something could not be read, so that what is not found may still be there; nothing ends then.
    """
    here = {each.key: each for each in found}
    after = {key: _seen(state.get(key), each, now) for key, each in here.items()}
    gone = [incident for key, incident in state.items() if key not in here]
    if blind:
        return {**after, **{each.key: each for each in gone}}, ()
    return after, tuple(each for each in gone if each.told)


def _seen(known: Incident | None, found: Found, now: float) -> Incident:
    # A clock that went backwards must not keep an alert from firing.
    since = min(known.since, now) if known else now
    fired = known.fired if known else None
    if fired is None and now - since >= found.hold:
        fired = now
    before = known or Incident(found.key, found.alert, found.severity, found.text, since)
    return replace(before, text=found.text, since=since, fired=fired)


def acknowledged(state: State, oks: Iterable[tuple[str, str, float]]) -> State:
    """oks: (alert, who, when). An ok holds for what fired before it."""
    after = dict(state)
    for alert, who, at in oks:
        for key, each in after.items():
            if each.alert == alert and each.fired is not None and each.fired <= at:
                after[key] = replace(each, ok_by=who)
    return after


def due(state: State, steps: Sequence[Step], again: timedelta, now: float, *, shop: str) -> list[Notice]:
    """What is to be told now: one notice for each target that something is due for."""
    notices = []
    for number, step in enumerate(steps):
        for place in range(step.targets):
            mine = [each for each in state.values() if _is_due(each, number, place, step, again, now)]
            if mine:
                notices.append(_notice(number, place, "alert", mine, shop))
    return notices


def _is_due(each: Incident, number: int, place: int, step: Step, again: timedelta, now: float) -> bool:  # noqa: PLR0917  # pure
    if each.fired is None or each.ok_by or (number > 0 and each.severity != "critical"):
        return False
    last = each.told.get(f"{number}.{place}")
    if last is None:
        return now - each.fired >= step.after.total_seconds()
    return now < last or now - last >= again.total_seconds()


def over(ended: Sequence[Incident], steps: Sequence[Step], *, shop: str) -> list[Notice]:
    """The all-clear for each target that was told."""
    notices = []
    for number, step in enumerate(steps):
        for place in range(step.targets):
            mine = [each for each in ended if f"{number}.{place}" in each.told]
            if mine:
                notices.append(_notice(number, place, "over", mine, shop))
    return notices


def _notice(number: int, place: int, kind: Literal["alert", "over"], about: Sequence[Incident], shop: str) -> Notice:
    ordered = sorted(about, key=lambda each: (each.severity, each.fired or 0.0, each.key))
    names = sorted({each.alert for each in ordered})
    what = names[0] if len(names) == 1 else f"{len(ordered)} alerts"
    title = f"{shop}: {what}" + (" is over" if kind == "over" else "")
    lines = [each.text for each in ordered[:SHOWN]]
    lines += [f"and {len(ordered) - SHOWN} more"] if len(ordered) > SHOWN else []
    if kind == "alert":
        lines.append(
            f"Say `ecom alerts ok {names[0]}` when you are at it; k8s/monitoring/runbooks/{names[0]}.md helps."
        )
    return Notice(number, place, kind, title, "\n".join(lines), tuple(each.key for each in ordered))


def after_telling(state: State, notice: Notice, now: float) -> State:
    told = f"{notice.step}.{notice.place}"
    return {
        key: replace(each, told={**each.told, told: now}) if key in notice.keys else each for key, each in state.items()
    }


def to_json(state: State) -> str:
    return json.dumps([asdict(each) for each in state.values()], sort_keys=True)


def from_json(text: str | None, known: Collection[str]) -> State:
    """The state that to_json wrote; alerts that are not known any more are dropped."""
    if not text:
        return {}
    incidents = [Incident(**each) for each in json.loads(text)]
    return {each.key: each for each in incidents if each.alert in known}


def since_text(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
