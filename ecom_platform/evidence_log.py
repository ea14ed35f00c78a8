"""Reads back from the Dagster instance what checks and materialisations recorded, as a page of evidence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import dagster as dg

from ecom_platform import keys
from ecom_platform.failures import VERDICTS
from ecom_platform.platforms.protocol import Platform
from ecom_platform.recovery.drills import DRILLS
from ecom_platform.report.budgets import Recovery
from ecom_platform.report.evidence import Bars, Evidence, EvidencePage, Series, Table, stages_of
from ecom_platform.spec import Shop, Stage
from ecom_platform.verdicts import Outcome, Verdict, from_dict, inconclusive

if TYPE_CHECKING:
    from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

    from ecom_platform.recovery.forecast import Point

PAGE = "evidence.html"
POINTS = 60  # of each trend: two months of daily runs
RUNS_AT_ONCE = 20  # that wait to judge one check; a schedule and a person are two
AWAITED = "a run is still at it"
ENDED = "the run ended before this was judged"
SHOWN_PROOFS = 8  # side by side they still can be read
PHASES = ("server", "schema", "data", "indexes", "compare", "read_path")


def write_page(page: EvidencePage, folder: Path) -> Path:
    """Write the page as evidence.html, whole or not at all, and return its path."""
    from ecom_platform.report.page import write

    return write(page, folder / PAGE)


def gather(
    instance: dg.DagsterInstance,
    shop: Shop,
    earlier: Sequence[dg.AssetsDefinition],
    platform: Platform,
    webserver: str = "",
) -> EvidencePage:
    """What the instance and the stores hold of this shop, as a page; evidence that is not there is inconclusive."""
    from ecom_platform.report import release_facts

    now = datetime.now(UTC)
    recoveries = [_recovery(instance, shop, each.name) for each in shop.databases]
    tables, series, bars = _stored(instance, platform, shop, recoveries, now)
    return EvidencePage(
        shop=shop.shop,
        generated_at=now,
        evidence=[each for asset in earlier for each in evidence_of(instance, asset)],
        series=[*_restore_trends(instance, shop), *series, *_drill_trends(instance, shop)],
        tables=[*tables, *_forecasts(instance, shop), *(release_facts.tables(platform) if shop.services else ())],
        bars=[*_restore_phases(instance, shop), *bars],
        stages=stages_of(shop),
        recoveries=recoveries,
        webserver_url=webserver,
        left_out=shop.leave_out,
    )


def _stored(
    instance: dg.DagsterInstance, platform: Platform, shop: Shop, recoveries: Sequence[Recovery], now: datetime
) -> tuple[list[Table], list[Series], list[Bars]]:
    from ecom_platform.backup.sources.taken import sources_of
    from ecom_platform.report import stored_facts

    if not shop.stores:
        return [], [], []
    measured = {f"database/{each.database}": each.restore_seconds for each in recoveries}
    measured |= {
        source: _proof_seconds(instance, shop, source) for source in sources_of(shop) if source not in measured
    }
    # A set is no more than the last proofs of what is in it; only a drill rebuilds the whole.
    measured[keys.source_of("complete")] = _rebuild_seconds(instance, shop)
    series, bars = stored_facts.load_tests(platform, shop) if shop.load else ([], [])
    return stored_facts.backups(platform, shop, measured, now), series, bars


def _proof_seconds(instance: dg.DagsterInstance, shop: Shop, source: str) -> float | None:
    proofs = _history(instance, dg.AssetKey(keys.source_path(shop, "restores", source)))
    return proofs[-1][1]["total_seconds"] if proofs else None


def _rebuild_seconds(instance: dg.DagsterInstance, shop: Shop) -> float | None:
    """Of the newest drill that lost everything."""
    whole = [each.name for each in DRILLS.values() if each.whole]
    found = [point for name in whole for point in _history(instance, dg.AssetKey([shop.shop, "drills", name]))]
    timed = [(at, numbers["rto_seconds"]) for at, numbers in found if "rto_seconds" in numbers]
    return max(timed)[1] if timed else None


def evidence_of(instance: dg.DagsterInstance, asset: dg.AssetsDefinition) -> Iterator[Evidence]:
    """What the checks of the asset found last. A run that is still at it says nothing yet: what was found before it
    counts. One that ended and did not judge is inconclusive, whatever came before it.
    """
    for check in asset.check_keys:
        record = _newest_of(instance, check)
        if record is None:
            continue
        at = datetime.fromtimestamp(record.create_timestamp, UTC)
        awaited = _is_awaited(instance, record)
        for verdict in [inconclusive(check.name, AWAITED)] if awaited else _verdicts(check.name, record):
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


def _newest_of(instance: dg.DagsterInstance, check: dg.AssetCheckKey) -> AssetCheckExecutionRecord | None:
    """The newest record that is judged, or whose run is over; if there is none, the newest."""
    newest = instance.get_latest_asset_check_evaluation_record(check)
    if newest is None or not _is_awaited(instance, newest):
        return newest
    earlier = instance.event_log_storage.get_asset_check_execution_history(check, limit=RUNS_AT_ONCE)
    return next((each for each in earlier if not _is_awaited(instance, each)), newest)


def _is_awaited(instance: dg.DagsterInstance, record: AssetCheckExecutionRecord) -> bool:
    run = None if _evaluation(record) else instance.get_run_by_id(record.run_id)
    return run is not None and not run.is_finished


def _verdicts(name: str, record: AssetCheckExecutionRecord) -> list[Verdict]:
    evaluation = _evaluation(record)
    if evaluation is None:
        return [inconclusive(name, ENDED)]
    stored = evaluation.metadata.get(VERDICTS)
    if not isinstance(stored, dg.JsonMetadataValue) or not stored.value:
        return [inconclusive(name, "nothing was measured")]
    return [from_dict(each) for each in cast("list[dict[str, Any]]", stored.value)]


def _evaluation(record: AssetCheckExecutionRecord) -> dg.AssetCheckEvaluation | None:
    """What the check found; None of one that was only planned."""
    event = record.event.dagster_event if record.event else None
    if event is None or event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        return None
    return event.asset_check_evaluation_data


def _history(instance: dg.DagsterInstance, asset: dg.AssetKey) -> list[tuple[datetime, dict[str, float]]]:
    """The numbers of the asset's materialisations, oldest first."""
    records = instance.fetch_materializations(asset, limit=POINTS).records
    found = []
    for record in reversed(records):
        metadata = record.asset_materialization.metadata if record.asset_materialization else {}
        numbers = {name: float(entry.value) for name, entry in metadata.items() if isinstance(entry.value, int | float)}
        found.append((datetime.fromtimestamp(record.timestamp, UTC), numbers))
    return found


