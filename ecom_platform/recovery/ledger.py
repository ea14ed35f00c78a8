"""The write ledger: which orders the shop acknowledged during a drill, and what the database holds of them. Pure.

An order counts as acknowledged when its answer was read and is on the disk (ledger_file.py). What was not
acknowledged may be there or not: nobody was promised anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ecom_platform.verdicts import Verdict, at_most, failed, holds, inconclusive, passed

SHOWN = 5
"""Orders named in one verdict; the ledger itself names them all."""

LEAST_ORDERS = 3
"""With fewer acknowledged orders before the fault there was no steady shop that could lose anything."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One order that was tried. began, acknowledged: seconds of the drill's clock; order: the shop's number for it.

    acknowledged is None when no good answer came: refused, failed, or cut off.
    """

    number: int
    key: str
    began: float
    acknowledged: float | None = None
    order: int | None = None


@dataclass(frozen=True)
class Reconciliation:
    """Every attempt in one of four places, and what must not be anywhere.

    twice: keys with more than one order. strange: keys that the ledger never began.
    altered: acknowledged under another order number than the database's.
    """

    kept: tuple[Attempt, ...] = ()
    lost: tuple[Attempt, ...] = ()
    unanswered_kept: tuple[Attempt, ...] = ()
    unanswered_gone: tuple[Attempt, ...] = ()
    twice: tuple[str, ...] = ()
    strange: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()

    @property
    def acknowledged(self) -> int:
        return len(self.kept) + len(self.lost)


def reconcile(attempts: Sequence[Attempt], found: Mapping[str, Sequence[int]]) -> Reconciliation:
    """found: the numbers of the orders that the database holds under each key of this drill."""
    known = {each.key for each in attempts}
    answered = [each for each in attempts if each.acknowledged is not None]
    unanswered = [each for each in attempts if each.acknowledged is None]
    there = {key for key, orders in found.items() if orders}
    return Reconciliation(
        kept=tuple(each for each in answered if each.key in there),
        lost=tuple(each for each in answered if each.key not in there),
        unanswered_kept=tuple(each for each in unanswered if each.key in there),
        unanswered_gone=tuple(each for each in unanswered if each.key not in there),
        twice=tuple(sorted(key for key, orders in found.items() if len(orders) > 1)),
        strange=tuple(sorted(there - known)),
        altered=tuple(
            each.key
            for each in answered
            if each.key in there and each.order is not None and each.order not in found[each.key]
        ),
    )


@dataclass(frozen=True, slots=True)
class Moments:
    """Of a drill, in seconds of its clock. saved: when the recovered snapshot's dump was begun; None when the
    snapshot is older than the drill. fault; stopped: nobody wrote to the old database from then on;
    back: the shop served again.
    """

    fault: float
    stopped: float
    back: float
    saved: float | None = None


def lost_seconds(found: Reconciliation, moments: Moments) -> float:
    """How much acknowledged work was lost: from the first lost order to the moment at which writing stopped."""
    moments_lost = [each.acknowledged for each in found.lost if each.acknowledged is not None]
    return max(0.0, moments.stopped - min(moments_lost)) if moments_lost else 0.0


def judge(found: Reconciliation, moments: Moments, budget_seconds: float) -> list[Verdict]:
    """Verdicts on the ledger: what may be lost is only what came between the snapshot and the stop."""
    before = sum(
        each.acknowledged is not None and each.acknowledged <= moments.fault for each in (*found.kept, *found.lost)
    )
    return [*_enough(before), *_unpromised(found, moments), *_unsound(found), _point(found, moments, budget_seconds)]


def _enough(before: int) -> Iterator[Verdict]:
    claim = "the shop took orders before the fault"
    if before < LEAST_ORDERS:
        yield inconclusive(claim, f"{before} acknowledged orders, this needs {LEAST_ORDERS}", orders=before)
    else:
        yield passed(claim, f"{before} acknowledged orders", orders=before)


def _unpromised(found: Reconciliation, moments: Moments) -> Iterator[Verdict]:
    saved = moments.saved if moments.saved is not None else 0.0
    claims = {
        "no order from before the snapshot is lost": [
            each for each in found.lost if moments.saved is not None and (each.acknowledged or 0.0) < saved
        ],
        "no order from after the recovery is lost": [each for each in found.lost if each.began >= moments.back],
    }
    for claim, broken in claims.items():
        yield holds(claim, not broken, _named([each.key for each in broken]), orders=len(broken))


def _unsound(found: Reconciliation) -> Iterator[Verdict]:
    yield holds("no order is there twice", not found.twice, _named(found.twice))
    yield holds("every order of this drill in the database was begun by it", not found.strange, _named(found.strange))
    if found.altered:
        yield failed("every order has the number that was acknowledged", _named(found.altered))


def _point(found: Reconciliation, moments: Moments, budget_seconds: float) -> Verdict:
    claim = f"{len(found.lost)} of {found.acknowledged} acknowledged orders are lost"
    measured = lost_seconds(found, moments) if found.acknowledged else None
    return at_most(claim, measured, budget_seconds, unit="s")


def _named(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
    return ", ".join(keys[:SHOWN]) + more if keys else "none"
