"""The benchmark suite as a run on the real shop: `ecom bench` without a target."""

from __future__ import annotations

import json

import pytest

from ecom_platform.load import suite
from ecom_platform.load.apache_bench import installed
from tests.pipeline.conftest import Pipeline

CONFIG: dict[str, object] = {"ops": {"ecommerce__benchmarks__front_door": {"config": {"suite": True}}}}


def test_the_suite_leaves_a_dated_folder_of_the_real_shop(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "FACTORS", (1.5,))
    if pipeline.platform.live_colour(pipeline.shop.front_door) is None:
        assert pipeline.run("everyday").success
    ran = pipeline.run("benchmark", config=CONFIG)
    assert ran.red() == {}
    (folder,) = (pipeline.platform.reports() / "performance-results").iterdir()
    content = json.loads((folder / "k6-results.json").read_text())
    assert content["summary"]["errors"] == 0
    assert {"home", "products", "product"} <= set(content["summary"]["classes"])
    assert [each["rate"] for each in content["ramp"]] == [90]
    phases = {line.split(",")[0] for line in (folder / "resource-usage.log").read_text().splitlines()}
    assert {"load", "90/s"} <= phases
    if installed():
        assert "Requests per second" in (folder / "ab-frontend.log").read_text()
        assert "Requests per second" in (folder / "ab-backend.log").read_text()
    assert "requests/s" in (folder / "performance-report.md").read_text()
