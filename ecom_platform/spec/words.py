"""What a spec's values are made of: names, durations, spans of time, references to secrets."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer, model_validator

_NAME = re.compile(r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$")
_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def _name(value: str) -> str:
    if not _NAME.match(value):
        raise ValueError("a name is 1 to 40 of a-z, 0-9 and '-', beginning with a letter")
    return value


def duration(value: object) -> timedelta:
    """A timedelta from text like 90s, 15m, 6h, 30d; raises ValueError for anything else."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.match(str(value))
    if not match:
        raise ValueError(f"{value!r} is no duration; write 90s, 15m, 6h or 30d")
    return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])


def duration_text(value: timedelta) -> str:
    """The text that `duration` reads as that value."""
    return f"{value.total_seconds():.3f}".rstrip("0").rstrip(".") + "s"


def _span(text: str) -> str:
    from ecom_platform.backup.retention_policy import parse_span

    parse_span(text)
    return text


Name = Annotated[str, AfterValidator(_name)]
Span = Annotated[str, AfterValidator(_span)]
Duration = Annotated[
    timedelta,
    BeforeValidator(duration),
    PlainSerializer(lambda value: f"{value.total_seconds():.15g}s", return_type=str, when_used="json"),
]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SecretReference(Part):
    """Where a secret is: an environment variable or a file (mode 600), never the value."""

    env: str | None = None
    file: str | None = None

    @model_validator(mode="after")
    def _one_of(self) -> SecretReference:
        if (self.env is None) == (self.file is None):
            raise ValueError("a secret is either {env: NAME} or {file: PATH}")
        return self
