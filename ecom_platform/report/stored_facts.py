"""What the stores themselves say, for the page: the backup table with the truth beside it, and load-test trends.

Reads catalogues and the benchmark data set. Not here: what Dagster recorded (evidence_log.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ecom_platform.backup.catalogue_reading import Catalogue, read_catalogue
from ecom_platform.backup.retention_policy import rules_of
from ecom_platform.backup.sources import set_members
from ecom_platform.backup.sources.taken import sources_of
from ecom_platform.backup.trust import trusted_signers
from ecom_platform.clients.objects import open_store
from ecom_platform.errors import EcomError, MissingError, UnreachableError
from ecom_platform.keys import ONLY
from ecom_platform.load.dataset import read_history
from ecom_platform.load.gate import data_set_of
from ecom_platform.load.results import TOTAL
from ecom_platform.platforms.protocol import Platform
from ecom_platform.report.evidence import Bars, Cell, Series, Table
from ecom_platform.report.promises import Facts, backup_table, stored_of
from ecom_platform.spec import Shop
from ecom_platform.verdicts import Outcome

RUNS = 60  # load tests in the trend: two months of nightly ones
SHOWN = ("p50_ms", "p95_ms", "p99_ms")


def backups(platform: Platform, shop: Shop, recovery_seconds: dict[str, float | None], now: datetime) -> list[Table]:
    """The user's document's backup table for this shop. recovery_seconds: of the last proof, by source (KIND/NAME).

    A store that cannot be read is named in a table of its own: the page is wanted most when something is broken.
    """
    catalogues, unread = _catalogues(platform, shop)
    rules = {name: rules_of(shop.stores[name], name) for name in catalogues}

    def facts(source: str) -> Facts:
        stores = {name: stored_of(found, source, rules[name].of(source)) for name, found in catalogues.items()}
        return Facts(stores, recovery_seconds.get(source), unread)

    rows: dict[str, dict[str, Facts]] = {}
    for source in [*sources_of(shop), set_members.SOURCE]:
        kind, _, name = source.partition("/")
        rows.setdefault(ROWS[kind], {})["" if name == ONLY else name] = facts(source)
    return [backup_table(rows, now), *([_unread(unread)] if unread else [])]


def _catalogues(platform: Platform, shop: Shop) -> tuple[dict[str, Catalogue], dict[str, str]]:
    """What each store says, and why others say nothing."""
    read: dict[str, Catalogue] = {}
    unread: dict[str, str] = {}
    trusted = trusted_signers(platform, shop)
    for name in shop.stores:
        try:
            read[name] = read_catalogue(open_store(platform.store(name)), shop=shop.shop, trusted=trusted)
        except EcomError as error:
            unread[name] = error.seen
    return read, unread


def _unread(unread: Mapping[str, str]) -> Table:
    rows = [(name, Cell("not read", seen, Outcome.INCONCLUSIVE)) for name, seen in unread.items()]
    return Table("Stores that could not be read", ("Store", "What was seen"), rows, stage="backups")


ROWS = {"database": "database", "folder": "data", "configuration": "configuration", "complete": "cluster"}
"""The row of the document's table for each kind of source."""


def load_tests(platform: Platform, shop: Shop) -> tuple[list[Series], list[Bars]]:
    """The trend of p95 over the runs, and the newest run's latencies by request class; empty without runs.

    A store that cannot be read gives none; backups() says so.
    """
    store, prefix = data_set_of(platform, shop)
    try:
        history = read_history(store, prefix=prefix, newest=RUNS)
    except (MissingError, UnreachableError):
        return [], []
    if history.empty:
        return [], []
    total = history[history["request_class"] == TOTAL]
    points = [(at.to_pydatetime(), float(p95)) for at, p95 in zip(total["started_at"], total["p95_ms"], strict=True)]
    newest = history[history["run"] == total["run"].iloc[-1]]
    bars = [
        (str(row["request_class"]), {name.removesuffix("_ms"): float(row[name]) for name in SHOWN})
        for _, row in newest.iterrows()
    ]
    limit = shop.thresholds.p95_ms
    return (
        [Series("p95 of the front door", "ms", points, limit, stage="benchmarks")],
        [Bars("Latency by request class, newest run", "ms", bars, stacked=False, stage="benchmarks")],
    )
