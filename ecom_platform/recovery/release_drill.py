"""The drill `bad-release`: a version that cannot reach its database is released, and turns back by itself.

The recovery is the release's own; here it is only begun, watched and timed, under real orders.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from ecom_platform.platforms.protocol import Platform
from ecom_platform.records import Findings
from ecom_platform.recovery import probes
from ecom_platform.recovery.checks import BAD_RELEASE
from ecom_platform.recovery.copies import Progress, Site, copy_of
from ecom_platform.recovery.course import Back, Plan, on_a_copy
from ecom_platform.recovery.record import DrillRecord
from ecom_platform.recovery.rehearsal import Rehearsal
from ecom_platform.recovery.saving import save_database
from ecom_platform.release.machine import Phase
from ecom_platform.release.operations import Operator
from ecom_platform.release.state import Journal
from ecom_platform.release.versions import wanted
from ecom_platform.spec import DatabaseReference, Service, Shop
from ecom_platform.verdicts import Verdict, equal, holds

BAD_VERSION = "999.0.0"
NOWHERE = "/nonexistent/database-url"
RELEASE_SECONDS = 1800.0


def run(live: Platform, shop: Shop, variant: str, progress: Progress) -> tuple[Findings, DrillRecord]:
    """Verdicts for checks.RELEASE_CHECKS and the record."""
    return on_a_copy(live, shop, copy_of(shop), release_plan, drill=(BAD_RELEASE, variant), progress=progress)


def bad_version(shop: Shop) -> Shop:
    """The shop at a newer version whose services look for their database where none is."""
    return shop.model_copy(update={"services": tuple(_bad(each) for each in shop.services)})


def _bad(service: Service) -> Service:
    lost = {name: NOWHERE for name, value in service.environment.items() if isinstance(value, DatabaseReference)}
    return service.model_copy(update={"version": BAD_VERSION, "environment": {**service.environment, **lost}})


def release_plan(site: Site, rehearsal: Rehearsal) -> Plan:
    operator = Operator(site.platform, site.shop, f"the drill {rehearsal.id}", rehearsal.progress)
    pool, begun = ThreadPoolExecutor(1), list[Future[Journal]]()
    before = {each.name: site.platform.live_colour(each) for each in site.shop.services}

    def release() -> None:
        begun.append(pool.submit(operator.start, wanted(bad_version(site.shop))))

    def noticed() -> Iterator[Verdict]:
        journal = operator.read().journal
        phase = journal.release.phase if journal else Phase.FORWARD
        yield holds("no release turns back", phase is Phase.FORWARD, f"{phase}" + (f": {_why(journal)}"))

    def recover() -> Back:
        stopped = time.monotonic()
        journal = begun[0].result(timeout=RELEASE_SECONDS)
        pool.shutdown()
        now = {each.name: site.platform.live_colour(each) for each in site.shop.services}
        turned = journal.release.phase in (Phase.REVERTED, Phase.REFUSED)
        verdicts = [
            holds("the release turned back by itself", turned, f"{journal.release.phase}: {_why(journal)}"),
            equal("the colours that were live still are", before, now),
        ]
        return Back(stopped, time.monotonic(), {"recovered": verdicts})

    return Plan(
        drill=BAD_RELEASE,
        variant=rehearsal.variant,
        budget_seconds=site.shop.databases[0].rto.total_seconds(),
        loss_seconds=0.0,
        save=lambda: _saved(site),
        fault=release,
        eyes=lambda: [noticed, *probes.fronts(site.platform, site.shop)],
        recover=recover,
        shop=lambda: (site.platform, site.shop),
        keeps_all=True,
    )


def _saved(site: Site) -> None:
    for each in site.shop.databases:
        save_database(site.platform, site.shop, each)


def _why(journal: Journal | None) -> str:
    return (journal.release.reason or "no reason")[:300] if journal else "no release"
