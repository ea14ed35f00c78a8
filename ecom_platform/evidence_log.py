"""Reads back from the Dagster instance what checks and materialisations recorded, as a page of evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import dagster as dg

from ecom_platform import keys
from ecom_platform.failures import VERDICTS
from ecom_platform.report.budgets import Recovery
from ecom_platform.report.evidence import Evidence, EvidencePage, Series, stages_of
from ecom_platform.spec import Shop, Stage
from ecom_platform.verdicts import Outcome, Verdict, from_dict, inconclusive

if TYPE_CHECKING:
    from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

PAGE = "evidence.html"
POINTS = 60  # of each trend: two months of daily runs


def write_page(page: EvidencePage, folder: Path) -> Path:
    """Write the page as evidence.html, whole or not at all, and return its path."""
    from ecom_platform.report.page import write

    return write(page, folder / PAGE)


def gather(
    instance: dg.DagsterInstance, shop: Shop, earlier: Sequence[dg.AssetsDefinition], webserver: str = ""
) -> EvidencePage:
    """What the instance holds of this shop, as a page; evidence that is not there shows as inconclusive."""
    return EvidencePage(
        shop=shop.shop,
        generated_at=datetime.now(UTC),
        evidence=[each for asset in earlier for each in _evidence_of(instance, asset)],
        series=list(_series(instance, shop)),
        stages=stages_of(shop),
        recoveries=[_recovery(instance, shop, each.name) for each in shop.databases],
        webserver_url=webserver,
        left_out=shop.leave_out,
    )


def _evidence_of(instance: dg.DagsterInstance, asset: dg.AssetsDefinition) -> Iterator[Evidence]:
    for check in asset.check_keys:
        record = instance.get_latest_asset_check_evaluation_record(check)
        if record is None:
            continue
        at = datetime.fromtimestamp(record.create_timestamp, UTC)
        for verdict in _verdicts(check.name, record):
            yield Evidence(
                stage=cast("Stage", check.asset_key.path[1]),
                subject=check.asset_key.path[-1],
                claim=verdict.claim,
                outcome=verdict.outcome,
                seen=verdict.seen,
                numbers=verdict.numbers,
                at=at,
                run_id=record.run_id,
            )


def _verdicts(name: str, record: AssetCheckExecutionRecord) -> list[Verdict]:
    """What the check found; one that was planned and never judged is inconclusive, whatever came before it."""
    event = record.event.dagster_event if record.event else None
    if event is None or event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return [inconclusive(name, "the run ended before this was judged")]
    stored = event.asset_check_evaluation_data.metadata.get(VERDICTS)
    if not isinstance(stored, dg.JsonMetadataValue) or not stored.value:
        return [inconclusive(name, "nothing was measured")]
    return [from_dict(each) for each in cast("list[dict[str, Any]]", stored.value)]


def _history(instance: dg.DagsterInstance, asset: dg.AssetKey) -> list[tuple[datetime, dict[str, float]]]:
    """The numbers of the asset's materialisations, oldest first."""
    records = instance.fetch_materializations(asset, limit=POINTS).records
    found = []
    for record in reversed(records):
        metadata = record.asset_materialization.metadata if record.asset_materialization else {}
        numbers = {name: float(entry.value) for name, entry in metadata.items() if isinstance(entry.value, int | float)}
        found.append((datetime.fromtimestamp(record.timestamp, UTC), numbers))
    return found


def _series(instance: dg.DagsterInstance, shop: Shop) -> Iterator[Series]:
    for database in shop.databases:
        proofs = _history(instance, dg.AssetKey(keys.database_path(shop, "restores", database.name)))
        points = [(at, numbers["total_seconds"]) for at, numbers in proofs if "total_seconds" in numbers]
        yield Series(f"{database.name}: verified restore", "s", points, database.rto.total_seconds(), "restores")


def _recovery(instance: dg.DagsterInstance, shop: Shop, name: str) -> Recovery:
    database = shop.database(name)
    proofs = _history(instance, dg.AssetKey(keys.database_path(shop, "restores", name)))
    if not proofs:
        return Recovery(name, database.rpo, database.rto)
    numbers = proofs[-1][1]
    taken = datetime.fromtimestamp(numbers["snapshot_timestamp"], UTC)
    return Recovery(name, database.rpo, database.rto, taken, numbers["total_seconds"])


def claim_counts(page: EvidencePage) -> dict[str, int]:
    """How many claims stand on the page, in all and by outcome."""
    outcomes = [each.outcome for each in page.evidence]
    return {f"claims_{each.value}": outcomes.count(each) for each in Outcome} | {"claims": len(outcomes)}
