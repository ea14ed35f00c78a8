"""`python -m gates NAME`: exit code 0 passed, 1 failed, 2 not set up, 3 inconclusive."""

from __future__ import annotations

import sys
from collections.abc import Callable

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
    if len(names) != 1 or names[0] not in GATES:
        print(f"usage: python -m gates {' | '.join(GATES)}", file=sys.stderr)
        return 2
    try:
        found = GATES[names[0]]()
    except EcomError as error:
        print(f"gates: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigurationError) else 1
    for each in found:
        print(each)
    return exit_code(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
