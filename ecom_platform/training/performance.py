"""Performance testing: a target on loopback that answers up to a rate and refuses what is more; where is the limit?

Judged by what the target itself counted, and by the limit that it was started with.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecom_platform.clients import limited_server
from ecom_platform.clients.web import session
from ecom_platform.errors import EcomError
from ecom_platform.platforms.local.ports import Ports
from ecom_platform.spec import Shop
from ecom_platform.verdicts import Verdict, failed, holds, inconclusive, passed

if TYPE_CHECKING:
    from ecom_platform.platforms.protocol import Platform

ANSWER = "limit.txt"
LEAST, MOST = 40, 90
"""Requests per second: far below what a busy machine serves, so that the limit is the target's and no other's."""

TOLERANCE = 0.2
"""Whoever doubles and halves the rate comes this near in five runs."""

LEAST_REQUESTS = 100
"""Two seconds at the least limit: fewer say nothing about a rate."""


def build(live: Platform, shop: Shop, folder: Path, progress: Callable[[str], None]) -> Mapping[str, Any]:
    del live, shop
    return start_target(folder, LEAST + secrets.randbelow(MOST - LEAST + 1), progress)


def start_target(folder: Path, limit: float, progress: Callable[[str], None]) -> Mapping[str, Any]:
    port = Ports(folder / "ports.json", folder / "ports.lock").choose(["target"])["target"]
    limited_server.start(folder, port, limit)
    address = f"http://127.0.0.1:{port}"
    progress(f"a target serves at {address}/")
    return {"address": address, "limit": limit}


def task(shop: Shop, folder: Path, facts: Mapping[str, Any]) -> str:
    del shop
    return f"""A server answers at {facts["address"]}/ and refuses customers when there are too many. Up to how many
requests per second does it answer all of them? Measure it, below its limit and beyond, and write the number into
  {folder / ANSWER}

In another terminal:
  ecom bench --target {facts["address"]}/ --rate 20 --duration 5s --json
Hints: its exit code and `verdict` say whether the limits held, `errors_by_kind` what went wrong.
       Short runs hide a limit behind the server's patience; docs/benchmarking.md says how long is long enough."""


def look(shop: Shop, folder: Path, facts: Mapping[str, Any]) -> list[Verdict]:
    del shop
    answer = folder / ANSWER
    said = answer.read_text(encoding="utf-8", errors="replace").strip() if answer.exists() else None
    return judge(_counts(facts["address"]), said, facts["limit"])


def remove(shop: Shop, folder: Path) -> None:
    del shop
    limited_server.end(folder)


def judge(counts: Sequence[Sequence[int]] | None, said: str | None, limit: float) -> list[Verdict]:
    """Pure. counts: answered and refused of each second, as the target saw it; None if it does not answer.
    said: the learner's text, None if there is none.
    """
    if counts is None:
        return [inconclusive("the target runs", "it does not answer; `ecom train performance-testing end` begins anew")]
    requests = sum(map(sum, counts))
    refused = sum(each[1] for each in counts)
    within = sum(each[0] for each in counts if each[1] == 0)
    return [
        holds("the target was measured", requests >= LEAST_REQUESTS, f"{requests} requests came to it"),
        holds("it was measured within its limit", within >= LEAST_REQUESTS / 2, f"{within} came in good seconds"),
        holds("it was measured beyond its limit", refused > 0, f"{refused} were refused"),
        _judge_answer(said, limit),
    ]


def _judge_answer(said: str | None, limit: float) -> Verdict:
    claim = "the limit that you wrote is the target's"
    if said is None:
        return failed(claim, f"there is no {ANSWER}")
    try:
        number = float(said)
    except ValueError:
        return failed(claim, f"{said[:40]!r} is not a number")
    near = abs(number - limit) <= TOLERANCE * limit
    return passed(claim, said) if near else failed(claim, f"{number:g} is more than {TOLERANCE:.0%} from it")


def _counts(address: str) -> list[list[int]] | None:
    try:
        with session(address, seconds=5) as target:
            found = target.get(limited_server.COUNTS).json()
    except EcomError:
        return None
    return found if isinstance(found, list) else None
