"""What the stores themselves say, for the page: the backup table with the truth beside it, and load-test trends.

Reads catalogues and the benchmark data set. Not here: what Dagster recorded (evidence_log.py).
"""

from __future__ import annotations

from datetime import datetime

from ecom_platform.backup.catalogue_reading import read_catalogue
from ecom_platform.backup.retention_policy import rules_of
from ecom_platform.backup.sources import set_members
from ecom_platform.backup.sources.taken import sources_of
from ecom_platform.clients.objects import open_store
from ecom_platform.keys import ONLY
from ecom_platform.load.dataset import read_history
from ecom_platform.load.gate import data_set_of
from ecom_platform.load.results import TOTAL
from ecom_platform.platforms.protocol import Platform
from ecom_platform.report.evidence import Bars, Series, Table
from ecom_platform.report.promises import Facts, backup_table, stored_of
from ecom_platform.spec import Shop

RUNS = 60  # load tests in the trend: two months of nightly ones
SHOWN = ("p50_ms", "p95_ms", "p99_ms")


def backups(platform: Platform, shop: Shop, recovery_seconds: dict[str, float | None], now: datetime) -> Table:
    """The user's document's backup table for this shop. recovery_seconds: of the last proof, by source (KIND/NAME)."""
    catalogues = {name: read_catalogue(open_store(platform.store(name)), shop=shop.shop) for name in shop.stores}
    rules = {name: rules_of(store, name) for name, store in shop.stores.items()}

    def facts(source: str) -> Facts:
        stores = {name: stored_of(found, source, rules[name].of(source)) for name, found in catalogues.items()}
        return Facts(stores, recovery_seconds.get(source))

    rows: dict[str, dict[str, Facts]] = {}
    for source in [*sources_of(shop), set_members.SOURCE]:
        kind, _, name = source.partition("/")
        rows.setdefault(ROWS[kind], {})["" if name == ONLY else name] = facts(source)
    return backup_table(rows, now)


ROWS = {"database": "database", "folder": "data", "configuration": "configuration", "complete": "cluster"}
"""The row of the document's table for each kind of source."""


def load_tests(platform: Platform, shop: Shop) -> tuple[list[Series], list[Bars]]:
    """The trend of p95 over the runs, and the newest run's latencies by request class; empty without runs."""
    store, prefix = data_set_of(platform, shop)
    history = read_history(store, prefix=prefix, newest=RUNS)
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
