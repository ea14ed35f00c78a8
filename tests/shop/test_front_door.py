"""The front door: pages, the way to the backend, and what it says when the backend is away."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.shop.programs import Program, backend_environment, run, running
from tests.shop.server import ShopDatabase, free_port

PAGES = ("/", "/product.html", "/cart.html", "/checkout.html")


@pytest.mark.parametrize("path", PAGES)
def test_the_pages_are_there_with_a_title_and_a_policy(frontend: Program, path: str) -> None:
    answer = frontend.get(path)
    assert answer.status_code == 200
    assert "<title>" in answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/no-such-page", "/metrics", "/Caddyfile", "/404.html", "/static/none.js", "/static/"]
)
def test_everything_else_is_not_found(frontend: Program, path: str) -> None:
    answer = frontend.get(path)
    assert answer.status_code == 404
    assert "nothing at this address" in answer.text


def test_static_files_are_compressed_and_asked_for_again(frontend: Program) -> None:
    first = frontend.get("/static/shop.css")
    assert first.headers["content-encoding"] == "gzip"
    assert first.headers["cache-control"] == "no-cache"
    again = frontend.get("/static/shop.css", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304


def test_it_says_who_it_is_and_is_ready_with_its_backend(frontend: Program) -> None:
    identity = {"service": "frontend", "version": "1.2.3", "colour": "blue", "instance": "frontend-1"}
    assert frontend.get("/version").json() == identity
    assert frontend.get("/healthz").json() == {"status": "ok"}
    assert frontend.get("/readyz").status_code == 200


def test_it_brings_people_to_the_backend(frontend: Program, sign_up: Callable[[str], httpx.Client]) -> None:
    assert frontend.get("/api/version").json()["service"] == "backend"
    assert frontend.get("/media/mug-1.png").headers["content-type"] == "image/png"
    with sign_up(frontend.url) as client:
        client.put("/api/cart/items/50", json={"quantity": 2})
        assert client.post("/api/checkout", headers={"Idempotency-Key": "door"}).status_code == 201
    assert frontend.get("/api/nothing").json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("size", [20_000, 60_000, 70_000, 500_000, 20_000_000])
def test_a_body_that_is_too_large_is_told_so_through_the_door(frontend: Program, size: int) -> None:
    for content in (b"x" * size, iter([b"x" * size])):
        refused = httpx.post(frontend.url + "/api/login", content=content)
        assert (refused.status_code, "error" in refused.json()) == (413, True), refused.text


def test_without_a_backend_it_lives_is_not_ready_and_says_why(folder: Path) -> None:
    with running("shop.frontend", {"BACKEND": f"127.0.0.1:{free_port()}"}, folder) as program:
        with ThreadPoolExecutor(3) as threads:
            answers = list(threads.map(program.get, ("/readyz", "/api/products", "/media/mug-1.png")))
        assert {answer.status_code for answer in answers} == {503}
        assert answers[0].elapsed.total_seconds() < 2.5  # not waited for, as the others are
        assert {answer.json()["error"]["code"] for answer in answers} == {"backend_unavailable"}
        assert program.get("/").status_code == 200


def test_an_instance_that_stops_is_not_noticed(database: ShopDatabase, folder: Path, media: Path) -> None:
    """Of two backend instances one ends while people look around: every request gets its answer."""
    with (
        running("shop.backend", backend_environment(database, media, "stays"), folder, "/readyz") as stays,
        running("shop.backend", backend_environment(database, media, "leaves"), folder, "/readyz") as leaves,
    ):
        upstreams = " ".join(each.url.removeprefix("http://") for each in (stays, leaves))
        with running("shop.frontend", {"BACKEND": upstreams}, folder, "/readyz") as door:
            assert _instances(door, 60) == {"stays", "leaves"}
            with ThreadPoolExecutor(1) as thread:
                stopping = thread.submit(leaves.stop)
                statuses = {door.get("/api/products?limit=1").status_code for _ in range(150)}
                assert stopping.result() == 0
            assert statuses == {200}
            assert _instances(door, 10) == {"stays"}


def test_it_ends_cleanly_and_keeps_nothing(backend: Program, folder: Path, tmp_path: Path) -> None:
    environment = {"BACKEND": backend.url.removeprefix("http://"), "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    with running("shop.frontend", environment, folder, "/readyz") as program:
        assert program.stop() == 0
    assert not list(tmp_path.rglob("*"))


def test_a_second_door_on_the_same_port_is_refused(frontend: Program) -> None:
    port = frontend.url.rpartition(":")[2]
    done = run(["shop.frontend"], {"BACKEND": "127.0.0.1:1", "PORT": port})
    assert done.returncode == 2
    assert f"127.0.0.1:{port} cannot be opened: Address already in use" in done.stderr


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"BACKEND": ""}, "BACKEND is ''"),
        ({"BACKEND": "127.0.0.1:1 } respond"}, "BACKEND is"),
        ({"BACKEND": "127.0.0.1:1", "PORT": "x"}, "PORT is 'x'"),
    ],
)
def test_a_door_that_is_not_configured_says_what_is_missing(changes: dict[str, str], reason: str) -> None:
    done = run(["shop.frontend"], changes)
    assert done.returncode == 2
    assert reason in done.stderr


def _instances(door: Program, requests: int) -> set[str]:
    with ThreadPoolExecutor(6) as threads:
        return {
            answer["instance"] for answer in threads.map(lambda _: door.get("/api/version").json(), range(requests))
        }
