"""Which kept snapshots are to be proved now: each once at least, and each again within its period. Pure.

Two rules: what was never proved is due at once; of the others, those whose proof would grow too old
before the next time, and beside them so many of the oldest proofs that the work of a period is spread
over its days.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ecom_platform.backup.catalogue_reading import Catalogue
from ecom_platform.backup.manifest import Status
from ecom_platform.verdicts import Outcome


@dataclass(frozen=True, order=True)
class Kept:
    """A snapshot in a store. judged_at: its newest conclusive verification there; None if there was none."""

    id: str
    store: str
    source: str
    judged_at: datetime | None = None


def kept_of(catalogue: Catalogue, store: str) -> list[Kept]:
    """All of a store that were not removed."""
    return [
        Kept(
            each.manifest.id,
            store,
            each.manifest.source,
            max((proof.at for proof in each.proofs if proof.outcome is not Outcome.INCONCLUSIVE), default=None),
        )
        for each in catalogue.of(None)
        if each.status is not Status.EXPIRED
    ]


def due(kept: Sequence[Kept], now: datetime, *, within: timedelta, every: timedelta) -> list[Kept]:
    """Those to prove now, the never proved first and of these the newest, then the oldest proofs.

    within: the oldest that a proof may become. every: until the next time that this is asked.
    """
    never = sorted((each for each in kept if each.judged_at is None), reverse=True)
    judged = sorted(((each.judged_at, each) for each in kept if each.judged_at is not None), key=lambda pair: pair[0])
    must = sum(at + within <= now + every for at, _ in judged)
    # One round less than fit in, so that none waits for the last moment.
    share = math.ceil(len(judged) * (every / max(within - every, every)))
    # What was proved since the last time is not due again, however few there are.
    spread = sum(at + every <= now for at, _ in judged[:share])
    return [*never, *(each for _, each in judged[: max(must, spread)])]


def overdue(kept: Sequence[Kept], now: datetime, *, within: timedelta) -> list[Kept]:
    """Those that nobody proved within the time, oldest first."""
    return sorted(each for each in kept if each.judged_at is None or each.judged_at + within < now)
