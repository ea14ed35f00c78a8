"""Turns a secret's reference into its value, at the last moment and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

from ecom_platform.errors import ConfigurationError
from ecom_platform.spec import SecretReference


def resolve(reference: SecretReference, purpose: str) -> str:
    """The secret's value, without surrounding white space.

    Raises ConfigurationError that names the reference and its purpose, never the value.
    """
    if reference.env is not None:
        value = os.environ.get(reference.env, "").strip()
        where = f"environment variable {reference.env}"
    else:
        path = Path(reference.file or "")
        where = f"file {path}"
        try:
            value = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ConfigurationError(
                f"read the secret for {purpose}", f"{where}: {error.strerror}", "Write the secret there, mode 600."
            ) from error
    if not value:
        raise ConfigurationError(f"read the secret for {purpose}", f"{where} is empty or unset", "Set it.")
    return value
