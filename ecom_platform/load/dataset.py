"""The benchmark data set: one Parquet file per run in an object store, one row per request class and one in total.

Raw histograms are a column, so that percentiles of several runs can be merged later without loss.
"""

from __future__ import annotations

import io
from itertools import islice
from typing import TYPE_CHECKING

from ecom_platform.clients.objects import ObjectStore
from ecom_platform.errors import PermanentError
from ecom_platform.load.histograms import Latencies
from ecom_platform.load.results import TOTAL, ClassResult, LoadResult
from ecom_platform.verdicts import Outcome

if TYPE_CHECKING:
    import pandas as pd

PREFIX = "benchmarks"
NEWEST = 500
"""Runs that a history is read from: more than a year of daily tests."""


def frame(result: LoadResult, outcome: Outcome, *, version: str = "") -> pd.DataFrame:
    """The rows of one run. Times in milliseconds, rates per second, started_at in UTC.

    The offered rate and the generator's figures belong to the run and stand in every row.
    """
    import pandas as pd

    rows = [_row(name, each.requests, sum(each.errors.values()), each.latencies) for name, each in _classes(result)]
    rows.append(_row(TOTAL, result.requests, result.errors, result.latencies()))
    found = pd.DataFrame(rows)
    found["achieved_rate"] = (found["requests"] - found["errors"]) / result.duration
    found.loc[found["request_class"] == TOTAL, "achieved_rate"] = result.achieved_rate
    run = {
        "run": result.run,
        "started_at": pd.Timestamp(result.started_at).tz_convert("UTC"),
        "target": result.target,
        "scenario": result.scenario,
        "version": version,
        "outcome": outcome.value,
        "duration_s": result.duration,
        "processes": result.processes,
        "offered_rate": result.offered_rate,
        "late": result.late,
        "mean_cpu": result.resources["mean_cpu"],
        "peak_memory": result.resources["peak_memory"],
    }
    for place, (name, value) in enumerate(run.items()):
        found.insert(place, name, value)
    return found.astype(dict.fromkeys(("mean_cpu", "peak_memory", "p50_ms", "p95_ms", "p99_ms", "max_ms"), "float64"))


def append(store: ObjectStore, result: LoadResult, outcome: Outcome, *, prefix: str = PREFIX, version: str = "") -> str:
    """Write the run's file, which must be new; its key. Raises what the store raises."""
    data = io.BytesIO()
    frame(result, outcome, version=version).to_parquet(data, index=False, compression="zstd")
    key = f"{prefix}/{result.started_at:%Y%m%dT%H%M%S}-{result.run}.parquet"
    store.put_new(key, data.getvalue())
    return key


def read_history(store: ObjectStore, *, prefix: str = PREFIX, newest: int = NEWEST) -> pd.DataFrame:
    """The rows of the newest runs, oldest first; empty without runs. Raises PermanentError for a file that
    is no Parquet, besides what the store raises.
    """
    import pandas as pd

    keys = (each.key for each in store.list(prefix) if each.key.endswith(".parquet"))
    newest_keys = list(islice(sorted(keys, reverse=True), newest))
    frames = [_read(key, data) for key, data in store.get_many(newest_keys)]
    if not frames:
        return pd.DataFrame(columns=["run", "started_at", "request_class"])
    return pd.concat(frames, ignore_index=True).sort_values(["started_at", "run", "request_class"], ignore_index=True)


def _classes(result: LoadResult) -> list[tuple[str, ClassResult]]:
    return sorted(result.classes.items())


def _row(name: str, requests: int, errors: int, latencies: Latencies) -> dict[str, object]:
    figures = latencies.percentiles().as_dict()
    return {
        "request_class": name,
        "requests": requests,
        "errors": errors,
        "error_rate": errors / requests if requests else None,
        **{f"{each}_ms": value for each, value in figures.items()},
        "histogram": latencies.encode(),
    }


def _read(key: str, data: bytes) -> pd.DataFrame:
    import pandas as pd
    import pyarrow as pa

    try:
        return pd.read_parquet(io.BytesIO(data))
    except pa.ArrowInvalid as error:
        raise PermanentError(
            f"read the benchmark run {key}", f"it is no Parquet file: {str(error)[:200]}", "Remove or restore it."
        ) from error
