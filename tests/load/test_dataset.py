"""Runs in the benchmark data set: written once, read back whole, shown as trends."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from pathlib import Path

import pytest

from ecom_platform.clients.folder_objects import FolderStore
from ecom_platform.errors import PermanentError, RefusedError
from ecom_platform.load.dataset import append, frame, read_history
from ecom_platform.load.histograms import Latencies
from ecom_platform.load.results import TOTAL, LoadResult
from ecom_platform.load.trends import totals, trend, trend_markdown
from ecom_platform.report.plots import trend as draw
from ecom_platform.verdicts import Outcome
from tests.load.runs import result


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore("local", str(tmp_path))


def _later(found: LoadResult, days: int) -> LoadResult:
    return dataclasses.replace(found, run=f"run-{days}", started_at=found.started_at + timedelta(days=days))


def test_a_run_has_a_row_for_each_class_and_one_in_total() -> None:
    rows = frame(result(errors={"status_500": 5}), Outcome.PASSED, version="1.2.3").set_index("request_class")
    assert list(rows.index) == ["GET /", TOTAL]
    assert rows.loc[TOTAL, "requests"] == 1000
    assert rows.loc[TOTAL, "error_rate"] == 0.005
    assert rows.loc[TOTAL, "version"] == "1.2.3"
    assert rows.loc[TOTAL, "p95_ms"] == pytest.approx(10, rel=0.01)


def test_the_history_gives_back_every_run_with_its_raw_histogram(store: FolderStore) -> None:
    for days in (2, 0, 1):
        append(store, _later(result(slow_share=0.1), days), Outcome.FAILED)
    history = read_history(store)
    assert list(totals(history)["run"]) == ["run-0", "run-1", "run-2"]
    assert Latencies.decode(history["histogram"].iloc[0]).buckets() == result(slow_share=0.1).latencies().buckets()


def test_a_history_may_be_cut_to_its_newest_runs(store: FolderStore) -> None:
    for days in range(5):
        append(store, _later(result(), days), Outcome.PASSED)
    assert list(totals(read_history(store, newest=2))["run"]) == ["run-3", "run-4"]


def test_a_run_is_written_once(store: FolderStore) -> None:
    append(store, result(), Outcome.PASSED)
    with pytest.raises(RefusedError):
        append(store, result(), Outcome.PASSED)


def test_a_run_that_measured_nothing_can_be_kept_beside_others(store: FolderStore) -> None:
    append(store, result(), Outcome.PASSED)
    append(store, _later(result(requests=0, usage=()), 1), Outcome.INCONCLUSIVE)
    history = totals(read_history(store))
    assert list(history["requests"]) == [1000, 0]
    assert history["p95_ms"].isna().tolist() == [False, True]


def test_no_runs_are_an_empty_history(store: FolderStore) -> None:
    assert totals(read_history(store)).empty
    assert trend_markdown(read_history(store)) == ""


def test_a_file_that_is_damaged_is_named(store: FolderStore) -> None:
    store.put_new("benchmarks/20300101T000000-x.parquet", b"not parquet")
    with pytest.raises(PermanentError, match="20300101T000000-x"):
        read_history(store)


def test_the_trend_is_drawn_and_told(store: FolderStore) -> None:
    append(store, result(), Outcome.PASSED)
    append(store, _later(result(slow_share=0.2), 1), Outcome.FAILED)
    history = read_history(store)
    series = trend(history, "p95_ms", title="p95", unit="ms", limit=500)
    assert [value for _, value in series.points] == pytest.approx([10, 2000], rel=0.01)
    assert draw(series, "p95").startswith("<svg")
    lines = trend_markdown(history).splitlines()
    assert "failed" in lines[2]
    assert "passed" in lines[3]


def test_a_result_survives_json() -> None:
    found = result(errors={"timeout": 3})
    again = LoadResult.from_dict(json.loads(json.dumps(found.as_dict())))
    assert again == found
    assert again.summary() == found.summary()
