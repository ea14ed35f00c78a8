"""The benchmark suite's judgement, its folder and its page, on plain figures; ApacheBench on a real target."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ecom_platform.load.advice import RampStep, held_rate, recommendations
from ecom_platform.load.apache_bench import AbRun, installed, measure, parse
from ecom_platform.load.gate import CHECKS
from ecom_platform.load.judge import judge
from ecom_platform.load.resources import Usage
from ecom_platform.load.results import LoadResult
from ecom_platform.load.suite import Suite, write_folder
from ecom_platform.spec import Load, Thresholds
from ecom_platform.verdicts import Verdict
from tests.load.runs import result
from tests.load.target import Target
from tests.platforms.cluster import missing
from tests.shop.server import free_port

BUSY = (Usage(1.0, 0.95, 0.3), Usage(2.0, 0.97, 0.3))


def judged(seen: LoadResult, rate: float = 90) -> dict[str, Verdict]:
    limits = Thresholds(requests_per_second=rate)
    return dict(zip(CHECKS, judge(seen, limits, Load(minimum_requests=300)), strict=True))


def step(rate: float, seen: LoadResult) -> RampStep:
    return RampStep(rate, seen, judged(seen))


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (result(slow_share=0.1, usage=BUSY), "Processors are in use up to their limit"),
        (result(slow_share=0.1), "Processors are not the reason"),
        (result(errors={"status_503": 50}), "connections"),
        (result(errors={"wrong_content": 50}), "a bug, not a limit"),
        (result(late=500, lag_ms=500), "The generator met its own limit"),
        (result(usage=()), "could not be sampled"),
        (result(requests=100), "Too little was measured"),
        (result(usage=(Usage(1.0, 0.2, 0.9),)), "Memory is the limit"),
    ],
)
def test_the_advice_follows_from_the_figures(seen: LoadResult, words: str) -> None:
    found = recommendations(seen, judged(seen), [])
    assert any(words in each for each in found), found
    assert held_rate(seen, judged(seen), []) is None


def test_the_first_limit_of_growing_rates_is_named_with_its_rate() -> None:
    well = result()
    ramp = [step(150, result()), step(200, result(slow_share=0.2, usage=BUSY))]
    (advice,) = recommendations(well, judged(well), ramp)
    assert advice.startswith("At 200 requests/s the first limit was met: p95 stays below 500 ms")
    assert held_rate(well, judged(well), ramp) == 150


def test_where_no_limit_was_met_it_says_how_far_it_looked_and_what_is_near() -> None:
    near = result(usage=(Usage(1.0, 0.7, 0.3),))
    first, second = recommendations(near, judged(near), [step(300, result())])
    assert first == "No limit was met up to 300 requests/s; a higher rate was not tried."
    assert second.startswith("cpu use stays below 80%: it holds, with 87% of the limit in use")


def test_the_generators_own_limit_is_not_called_the_shops() -> None:
    well, behind = result(), result(late=500, lag_ms=500)
    (advice,) = recommendations(well, judged(well), [step(400, behind)])
    assert "The generator met its own limit, so nothing is known of the shop beyond" in advice


AB = """Concurrency Level:      10
Complete requests:      1000
Failed requests:        30
   (Connect: 0, Receive: 0, Length: 25, Exceptions: 5)
Non-2xx responses:      7
Requests per second:    1234.56 [#/sec] (mean)
Percentage of the requests served within a certain time (ms)
  50%      7
  95%     12
  99%     20
 100%     31 (longest request)
"""


def test_ab_is_read_with_what_it_counts_wrongly_put_right() -> None:
    found = parse(AB)
    assert found is not None
    assert (found.requests, found.failed, found.requests_per_second) == (1000, 12, 1234.56)
    assert (found.p50_ms, found.p95_ms, found.p99_ms) == (7, 12, 20)
    assert parse("apr_socket_recv: Connection refused (111)") is None


def test_ab_measures_a_real_target_and_says_when_nobody_is_there(target: Target) -> None:
    if not installed():
        missing("ab is not installed: apt-get install apache2-utils")
    run = measure("front", f"{target.url}/close", requests=50, concurrency=5)
    assert run.figures is not None
    assert (run.figures.requests, run.figures.failed) == (50, 0)
    gone = measure("front", f"http://127.0.0.1:{free_port()}/")
    assert gone.figures is None
    assert "Connection refused" in gone.said


def test_the_folder_has_the_names_of_the_document_and_a_page_that_needs_nothing(tmp_path: Path) -> None:
    seen = result(errors={"status_500": 20}, examples={"status_500": "<script>alert(1)</script>"})
    ab = (AbRun("frontend", "http://x/", AB, parse(AB)), AbRun("backend", "http://y/", "not installed\n", None))
    suite = Suite("shop", seen, judged(seen), ab, (step(150, result()),), {"load": seen.usage, "ab-frontend": BUSY})
    folder = write_folder(suite, tmp_path)
    assert folder.name == "20300102-030405"
    assert {each.name for each in folder.iterdir()} == {
        "k6-results.json",
        "k6-output.log",
        "ab-frontend.log",
        "ab-backend.log",
        "resource-usage.log",
        "performance-report.md",
        "performance-report.html",
    }
    content = json.loads((folder / "k6-results.json").read_text())
    assert "own load engine" in content["about"]
    assert LoadResult.from_dict(content["result"]).requests == seen.requests
    assert "ab-frontend,2.0,0.970,0.300" in (folder / "resource-usage.log").read_text()
    page = (folder / "performance-report.html").read_text()
    assert page.count("<svg") >= 3
    assert "<script" not in page
    assert re.findall(r"""(?:src|href)=["'](?!data:|#)([^"']*)""", page) == []
    with pytest.raises(FileExistsError):
        write_folder(suite, tmp_path)
