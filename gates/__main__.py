"""`python -m gates NAME`: exit code 0 passed, 1 failed, 2 not set up, 3 inconclusive.

`pipelines` takes a folder too, whose pipelines it looks at instead of the repository's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from ecom_platform.errors import ConfigurationError, EcomError
from ecom_platform.verdicts import Verdict
from gates import manifests, pipelines, scan
from gates.findings import exit_code

GATES: dict[str, Callable[[], list[Verdict]]] = {
    "manifests": lambda: manifests.examine(scan.reasons()),
    "scan": lambda: scan.files(scan.reasons()),
    "images": lambda: scan.images(scan.reasons()),
    "pipelines": pipelines.examine,
}


def main(names: list[str]) -> int:
    elsewhere = len(names) == 2 and names[0] == "pipelines"
    if not elsewhere and (len(names) != 1 or names[0] not in GATES):
        print(f"usage: python -m gates {' | '.join(GATES)} [FOLDER]", file=sys.stderr)
        return 2
    try:
        found = pipelines.examine(Path(names[1]).resolve()) if elsewhere else GATES[names[0]]()
    except EcomError as error:
        print(f"gates: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigurationError) else 1
    for each in found:
        print(each)
    return exit_code(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
