"""Proves the kept snapshots of all sources and stores in turn: what the daily verification does beside the newest.

Which are due is chosen in rotation.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ecom_platform.backup import proof
from ecom_platform.backup.catalogue_reading import read_catalogue
from ecom_platform.backup.rotation import Kept, due, kept_of, overdue
from ecom_platform.backup.sources import proved, set_members
from ecom_platform.backup.trust import trusted_signers
from ecom_platform.clients.objects import open_store
from ecom_platform.errors import ConfigurationError, EcomError, TransientError
from ecom_platform.platforms.protocol import Platform
from ecom_platform.records import Findings, Record
from ecom_platform.spec import Database, Shop
from ecom_platform.verdicts import Outcome, Verdict, failed, holds, inconclusive, passed

CHECKS = {
    "due_proved": "every snapshot that was due was restored from its store and compared",
    "within_period": "every kept snapshot, in every store, was proved within the time that the spec allows",
}
EVERY = timedelta(days=1)
"""How often it is asked; the schedule of the verification is daily."""

SHOWN = 5

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Reproof(Record):
    """How many snapshots are kept in all stores together, and how many of them were proved now."""

    kept: int
    proved_now: int

    def to_metadata(self) -> dict[str, Any]:
        return dict(vars(self))


def prove_due(platform: Platform, shop: Shop, *, progress: Progress) -> tuple[Findings, Reproof]:
    """Verdicts for CHECKS. Raises what reading the catalogues raises."""
    within = shop.backups.again_within
    kept = _kept(platform, shop)
    # Sets last: they are proved by their members' proofs.
    chosen = sorted(
        due(kept, datetime.now(UTC), within=within, every=EVERY), key=lambda each: each.source == set_members.SOURCE
    )
    progress(f"{len(chosen)} of {len(kept)} kept snapshots are due")
    verdicts = [_prove(platform, shop, each, progress) for each in chosen]
    if not verdicts:
        verdicts.append(
            passed("nothing was due", f"{len(kept)} kept, all proved")
            if kept
            else inconclusive("due", "nothing is kept")
        )
    late = overdue(_kept(platform, shop), datetime.now(UTC), within=within)
    claim = f"every kept snapshot was proved within {within.days} days"
    seen = ", ".join(f"{each.source} {each.id} in {each.store}" for each in late[:SHOWN])
    period = failed(claim, f"{len(late)} were not: {seen}") if late else holds(claim, kept, f"{len(kept)} kept")
    return Findings({"due_proved": verdicts, "within_period": [period]}), Reproof(len(kept), len(chosen))


def _kept(platform: Platform, shop: Shop) -> list[Kept]:
    stores = [open_store(platform.store(name)) for name in shop.stores]
    trusted = trusted_signers(platform, shop)
    catalogues = [(store.name, read_catalogue(store, shop=shop.shop, trusted=trusted)) for store in stores]
    return [each for name, catalogue in catalogues for each in kept_of(catalogue, name)]


def _prove(platform: Platform, shop: Shop, kept: Kept, progress: Progress) -> Verdict:
    claim = f"{kept.source} {kept.id} in {kept.store} restores"
    try:
        findings = _findings(platform, shop, kept, progress)
    except EcomError as error:
        untried = isinstance(error, TransientError | ConfigurationError)
        return (inconclusive if untried else failed)(claim, str(error))
    bad = [str(each) for found in findings.verdicts.values() for each in found if not each.passed]
    if findings.overall is Outcome.PASSED:
        return passed(claim, f"{sum(len(each) for each in findings.verdicts.values())} claims hold")
    judge = failed if findings.overall is Outcome.FAILED else inconclusive
    return judge(claim, "; ".join(bad[:SHOWN]))


def _findings(platform: Platform, shop: Shop, kept: Kept, progress: Progress) -> Findings:
    kind, _, name = kept.source.partition("/")
    if kind != "database":
        return proved.prove(platform, shop, kept.source, snapshot=kept.id, store=kept.store, progress=progress)[0]
    known = next((each for each in shop.databases if each.name == name), None)
    # One that has left the spec is kept by the rules all the same, and is proved without a read path.
    database = known or Database(name=name, managed=True)
    return proof.prove(platform, shop, database, snapshot=kept.id, store=kept.store, progress=progress)[0]
