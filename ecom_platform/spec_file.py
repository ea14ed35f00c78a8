"""Reads a spec from YAML, where every error names the file and the line, and writes one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from ecom_platform.errors import ConfigurationError
from ecom_platform.spec import Shop


def read_spec(path: Path) -> Shop:
    """The shop that the file describes. Raises ConfigurationError with every mistake and its line."""
    tried = f"read the spec {path}"
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        content = yaml.safe_load(text)
    except OSError as error:
        raise ConfigurationError(tried, error.strerror or str(error), "Name a file with --spec.") from error
    except yaml.YAMLError as error:
        raise ConfigurationError(tried, f"it is not YAML: {error}", "Mend the line that is named.") from error
    if not isinstance(content, dict):
        raise ConfigurationError(tried, "line 1: a spec is a mapping that begins with `shop: NAME`")
    try:
        return Shop.model_validate(content)
    except ValidationError as error:
        mistakes = sorted({_mistake(root, each["loc"], each["msg"]) for each in error.errors()})
        raise ConfigurationError(
            tried,
            "\n  ".join(f"line {line}: {what}" for line, what in mistakes),
            "docs/spec.md lists every field.",
        ) from error


def _mistake(root: yaml.Node | None, location: Sequence[str | int], message: str) -> tuple[int, str]:
    keys: list[str] = []
    node, line = root, 1
    for step in location:
        found = _child(node, step)
        if found is None:
            # Pydantic also names the branch of a union that it tried; the file has no such key.
            if isinstance(node, yaml.MappingNode) and message.startswith("Field required"):
                keys.append(str(step))
            continue
        node, line = found
        keys.append(str(step))
    return line, f"{'.'.join(keys)}: {message}" if keys else message


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step].start_mark.line + 1
    return None


def write_spec(shop: Shop) -> str:
    """YAML from which read_spec makes the same shop again; fields at their defaults are left out."""
    content = _plain(shop.model_dump(by_alias=True, exclude_defaults=True))
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return _duration(value)
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _duration(value: timedelta) -> str:
    """As a person writes it, in the largest unit that is exact."""
    milliseconds = value / timedelta(milliseconds=1)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % size == 0:
            return f"{int(milliseconds // size)}{unit}"
    return f"{milliseconds:.3f}".rstrip("0").rstrip(".") + "ms"
