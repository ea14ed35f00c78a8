"""Migrations for the tests of releases: `expand`, `contract`, and `half`, which fails after its first half."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import psycopg

STATEMENTS = {
    "expand": ["CREATE TABLE IF NOT EXISTS new_one (id int)"],
    "half": ["CREATE TABLE IF NOT EXISTS half_done (id int)", "ALTER TABLE no_such_table ADD COLUMN more int"],
    "contract": ["DROP TABLE IF EXISTS old_one"],
}


def main() -> None:
    url = Path(os.environ["DATABASE_URL_FILE"]).read_text(encoding="utf-8").strip()
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in STATEMENTS[sys.argv[1]]:
            connection.execute(statement.encode())
    print(sys.argv[1], "done")


if __name__ == "__main__":
    main()
