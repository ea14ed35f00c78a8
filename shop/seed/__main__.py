"""`python -m shop.seed --orders N [--seed S]`: tables first, then the pictures in MEDIA_DIR.

Run again with the same arguments it finds everything there and does nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import psycopg

from shop.database_url import NotConfigured, database_url
from shop.seed.fill import NotEmpty, Size, fill
from shop.seed.pictures import draw_all


def main(arguments: list[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """0 seeded, or it was so already; 1 the database refused; 2 not configured or other data is there."""
    parser = argparse.ArgumentParser(prog="shop.seed", description=__doc__)
    parser.add_argument("--orders", type=_count, default=20_000, help="orders to make; 2000000 is about 1.2 GB")
    parser.add_argument("--seed", type=_count, default=1, help="another seed, other content")
    chosen = parser.parse_args(arguments)
    size = Size(chosen.orders, chosen.seed)
    try:
        filled = fill(database_url(environment), size)
        media = environment.get("MEDIA_DIR", "")
        drawn = draw_all(Path(media)) if media else 0
    except (NotConfigured, NotEmpty) as error:
        sys.stderr.write(f"shop.seed: {error}\n")
        return 2
    except (psycopg.Error, OSError) as error:
        sys.stderr.write(f"shop.seed: {type(error).__name__}: {error}\n")
        return 1
    what = size.label if filled else f"nothing to do, {size.label}"
    pictures = f"{drawn} pictures drawn" if media else "no MEDIA_DIR, no pictures"
    sys.stdout.write(f"{what}; {pictures}\n")
    return 0


def _count(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 100_000_000:
        raise argparse.ArgumentTypeError("must be from 1 to 100000000")
    return value


if __name__ == "__main__":
    sys.exit(main())
