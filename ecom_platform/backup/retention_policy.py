"""What a retention policy may say, with the meaning of restic's `forget`. Judging is in retention.py."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, StrictStr, ValidationError

from ecom_platform.errors import ConfigurationError

if TYPE_CHECKING:
    from ecom_platform.spec import Retention, Store

_TERM = re.compile(r"(-?[0-9]+)(.?)", re.DOTALL)
_UNITS = {"y": "years", "m": "months", "d": "days", "h": "hours"}


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time in calendar units: a month is as long as the month that it goes back over."""

    years: int = 0
    months: int = 0
    days: int = 0
    hours: int = 0

    def __bool__(self) -> bool:
        return any((self.years, self.months, self.days, self.hours))

    def __str__(self) -> str:
        parts = ((self.years, "y"), (self.months, "m"), (self.days, "d"), (self.hours, "h"))
        return "".join(f"{number}{unit}" for number, unit in parts if number)


def parse_span(text: object) -> Span:
    """A span from text like 1y2m3d4h, in any order; a unit that is named twice counts the last time.

    Raises ValueError that names the mistake, also for negative numbers.
    """
    if isinstance(text, Span):
        return text
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is no duration; write it like 1y2m3d4h")  # noqa: TRY004  # pydantic's word
    found: dict[str, int] = {}
    rest = text.strip()
    while rest:
        match = _TERM.match(rest)
        if not match:
            raise ValueError(f"no number at {rest[:20]!r} in the duration {text!r}; write it like 1y2m3d4h")
        number, unit = int(match[1]), match[2]
        if unit not in _UNITS:
            seen = f"unit {unit!r} is not known" if unit else "no unit"
            raise ValueError(f"{seen} after {match[1]} in the duration {text!r}; units are y, m, d and h")
        if number < 0:
            raise ValueError(f"the duration {text!r} is negative")
        found[_UNITS[unit]] = number
        rest = rest[match.end() :]
    return Span(**found)


Count = Annotated[StrictInt, Field(ge=-1)]
"""How many to keep; -1 for all."""

Within = Annotated[Span, BeforeValidator(parse_span)]


class Policy(BaseModel):
    """Which snapshots to keep; one rule that keeps a snapshot is enough.

    keep_tag: lists of tags; a snapshot that has all tags of one list is kept. The empty tag means a
    snapshot without tags.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        arbitrary_types_allowed=True,
        alias_generator=lambda name: name.replace("_", "-"),
    )

    keep_last: Count = 0
    keep_hourly: Count = 0
    keep_daily: Count = 0
    keep_weekly: Count = 0
    keep_monthly: Count = 0
    keep_yearly: Count = 0
    keep_within: Within = Span()
    keep_within_hourly: Within = Span()
    keep_within_daily: Within = Span()
    keep_within_weekly: Within = Span()
    keep_within_monthly: Within = Span()
    keep_within_yearly: Within = Span()
    keep_tag: tuple[tuple[StrictStr, ...], ...] = ()

    @property
    def empty(self) -> bool:
        """Whether no rule can keep anything; such a policy removes nothing (see retention.py)."""
        return not any(getattr(self, name) for name in type(self).model_fields)


def read_policy(content: Any, where: str) -> Policy:  # JSON or YAML as it was read
    """The policy. where: names the source in the error. Raises ConfigurationError with every mistake."""
    if not isinstance(content, dict):
        raise ConfigurationError(f"read the policy of {where}", "it is no mapping of rules", _EXAMPLE)
    try:
        return Policy.model_validate(content)
    except ValidationError as error:
        mistakes = "; ".join(_mistake(each["loc"], each["msg"]) for each in error.errors())
        raise ConfigurationError(f"read the policy of {where}", mistakes, _EXAMPLE) from error


_EXAMPLE = 'Write it like {"keep-daily": 7, "keep-within": "1y2m3d4h", "keep-tag": [["a", "b"], ["c"]]}.'


def _mistake(place: tuple[int | str, ...], message: str) -> str:
    said = message.removeprefix("Value error, ").replace("Extra inputs are not permitted", "there is no such rule")
    return f"{'.'.join(map(str, place))}: {said}"


@dataclass(frozen=True)
class Rules:
    """What a store keeps: by the kind of a source where it has rules of its own, else the same for all."""

    policy: Policy
    of_kind: Mapping[str, Policy] = field(default_factory=dict)

    def of(self, source: str) -> Policy:
        """source: KIND/NAME."""
        return self.of_kind.get(source.partition("/")[0], self.policy)


def rules_of(store: Store, name: str) -> Rules:
    """The spec's rules of a store."""

    def read(retention: Retention, where: str) -> Policy:
        return read_policy(retention.model_dump(mode="json", by_alias=True, exclude_none=True), where)

    of_kind: dict[str, Policy] = {
        kind: read(each, f"{kind} in the store {name}") for kind, each in store.retention_of.items()
    }
    return Rules(read(store.retention, f"the store {name}"), of_kind)
