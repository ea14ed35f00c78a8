"""Where the shop's database is: the one reading of DATABASE_URL_FILE, for every program of the shop.

The URL holds a password, so that it comes by a file and never by an argument or a log line.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


class NotConfigured(Exception):
    """A setting that the program needs is missing or wrong; the text says which and why."""


def database_url(environment: Mapping[str, str]) -> str:
    """The `postgresql://` URL that the file named by DATABASE_URL_FILE holds; raises NotConfigured."""
    name = environment.get("DATABASE_URL_FILE", "")
    if not name:
        raise NotConfigured("DATABASE_URL_FILE is not set: it names the file that holds the database's URL")
    try:
        url = Path(name).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise NotConfigured(f"DATABASE_URL_FILE: {name} cannot be read ({type(error).__name__})") from error
    if not url.startswith(("postgresql://", "postgres://")):
        raise NotConfigured(f"DATABASE_URL_FILE: {name} does not hold a postgresql:// URL")
    return url
