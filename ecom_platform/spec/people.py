"""Who is told, and who is called."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field, model_validator

from ecom_platform.spec.words import Duration, Part, SecretReference


class Escalation(Part):
    """Who is told of a critical alert that nobody has said an ok to, `after` it began."""

    after: Duration
    targets: tuple[SecretReference, ...] = Field(min_length=1)


class Notification(Part):
    """Where people are told: each target is a reference to an apprise URL (it holds a token).

    targets: told first. again: the same notice goes out at most that often. heartbeat: an http(s) address outside
    that is called at every look, and alarms by itself when the calls stay away.
    """

    targets: tuple[SecretReference, ...] = ()
    escalation: tuple[Escalation, ...] = ()
    again: Duration = timedelta(hours=4)
    heartbeat: SecretReference | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Notification:
        if self.escalation and not self.targets:
            raise ValueError("an escalation needs `targets` that are told before it")
        times = [each.after for each in self.escalation]
        if times != sorted(times) or any(each <= timedelta(0) for each in times):
            raise ValueError("escalation goes from sooner to later, each after more than nothing")
        if self.again <= timedelta(0):
            raise ValueError("`again` must be longer than nothing")
        return self


class Contact(Part):
    """Somebody who is called in a disaster. reach: a telephone number or an address. after: since it began."""

    name: str
    role: str
    reach: str
    after: Duration = timedelta(0)
