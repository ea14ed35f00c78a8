"""What whoever runs the backend relies on: probes, metrics, a clean stop, and healing after an outage."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import psycopg
import pytest

from tests.shop.programs import Program, backend_environment, make_shop, run, running, until
from tests.shop.server import Postgres, ShopDatabase, create_database, running_postgres

SignUp = Callable[[str], httpx.Client]


@pytest.fixture(scope="module")
def fragile(folder: Path, media: Path) -> Iterator[ShopDatabase]:
    """A shop on a server of its own, which these tests stop and freeze."""
    with running_postgres() as server:
        made = create_database(server, "fragile", folder)
        make_shop(made, media, orders=100)
        yield made


def test_an_instance_says_who_it_is(backend: Program) -> None:
    identity = {"service": "backend", "version": "1.2.3", "colour": "blue", "instance": "backend-1"}
    assert backend.get("/version").json() == backend.get("/api/version").json() == identity
    assert backend.get("/healthz").json() == {"status": "ok"}


def test_metrics_count_by_route_template_and_never_by_what_people_type(backend: Program) -> None:
    for path in ("/api/products/1", "/api/products/2", "/api/products/nonsense", "/somewhere-else"):
        backend.get(path)
    httpx.request("BREW", backend.url + "/api/products")
    text = backend.get("/metrics").text
    found = re.search(r'http_requests_total\{method="GET",route="/api/products/\{id\}",status="200"\} (\S+)', text)
    assert found
    assert float(found[1]) >= 2
    assert (
        'http_request_duration_seconds_bucket{le="0.05",method="GET",route="/api/products/{id}",status="404"}' in text
    )
    assert 'method="GET",route="unmatched",status="404"' in text
    assert 'method="other",route="/api/products",status="405"' in text
    assert "nonsense" not in text
    assert 'shop_build_info{colour="blue",instance="backend-1",version="1.2.3"} 1.0' in text


def test_an_open_request_is_answered_before_the_instance_ends(
    database: ShopDatabase, folder: Path, media: Path, sign_up: SignUp
) -> None:
    """A checkout waits for a row that somebody holds; SIGTERM comes; the row is free; the order is there."""
    with running("shop.backend", backend_environment(database, media, "drained"), folder, "/readyz") as program:
        with sign_up(program.url) as client, ThreadPoolExecutor(1) as thread:
            client.put("/api/cart/items/41", json={"quantity": 1})
            with psycopg.connect(database.owner_url) as holder:
                holder.execute("SELECT FROM products WHERE id = 41 FOR UPDATE")
                open_request = thread.submit(client.post, "/api/checkout", headers={"Idempotency-Key": "drain"})
                until(lambda: _waiting_for_lock(database), "the checkout waits for the row")
                program.process.send_signal(signal.SIGTERM)
                until(lambda: program.status("/healthz") is None, "new connections are refused")
                assert program.process.poll() is None
            answer = open_request.result(20)
        assert answer.status_code == 201
        assert program.process.wait(20) == 0
        assert "Traceback" not in program.log.read_text()


def test_an_instance_without_requests_ends_at_once(database: ShopDatabase, folder: Path, media: Path) -> None:
    environment = backend_environment(database, media, "idle")
    with (
        running("shop.backend", environment, folder, "/readyz") as program,
        httpx.Client(base_url=program.url) as idle,  # an open connection that asks nothing
    ):
        idle.get("/healthz")
        assert program.stop() == 0


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"DATABASE_URL_FILE": ""}, "DATABASE_URL_FILE is not set"),
        ({"DATABASE_URL_FILE": "/no/such/file"}, "cannot be read"),
        ({"PORT": "eighty"}, "PORT is 'eighty'"),
    ],
)
def test_an_instance_that_is_not_configured_says_what_is_missing(
    database: ShopDatabase, media: Path, changes: dict[str, str], reason: str
) -> None:
    done = run(["shop.backend"], {**backend_environment(database, media), **changes})
    assert done.returncode == 2
    assert reason in done.stderr


def test_a_second_instance_on_the_same_port_is_refused(backend: Program, database: ShopDatabase, media: Path) -> None:
    port = backend.url.rpartition(":")[2]
    done = run(["shop.backend"], {**backend_environment(database, media, "second"), "PORT": port})
    assert done.returncode == 2
    assert f"127.0.0.1:{port} cannot be opened: Address already in use" in done.stderr
    assert backend.get("/version").json()["instance"] == "backend-1"


def test_an_instance_is_ready_only_with_the_schema_that_it_needs(
    empty_database: ShopDatabase, folder: Path, media: Path
) -> None:
    with running("shop.backend", backend_environment(empty_database, media, "early"), folder) as program:
        answer = program.get("/readyz")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "schema_not_ready")
        assert program.get("/api/products").json()["error"]["code"] == "schema_not_ready"
        run(["shop.migrate", "expand"], {"DATABASE_URL_FILE": str(empty_database.owner_file)})
        assert program.status("/readyz") == 200
        with psycopg.connect(empty_database.owner_url) as connection:
            connection.execute("ALTER TABLE orders DROP COLUMN currency")
        assert "lacks public.orders.currency" in program.get("/readyz").json()["error"]["message"]


def test_a_stopped_database_is_told_and_found_again(
    fragile: ShopDatabase, folder: Path, media: Path, sign_up: SignUp
) -> None:
    environment = backend_environment(fragile, media, "outage")
    with running("shop.backend", environment, folder, "/readyz") as program, sign_up(program.url) as client:
        fragile.server.stop("immediate")
        answers = [client.get(path) for path in ("/api/products", "/api/cart", "/readyz")]
        answers.append(client.post("/api/checkout", headers={"Idempotency-Key": "outage"}))
        assert {answer.status_code for answer in answers} == {503}
        assert {answer.json()["error"]["code"] for answer in answers} == {"database_unavailable"}
        assert program.status("/healthz") == 200
        fragile.server.start()
        program.wait_for("/readyz")
        assert client.get("/api/cart").status_code == 200


def test_an_instance_starts_without_its_database_and_serves_when_it_comes(
    fragile: ShopDatabase, folder: Path, media: Path
) -> None:
    fragile.server.stop()
    with running("shop.backend", backend_environment(fragile, media, "first"), folder) as program:
        assert program.status("/readyz") == 503
        fragile.server.start()
        program.wait_for("/readyz")
        assert program.status("/api/products") == 200


def test_a_frozen_database_is_told_in_bounded_time_and_found_again(
    fragile: ShopDatabase, folder: Path, media: Path
) -> None:
    """Worse than gone: it takes connections and says nothing."""
    with running("shop.backend", backend_environment(fragile, media, "frozen"), folder, "/readyz") as program:
        frozen = _freeze(fragile.server)
        try:
            with ThreadPoolExecutor(24) as threads:  # more than the pool has connections
                answers = list(threads.map(lambda _: program.get("/api/products"), range(24)))
            assert {answer.status_code for answer in answers} == {503}
            assert (
                max(answer.elapsed.total_seconds() for answer in answers) < 15
            )  # 6 s for a statement, 3 s to give it up
            assert program.status("/healthz") == 200
        finally:
            for each in frozen:
                os.kill(each, signal.SIGCONT)
        program.wait_for("/readyz")
        assert program.status("/api/products") == 200


def test_many_sign_ins_at_once_do_not_hold_up_the_catalogue(backend: Program) -> None:
    """Hashing runs beside: one visitor gets many lists while sixteen people sign in all the time. Hashes
    in the way of everything would let a list through after every sixteenth.
    """
    login = {"email": "nobody@example.org", "password": "wrong password"}
    with ThreadPoolExecutor(16) as threads, httpx.Client(base_url=backend.url, timeout=30) as visitor:
        waiting = [threads.submit(visitor.post, "/api/login", json=login) for _ in range(96)]
        lists = 0
        while not all(each.done() for each in waiting):
            assert visitor.get("/api/products").status_code == 200
            lists += 1
        assert {each.result().status_code for each in waiting} == {401}
    assert lists > len(waiting) / 4


def _waiting_for_lock(database: ShopDatabase) -> bool:
    with psycopg.connect(database.server.url(database.name)) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'shop-drained'"
        ).fetchone()
    return bool(row and row[0])


def _freeze(server: Postgres) -> list[int]:
    postmaster = psutil.Process(int((server.data / "postmaster.pid").read_text().splitlines()[0]))
    frozen = [postmaster.pid, *(child.pid for child in postmaster.children(recursive=True))]
    for each in frozen:
        os.kill(each, signal.SIGSTOP)
    return frozen
