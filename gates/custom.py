"""Schemas of kinds that are no part of Kubernetes: the Prometheus operator's, from a wheel of `.tools`.

The wheel has a model of each kind, made from the operator's own definitions. A model passes over names that it does
not know; the schema here refuses them, as the API server does when it is strict.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from ecom_platform.clients.commands import run
from ecom_platform.errors import PreflightError
from gates.tools import TOOLS

API = "monitoring.coreos.com/v1"
SECONDS = 60.0  # importing the models takes one; a busy machine gets time
_PRINT = """
import json, sys
from cloudcoil.models.prometheus_operator import v1
print(json.dumps(getattr(v1, sys.argv[1]).model_json_schema(by_alias=True) if hasattr(v1, sys.argv[1]) else None))
"""


@cache
def validator(api: str, kind: str, tools: Path = TOOLS) -> Draft202012Validator | None:
    """None for a kind that the wheel does not have. Raises PreflightError without the wheel."""
    if api != API:
        return None
    done = run([tools / "bin" / "python", "-c", _PRINT, kind], timeout=SECONDS, check=False, keep=None)
    if done.code != 0:
        raise PreflightError(f"find the schema of {kind} in {api}", done.stderr.strip()[-300:], "Run `make tools`.")
    schema = json.loads(done.stdout)
    return None if schema is None else Draft202012Validator(strict(schema))


def strict(schema: Any) -> Any:
    """The same schema, where an object has no names but those that stand there."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if "properties" in schema and "additionalProperties" not in schema else {}
    return {name: strict(each) for name, each in schema.items()} | closed
