"""Which spec, which environment, where the state lies: read once from the process environment.

Nothing else in the platform reads ECOM_* variables.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ecom_platform.errors import ConfigurationError

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE_SPEC = ROOT / "specs" / "ecommerce.yaml"
ENVIRONMENTS = ("local", "staging", "production")
KNOWN = ("ECOM_SPEC", "ECOM_ENVIRONMENT", "ECOM_STATE")
FOR_TESTS = "ECOM_TEST_"  # settings of the test suite, which are none of the program's


@dataclass(frozen=True)
class Settings:
    """specs: the spec files of the code location. state: the folder of all local state."""

    specs: tuple[Path, ...]
    environment: str
    state: Path


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from ECOM_SPEC (paths joined by ':'), ECOM_ENVIRONMENT and ECOM_STATE.

    Raises ConfigurationError for an unknown ECOM_* name or environment.
    """
    environ = os.environ if environ is None else environ
    unknown = sorted(
        name for name in environ if name.startswith("ECOM_") and not name.startswith(FOR_TESTS) and name not in KNOWN
    )
    if unknown:
        raise ConfigurationError(
            "read the settings", f"unknown variable {', '.join(unknown)}", f"Known are {', '.join(KNOWN)}."
        )
    environment = environ.get("ECOM_ENVIRONMENT", "local")
    if environment not in ENVIRONMENTS:
        raise ConfigurationError(
            "read the settings",
            f"ECOM_ENVIRONMENT is {environment!r}",
            f"Use one of {', '.join(ENVIRONMENTS)}.",
        )
    specs = tuple(Path(each).resolve() for each in environ.get("ECOM_SPEC", "").split(":") if each)
    return Settings(
        specs=specs or (EXAMPLE_SPEC,),
        environment=environment,
        state=Path(environ.get("ECOM_STATE") or _default_state()).resolve(),
    )


def _default_state() -> Path:
    """.ecom beside the code; for root below closed folders (a checkout in /root) one that PostgreSQL's own
    account may enter.
    """
    if os.geteuid() != 0 or all(each.stat().st_mode & 0o001 for each in (ROOT, *ROOT.parents)):
        return ROOT / ".ecom"
    return Path("/var/lib/ecom_platform") / f"state-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:12]}"
