"""Pages of evidence to render in tests: one of each outcome, with everything that a page can hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from ecom_platform.report.budgets import Recovery
from ecom_platform.report.evidence import (
    STAGES,
    Bars,
    Cell,
    Evidence,
    EvidencePage,
    Series,
    Table,
)
from ecom_platform.spec import Stage
from ecom_platform.verdicts import Outcome

NOW = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
CLAIMS: tuple[tuple[Stage, str, str, str, dict[str, float]], ...] = (
    ("deployments", "backend", "every instance is ready", "2 of 2 instances of 1.0.0 ready, blue", {"start_s": 3.4}),
    ("deployments", "frontend", "every instance is ready", "1 of 1 instances of 1.0.0 ready, blue", {"start_s": 1.1}),
    ("deployments", "shop", "the schema is migrated and filled", "revision 0003, 20,000 orders", {"orders": 20000}),
    ("validations", "backend", "every endpoint answers as the spec says", "5 of 5", {"endpoints": 5, "p95_ms": 4.21}),
    ("validations", "frontend", "a purchase passes the front door", "order 20001 for 25.90 EUR", {"total_ms": 87.5}),
    ("validations", "shop", "the app role cannot change the schema", "permission denied for schema public", {}),
    ("backups", "shop", "the snapshot lies in every store", "local and cloud", {"size_bytes": 18.4e6, "took_s": 1.94}),
    ("backups", "media", "the snapshot lies in every store", "local and cloud", {"size_bytes": 2.1e6, "took_s": 0.31}),
    ("restores", "shop", "the schema is the same", "7 tables, 9 indexes, 6 constraints", {"tables": 7}),
    ("restores", "shop", "every row of every table is the same", "86,420 rows of 7 tables", {"rows": 86420}),
    ("restores", "shop", "the shop reads a product from the copy", "product 1, Enamel mug", {"took_s": 0.8}),
    ("benchmarks", "front door", "p95 is at most 500 ms", "38.2 ms, wanted at most 500 ms", {"p95_ms": 38.2}),
    ("benchmarks", "front door", "at most 1 % of requests fail", "0 of 1,000", {"error_share": 0.0, "requests": 1000}),
    ("releases", "1.1.0", "no request was lost", "0 of 6,214 requests during the switch", {"requests": 6214}),
    ("drills", "database lost", "recovered within the RTO", "41.3 s from fault to purchase", {"recovered_s": 41.3}),
)


def evidence(outcomes: dict[str, Outcome] | None = None, runs: int = 4) -> tuple[Evidence, ...]:
    """Each claim once per run, every six hours; passed, but in the newest run as `outcomes` says by claim."""
    outcomes = outcomes or {}
    return tuple(
        Evidence(
            stage=stage,
            subject=subject,
            claim=claim,
            outcome=outcomes.get(claim, Outcome.PASSED) if back == 0 else Outcome.PASSED,
            seen=seen,
            numbers=numbers,
            at=NOW - timedelta(hours=6 * back, minutes=4, seconds=STAGES.index(stage)),
            run_id=f"{STAGES.index(stage)}{back}c2f8e1-58d1-4c0e-9d0f-6a1b2c3d4e5f",
        )
        for back in reversed(range(runs))
        for stage, subject, claim, seen, numbers in CLAIMS
    )


def series() -> tuple[Series, ...]:
    times = [NOW - timedelta(hours=6 * back) for back in range(14, 0, -1)]
    return (
        Series(
            "Verified restore of shop",
            "s",
            [(at, 39 + 3 * (place % 4) + place / 3) for place, at in enumerate(times)],
            limit=60,
            stage="restores",
        ),
        Series(
            "p95 at the front door",
            "ms",
            [(at, 31 + 5 * (place % 3)) for place, at in enumerate(times)],
            stage="benchmarks",
        ),
    )


def bars() -> tuple[Bars, ...]:
    phases = {"fetch": 1.2, "decrypt": 0.6, "restore": 27.4, "compare": 8.1, "read path": 1.9}
    snapshots = [
        (f"shop-20260314T{hour:02}", {part: value * (1 + hour / 60) for part, value in phases.items()})
        for hour in (15, 9, 3)
    ]
    classes = ("home", "product list", "search", "login", "cart", "checkout")
    percentiles = [
        (name, {"p50": 4.0 + 3 * place, "p95": 12.0 + 9 * place, "p99": 25.0 + 17 * place})
        for place, name in enumerate(classes)
    ]
    return (
        Bars("Phases of the last restores", "s", snapshots, stage="restores"),
        Bars("Latency by request class", "ms", percentiles, stacked=False, limit=120, stage="benchmarks"),
    )


def table() -> Table:
    return Table(
        "What is promised, and what is true",
        ("backup", "frequency", "retention"),
        (
            ("Database", Cell("every 6 h", "newest 2 h old", Outcome.PASSED), Cell("7 d", "oldest 4 d old")),
            ("Media", Cell("daily", "newest 31 h old", Outcome.FAILED), Cell("30 d", "", None)),
        ),
        stage="backups",
    )


def page(
    outcomes: dict[str, Outcome] | None = None,
    *,
    restore_seconds: float | None = 41.3,
    taken_at: datetime | None = NOW - timedelta(hours=2, minutes=14),
) -> EvidencePage:
    return EvidencePage(
        shop="ecommerce",
        generated_at=NOW,
        evidence=evidence(outcomes),
        series=series(),
        tables=(table(),),
        links=(("code", "https://example.org/ecom"),),
        webserver_url="http://127.0.0.1:3000",
        bars=bars(),
        recoveries=(
            Recovery(
                "shop", timedelta(hours=6), timedelta(hours=1), taken_at=taken_at, restore_seconds=restore_seconds
            ),
        ),
    )
