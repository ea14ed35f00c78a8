"""Words for numbers: durations, sizes, times and named figures, as people read them. Pure."""

from __future__ import annotations

import math
import unicodedata
from datetime import UTC, datetime, timedelta

_UNITS = (
    ("_per_second", "/s"),
    ("_bytes", "bytes"),
    ("_percent", "%"),
    ("_share", "share"),
    ("_seconds", "s"),
    ("_mb", "MB"),
    ("_ms", "ms"),
    ("_s", "s"),
)
_LONG = (("d", 86400), ("h", 3600), ("min", 60))


def aware(at: datetime, what: str) -> None:
    """Raises ValueError for a time without a zone; what: whose time it is, for the message."""
    if at.utcoffset() is None:
        raise ValueError(f"{what} needs a time with a zone, not {at.isoformat()}")


def duration_text(seconds: float) -> str:
    """'320 ms', '41.3 s', '2 h 14 min', '3 d 4 h': two units at most."""
    if not math.isfinite(seconds):
        return "not measured"
    if seconds < 0:
        return f"-{duration_text(-seconds)}"
    if seconds < 0.9995:
        return f"{seconds * 1000:.3g} ms" if seconds else "0 s"
    if seconds < 99.95:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    for place, (unit, size) in enumerate(_LONG):
        if whole >= size:
            first, rest = divmod(whole, size)
            smaller, below = (*_LONG, ("s", 1))[place + 1]
            return f"{first} {unit} {rest // below} {smaller}" if rest // below else f"{first} {unit}"
    return f"{whole} s"


def age_text(age: timedelta) -> str:
    """Like duration_text, without fractions of a second."""
    return duration_text(float(round(age.total_seconds())))


def size_text(size: float) -> str:
    """'0 B', '1.37 GB': powers of 1000."""
    if not math.isfinite(size):
        return "not measured"
    for unit in ("B", "kB", "MB", "GB"):
        if abs(size) < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def number_text(value: float) -> str:
    """'20,000', '0.0125', '12.3': whole numbers whole, others with four digits."""
    if not math.isfinite(value):
        return "not measured"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def figure(name: str, value: float) -> tuple[str, str]:
    """Label and text of a figure whose unit is the end of its name: ('p95', '12.3 ms')."""
    for ending, unit in _UNITS:
        if name.endswith(ending) and name != ending:
            return _words(name.removesuffix(ending)), with_unit(value, unit)
    return _words(name), number_text(value)


def with_unit(value: float, unit: str) -> str:
    """The value with its unit; durations, sizes and shares in the unit that reads best."""
    if not math.isfinite(value):
        return "not measured"
    if unit == "s":
        return duration_text(value)
    if unit in ("bytes", "B"):
        return size_text(value)
    if unit == "share":
        return f"{value * 100:.3g} %"
    return f"{number_text(value)}{'' if unit.startswith('/') else ' '}{unit}".strip()


def _words(name: str) -> str:
    return name.replace("_", " ").strip()


def time_text(at: datetime) -> str:
    """'24 Nov 2025 20:11:03 UTC'."""
    return f"{at.astimezone(UTC):%d %b %Y %H:%M:%S} UTC".removeprefix("0")


def printable(text: str) -> str:
    """The text without control characters (a terminal would obey them); line ends become spaces."""
    flat = " ".join(text.splitlines())
    return "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(each) in ("Cc", "Cs") else each for each in flat)
