"""Visits the address in argument 1 about ten times a second until /tmp/enough is there, at most 3000 times.

Each visit is a home page and a product list, over new connections. Prints how many answers came and what
went wrong, as JSON, at the end.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ADDRESS, PATHS, MOST, EVERY = sys.argv[1], ("/", "/api/products?limit=5"), 3000, 0.1


def visit(path: str) -> str:
    try:
        with urllib.request.urlopen(f"{ADDRESS}{path}", timeout=15) as answer:
            answer.read()
            return str(answer.status)
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read()[:200].decode(errors='replace')}"
    except (urllib.error.URLError, OSError) as error:
        return f"{type(error).__name__}: {error}"


def main() -> None:
    said: dict[str, int] = {}
    for number in range(MOST):
        if Path("/tmp/enough").exists():
            break
        begun = time.monotonic()
        answer = visit(PATHS[number % len(PATHS)])
        said[answer] = said.get(answer, 0) + 1
        if number == 0:
            print("visiting", flush=True)
        time.sleep(max(0.0, EVERY - (time.monotonic() - begun)))
    print(json.dumps(said), flush=True)


main()
