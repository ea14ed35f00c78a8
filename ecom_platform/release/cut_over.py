"""The cut-over: each service's active address led to the new colour, with a ledger of requests across it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from ecom_platform.load import ledger
from ecom_platform.load.ledger import Answered, Ledger
from ecom_platform.platforms.protocol import Platform
from ecom_platform.release.driver import Seen
from ecom_platform.release.machine import Release
from ecom_platform.spec import Shop

SECONDS = 120.0
"""The longest that the ledger may run: a switch takes parts of a second, in a cluster up to half a minute."""
BEFORE_REQUESTS, AFTER_REQUESTS = 20, 20
"""Requests that must have been answered before the first switch and after the last."""
LEAST_RATE = 50.0
SETTLING_SECONDS = 3.0
"""Each node of a cluster hears of a switch by itself, with kube-proxy's own settings within a second or two, and the
ledger goes through one of them: nothing is called switched before."""


def cut_over(platform: Platform, shop: Shop, release: Release, *, fresh: bool) -> Seen:
    """Switch every service, callers last, so that nobody is led to a caller whose callees are not there.

    The ledger asks the front door who answers. Switched already is not switched again.
    """
    front = shop.front_door
    new = {each.name for service in shop.services for each in platform.instances(service, release.new)}
    waiting = [name for name in release.services if platform.live_colour(shop.service(name)) != release.new]
    rate = max(shop.release.probes, 0 if fresh else LEAST_RATE)
    address = platform.address(front, "active")
    with Ledger(address, [(front.probes.version, "")], rate=rate, seconds=SECONDS, fresh=fresh) as kept:
        _until(kept, lambda answers: len(answers) >= BEFORE_REQUESTS)
        for name in waiting:
            platform.switch(shop.service(name), release.new)
        confirmed = time.monotonic()
        settled = confirmed + (SETTLING_SECONDS if fresh else 0.0)
        # Not those that were under way: where answers take long, they alone would be as many.
        _until(
            kept,
            lambda answers: (
                time.monotonic() >= settled and sum(each.began > confirmed for each in answers) >= AFTER_REQUESTS
            ),
        )
        answers = kept.finish()
    verdicts = [
        ledger.nothing_lost(answers, minimum=BEFORE_REQUESTS + AFTER_REQUESTS),
        ledger.none_by_the_old(answers, confirmed, new, minimum=AFTER_REQUESTS // 2),
    ]
    facts = {"cut_over_requests": float(len(answers)), "cut_over_lost": float(len(ledger.lost(answers)))}
    both = ledger.overlap(answers, new)
    if both is not None:
        verdicts.append(ledger.short_overlap(answers, new))
        facts["both_colours_seconds"] = round(both, 3)
    return Seen(verdicts, facts, f"switched {', '.join(waiting) or 'nothing: all were switched already'}")


def _until(kept: Ledger, enough: Callable[[Sequence[Answered]], bool]) -> None:
    """Until so much has an end; a request that is not answered has one too, after its time."""
    deadline = time.monotonic() + 3 * ledger.TIMEOUT_SECONDS
    while not enough(kept.so_far()) and time.monotonic() < deadline:
        time.sleep(0.02)