def _proofs(instance: dg.DagsterInstance, shop: Shop, name: str) -> list[tuple[datetime, dict[str, float]]]:
    return _history(instance, dg.AssetKey(keys.database_path(shop, "restores", name)))


def _restore_trends(instance: dg.DagsterInstance, shop: Shop) -> Iterator[Series]:
    for database in shop.databases:
        points = [(at, numbers["total_seconds"]) for at, numbers in _proofs(instance, shop, database.name)]
        yield Series(f"{database.name}: verified restore", "s", points, database.rto.total_seconds(), "restores")


def restore_history(instance: dg.DagsterInstance, shop: Shop, name: str) -> list[Point]:
    """The proofs of a database's snapshots, oldest first, for a forecast."""
    from ecom_platform.recovery.forecast import Point

    return [
        Point(at, numbers["plain_bytes"], numbers["total_seconds"])
        for at, numbers in _proofs(instance, shop, name)
        if {"plain_bytes", "total_seconds"} <= set(numbers)
    ]


def _forecasts(instance: dg.DagsterInstance, shop: Shop) -> Iterator[Table]:
    from ecom_platform.report.drills import forecast_table

    if shop.databases:
        history = {each.name: restore_history(instance, shop, each.name) for each in shop.databases}
        yield forecast_table(history, {each.name: each.rto.total_seconds() for each in shop.databases})


def _drill_trends(instance: dg.DagsterInstance, shop: Shop) -> Iterator[Series]:
    """Of each drill that ran: how long it took, and how much was lost, against its budgets."""
    from ecom_platform.recovery import drills

    if "drills" in shop.leave_out:
        return
    for drill in drills.of(shop):
        found = _history(instance, dg.AssetKey(keys.service_path(shop, "drills", drill.name)))
        limit = drill.budget(shop).total_seconds()
        for title, field, most in (("recovery time", "rto_seconds", limit), ("lost work", "rpo_seconds", None)):
            points = [(at, numbers[field]) for at, numbers in found if field in numbers]
            if points:
                yield Series(f"{drill.name}: {title}", "s", points, most, "drills")


def _restore_phases(instance: dg.DagsterInstance, shop: Shop) -> Iterator[Bars]:
    """The newest proofs by phase. Phases that run beside others (`read`, `fingerprint`) are left out."""
    for database in shop.databases:
        bars = [
            (
                f"{at:%d %b %H:%M}",
                {phase: numbers[f"{phase}_seconds"] for phase in PHASES if f"{phase}_seconds" in numbers},
            )
            for at, numbers in _proofs(instance, shop, database.name)[-SHOWN_PROOFS:]
        ]
        if bars:
            yield Bars(f"{database.name}: verified restore by phase", "s", bars, stage="restores")


def _recovery(instance: dg.DagsterInstance, shop: Shop, name: str) -> Recovery:
    database = shop.database(name)
    proofs = _proofs(instance, shop, name)
    if not proofs:
        return Recovery(name, database.rpo, database.rto)
    numbers = proofs[-1][1]
    taken = datetime.fromtimestamp(numbers["snapshot_timestamp"], UTC)
    return Recovery(name, database.rpo, database.rto, taken, numbers["total_seconds"])


def claim_counts(page: EvidencePage) -> dict[str, int]:
    """How many claims stand on the page, in all and by outcome."""
    outcomes = [each.outcome for each in page.evidence]
    return {f"claims_{each.value}": outcomes.count(each) for each in Outcome} | {"claims": len(outcomes)}
