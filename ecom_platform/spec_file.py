"""Reads a spec from YAML; every error names the file and the line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

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
