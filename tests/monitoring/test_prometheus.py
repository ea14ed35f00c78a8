"""A real Prometheus with the rules of the repository, beside a real backend: well, and gone."""

from __future__ import annotations

from pathlib import Path

from tests.monitoring.prometheus import running_prometheus
from tests.shop.programs import running
from tests.shop.server import free_port
from tests.waiting import wait_until


def test_a_target_that_is_gone_fires_and_one_that_was_never_there_too(tmp_path: Path) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    # It answers its probes and its metrics without a database.
    database = tmp_path / "url"
    database.touch(mode=0o600)
    database.write_text(f"postgresql://nobody:none@{nowhere}/none")
    environment = {"DATABASE_URL_FILE": str(database), "INSTANCE": "backend-1"}
    with running("shop.backend", environment, tmp_path) as backend:
        targets = {"shop": [backend.url.removeprefix("http://")], "ecom-platform": [nowhere]}
        with running_prometheus(tmp_path, targets, hold="1s") as prometheus:
            wait_until(
                lambda: prometheus.query('up{job="shop"} == 1'), seconds=60, what="the shop is scraped", every=0.2
            )
            # Before the first scrape the shop was absent too, and an alarm on that ends at the next evaluation.
            wait_until(
                lambda: {"PlatformMetricsDown", "ShopDown"} & prometheus.firing() == {"PlatformMetricsDown"},
                seconds=60, what="the exporter alone is missing", every=0.2,
            )  # fmt: skip
            backend.process.kill()
            wait_until(lambda: "ShopDown" in prometheus.firing(), seconds=60, what="the shop is gone", every=0.2)


def test_a_prometheus_that_knows_no_target_fires(tmp_path: Path) -> None:
    with running_prometheus(tmp_path, {"shop": [], "ecom-platform": []}, hold="1s") as prometheus:
        wanted = {"ShopDown", "ShopMetricsMissing", "PlatformMetricsDown", "PlatformFactsMissing"}
        wait_until(lambda: wanted <= prometheus.firing(), seconds=60, what="absence fires", every=0.2)
        assert not prometheus.query("up")
