"""Where pods of runs find their secrets, and in which Secret of the platform's namespace they lie. Nothing else:
definitions read this, and must not wait for a platform's import.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

RUN_SECRETS = Path("/run/secrets/ecom")
"""Below it the platform's chart mounts Secrets in pods of runs: USE/KEY."""

Use = Literal["database", "stores", "signing", "identity", "notify"]
SECRETS: Mapping[Use, str] = {
    "database": "ecom-shop-database",
    "stores": "ecom-stores",
    "signing": "ecom-signing",
    "identity": "ecom-identity",
    "notify": "ecom-notify",
}
"""The Secret of each use."""
