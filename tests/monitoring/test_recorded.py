"""Drills and releases as the exporter tells of them, from what their stages record."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster._daemon.types import DaemonHeartbeat

from ecom_platform.instance_facts import HEARTBEAT_SECONDS, daemon_samples, recovery_samples
from ecom_platform.monitoring.released import release_samples
from ecom_platform.monitoring.samples import Sample
from ecom_platform.release.machine import Release
from ecom_platform.release.state import Definition, Journal, Moment, State
from ecom_platform.spec import Shop

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


def values(samples: list[Sample]) -> dict[str, float]:
    return {
        each.name + "".join(f" {each.labels[name]}" for name in each.labels if name != "shop"): each.value
        for each in samples
    }


def test_the_newest_drill_is_told_with_its_budget() -> None:
    @dg.asset(key=["s", "drills", "database-lost"])
    def drill() -> dg.MaterializeResult[None]:
        figures: dict[str, float | str] = {
            "rto_seconds": 12.5,
            "rto_budget_seconds": 60,
            "rpo_seconds": 3,
            "orders_lost": 0,
            "variant": "kill",
        }
        return dg.MaterializeResult(metadata=figures)

    with dg.DagsterInstance.ephemeral() as instance:
        assert list(recovery_samples(instance, Shop(shop="s"), [drill])) == []
        dg.materialize([drill], instance=instance)
        found = values(list(recovery_samples(instance, Shop(shop="s"), [drill])))
    assert found.pop("ecom_drill_timestamp_seconds database-lost") > 1e9
    assert found == {
        "ecom_drill_rto_seconds database-lost": 12.5,
        "ecom_drill_rto_budget_seconds database-lost": 60,
        "ecom_drill_rpo_seconds database-lost": 3,
        "ecom_drill_orders_lost database-lost": 0,
    }


def test_a_shop_without_a_release_has_a_state_and_is_not_stuck() -> None:
    found = values(list(release_samples("s", State())))
    assert found["ecom_release_in_progress"] == 0
    assert [name for name, value in found.items() if name.startswith("ecom_release_state") and value] == [
        "ecom_release_state none"
    ]
    assert "ecom_release_since_timestamp_seconds" not in found


def test_a_release_under_way_is_told_since_its_newest_line() -> None:
    journal = Journal(
        release=Release(id="r1", version="2", old="blue", new="green", services=("web",)),
        before=Definition(services=()),
        after=Definition(services=()),
        spec={},
        started_at=NOW,
        started_by="ada",
        timeline=(Moment(at=NOW + timedelta(minutes=5), step="load", event="begun"),),
    )
    found = values(list(release_samples("s", State(journal=journal))))
    assert found["ecom_release_in_progress"] == 1
    assert found["ecom_release_state forward"] == 1
    assert found["ecom_release_since_timestamp_seconds"] == (NOW + timedelta(minutes=5)).timestamp()


def test_a_daemon_is_dead_minutes_after_its_last_heartbeat_and_not_half_an_hour(tmp_path: Path) -> None:
    now = time.time()
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        for name, age in (("SENSOR", HEARTBEAT_SECONDS - 30), ("SCHEDULER", HEARTBEAT_SECONDS + 30)):
            instance.add_daemon_heartbeat(DaemonHeartbeat(now - age, name, "id", []))
        found = values(list(daemon_samples(instance, Shop(shop="s"), now)))
    assert found["ecom_daemon_healthy sensor"] == 1
    assert found["ecom_daemon_healthy scheduler"] == 0
    assert found["ecom_daemon_healthy asset"] == 0, "one that never sent any"


def test_a_reading_asks_the_storage_few_questions(tmp_path: Path) -> None:
    """On PostgreSQL each opens a connection; one for each of a hundred checks took a minute on a busy cluster."""
    from sqlalchemy import Engine, event

    from ecom_platform.exporter import facts_of
    from ecom_platform.platforms.local import LocalPlatform
    from ecom_platform.settings import EXAMPLE_SPEC, Settings
    from ecom_platform.spec_file import read_spec

    asked: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        asked.append(statement)

    example = read_spec(EXAMPLE_SPEC)
    shop = example.model_copy(update={"stores": {"local": example.stores["local"]}, "leave_out": ("releases",)})
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        platform = LocalPlatform(shop, tmp_path / shop.shop)
        facts = facts_of(shop, platform, instance, Settings((EXAMPLE_SPEC,), "local", tmp_path))
        facts.samples()
        again = facts_of(shop, platform, instance, Settings((EXAMPLE_SPEC,), "local", tmp_path))
        event.listen(Engine, "before_cursor_execute", note)
        try:
            again.samples()
        finally:
            event.remove(Engine, "before_cursor_execute", note)
    assert 0 < len(asked) < 30, f"{len(asked)} questions"
