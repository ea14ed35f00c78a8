"""The door to the people: sends notices through apprise, in bounded time, and never shows a target's token.

What is worth a notice, and where the throttle's state is kept, is the caller's business.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote

from ecom_platform.errors import ConfigurationError, UnreachableError

if TYPE_CHECKING:
    from apprise import Apprise

TIMEOUT = 15.0  # seconds for all targets together; they are told side by side
KEPT_CHARACTERS = 200  # of each target's complaint


def notify(targets: Sequence[str], title: str, body: str, *, timeout: float = TIMEOUT) -> None:
    """Send a notice to every target, an apprise URL each; no targets, no notice.

    A body that is too long for a service is cut, unless the URL says otherwise (`overflow=`).
    timeout: seconds for all of them together. Raises ConfigurationError, before anything is sent, for a
    target that is no apprise URL, and UnreachableError if one did not take the notice; the others have
    it then. Targets are named by their place and service.
    """
    if not targets:
        return
    result = _service(targets).notify(title=title, body=body, timeout=timeout)
    complaints = [
        f"target {place} ({each.name}): {_complaint(each, target)}"
        for place, (each, target) in enumerate(zip(_in_order(result, len(targets)), targets, strict=True), 1)
        if not each
    ]
    if complaints:
        raise UnreachableError(
            f"send the notice {title!r}",
            f"{len(complaints)} of {len(targets)} targets did not take it: {'; '.join(complaints)}",
            "Check the targets under `notify` in the spec, and whether this machine reaches them.",
        )


def _service(targets: Sequence[str]) -> Apprise:
    from apprise import Apprise, OverflowMode

    _keep_urls_out_of_logs()
    service = Apprise()
    for place, target in enumerate(targets, 1):
        plugin = Apprise.instantiate(target)
        if plugin is None:
            raise ConfigurationError(
                "read the targets of notices",
                f"target {place} of {len(targets)} is no apprise URL",
                "See https://appriseit.com/services/ for how a URL is written.",
            )
        if "overflow=" not in target:
            plugin.overflow_mode = OverflowMode.TRUNCATE
        service.add(plugin)
    return service


def _keep_urls_out_of_logs() -> None:
    """Both log a target's URL, token and all: apprise on debug and for one that it cannot read, urllib3 on debug."""
    logging.getLogger("apprise").propagate = False
    logging.getLogger("urllib3.connectionpool").setLevel(logging.INFO)


def _in_order(result: Any, wanted: int) -> list[Any]:  # apprise has no types here
    """The results in the order of the targets; apprise gives them in that order, one for each."""
    found = list(result)
    if len(found) != wanted:
        raise UnreachableError("send a notice", f"{len(found)} of {wanted} targets were tried")
    return found


def _complaint(result: Any, target: str) -> str:
    said = " ".join(entry.message for entry in result.logs()) or "no reason given"
    return _without_secrets(said, target)[:KEPT_CHARACTERS]


def _without_secrets(text: str, target: str) -> str:
    """The text without any part of the target's URL but its scheme; a token may be any of them."""
    parts = {part for form in (target, unquote(target)) for part in re.split(r"[/:@?&=#]+", form)[1:]}
    for part in sorted(parts, key=len, reverse=True):
        if len(part) >= 3:
            text = text.replace(part, "***")
    return text


@dataclass(frozen=True)
class Throttle:
    """Which notices were sent, so that the same one goes out at most once per window.

    Pure and frozen: `after_*` return the next state, which the caller keeps (to_json, from_json). Call
    after_sending only when the notice went out, so that a failed one is due again.
    sent: when, by the notice's name. held: how many were kept back since then.
    """

    window: timedelta
    sent: Mapping[str, datetime] = field(default_factory=dict)
    held: Mapping[str, int] = field(default_factory=dict)

    def due(self, notice: str, now: datetime) -> bool:
        """Whether to send it now. A clock that went backwards makes it due: silence must not last."""
        last = self.sent.get(notice)
        return last is None or now < last or now - last >= self.window

    def kept_back(self, notice: str) -> int:
        """How many notices of that name were not sent since the last that was."""
        return self.held.get(notice, 0)

    def after_sending(self, notice: str, now: datetime) -> Self:
        """Also forgets what no longer holds anything back, so that the state stays small."""
        sent = {name: at for name, at in self.sent.items() if name != notice and not self.due(name, now)}
        held = {name: number for name, number in self.held.items() if name in sent}
        return type(self)(self.window, {**sent, notice: now}, held)

    def after_holding(self, notice: str) -> Self:
        return type(self)(self.window, self.sent, {**self.held, notice: self.kept_back(notice) + 1})

    def to_json(self) -> str:
        sent = {name: at.isoformat() for name, at in self.sent.items()}
        return json.dumps({"sent": sent, "held": dict(self.held)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | None, window: timedelta) -> Self:
        """The state that to_json wrote; without one nothing was sent."""
        if not text:
            return cls(window)
        state = json.loads(text)
        sent = {name: datetime.fromisoformat(at) for name, at in state["sent"].items()}
        return cls(window, sent, state["held"])
