"""What is lost with the state folder, in words for a person who is about to remove it."""

from __future__ import annotations

import os
from pathlib import Path

from ecom_platform.platforms.local.layout import Layout
from ecom_platform.spec import Shop


def of(layout: Layout, shop: Shop) -> list[str]:
    """One line a thing that is there."""
    databases = ", ".join(each.name for each in shop.databases if each.managed)
    managed = ", ".join(name for name, store in shop.stores.items() if store.managed)
    found = [
        _line(layout.postgres, f"databases: {databases or 'none of the spec'}"),
        _line(layout.seaweedfs, f"the managed S3 server with its backups: {managed or 'none of the spec'}"),
        _line(layout.folders, "application data"),
        _line(layout.dagster, "Dagster's history of runs"),
        _line(layout.reports, "pages of evidence"),
    ]
    for name, store in shop.stores.items():
        path = store.url.removeprefix("file:").removeprefix("//")
        if store.url.startswith("file:") and not Path(path).is_absolute():
            found.append(_line(layout.state / path, f"backups in the store {name}"))
    if any(layout.secrets.glob("age-identity*")):
        found.append("the encryption key: every backup made with it can never be read again, wherever it lies")
    return [each for each in found if each]


def _line(folder: Path, what: str) -> str:
    size = _bytes(folder)
    return f"{what} ({size / 1e6:.1f} MB)" if size else ""


def _bytes(folder: Path) -> int:
    total = 0
    for root, _, files in os.walk(folder):
        for each in files:
            path = Path(root, each)
            total += path.lstat().st_size if path.exists() else 0
    return total
