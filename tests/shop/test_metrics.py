"""What the backend says of its database and of itself."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import httpx

from shop.backend.limits import cpu_cores, memory_bytes, own_group
from tests.shop.programs import Program


def values(program: Program, name: str) -> dict[str, float]:
    """Values by labels, as they stand in the text."""
    lines = re.findall(rf"^{name}(\{{.*\}})? (\S+)$", program.get("/metrics").text, re.MULTILINE)
    return {labels: float(value) for labels, value in lines}


def test_statements_and_connections_are_measured(backend: Program, sign_up: Callable[[str], httpx.Client]) -> None:
    before = values(backend, "shop_database_query_seconds_count")[""]
    with httpx.Client(base_url=backend.url, timeout=20) as client:
        for _ in range(5):
            assert client.get("/api/products?limit=5").status_code == 200
    assert values(backend, "shop_database_query_seconds_count")[""] >= before + 5
    before = values(backend, "shop_database_query_seconds_count")[""]
    with sign_up(backend.url) as customer:  # statements in a transaction, beside the catalogue's
        assert customer.put("/api/cart/items/1", json={"quantity": 1}).status_code == 200
    assert values(backend, "shop_database_query_seconds_count")[""] >= before + 2
    assert values(backend, "shop_database_query_seconds_sum")[""] > 0
    connections = values(backend, "shop_database_connections")
    assert set(connections) == {'{state="busy"}', '{state="idle"}'}
    assert 1 <= sum(connections.values()) <= values(backend, "shop_database_connections_limit")[""]


def test_cpu_and_memory_stand_beside_what_may_be_used(backend: Program) -> None:
    first = values(backend, "process_cpu_seconds_total")[""]
    for _ in range(30):
        assert backend.get("/api/products?limit=100").status_code == 200
    assert values(backend, "process_cpu_seconds_total")[""] > first
    memory, limit = (values(backend, name)[""] for name in ("process_resident_memory_bytes", "shop_memory_limit_bytes"))
    assert 10e6 < memory < limit
    assert 0 < values(backend, "shop_cpu_limit_cores")[""] <= (os.cpu_count() or 1)


def test_a_containers_limits_are_read_and_without_them_the_machine_is_the_limit(tmp_path: Path) -> None:
    machine = cpu_cores(tmp_path), memory_bytes(tmp_path)
    assert machine[0] >= 1
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "memory.max").write_text("268435456\n")
    assert (cpu_cores(tmp_path), memory_bytes(tmp_path)) == (0.5, 268435456)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert (cpu_cores(tmp_path), memory_bytes(tmp_path)) == machine
    assert own_group().is_absolute()
