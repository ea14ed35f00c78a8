"""`ecom retention` as a person or a script meets it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ecom_platform.backup.catalogue import record_proof, snapshots
from ecom_platform.backup.dump import dump_database
from ecom_platform.backup.manifest import Manifest
from ecom_platform.backup.signing import ensure_signing_key
from ecom_platform.clients.objects import open_store
from ecom_platform.clients.sql import url_with_password
from ecom_platform.platforms.opening import open_platform
from ecom_platform.platforms.protocol import DatabaseAccess, Platform
from ecom_platform.spec import Shop
from ecom_platform.spec_file import read_spec
from tests.backup.program import Ecom
from tests.backup.servers import Postgres


class Judge(Ecom):
    """`ecom retention plan` over a list."""

    def judge(self, snapshots: object, policy: object, *options: str) -> tuple[int, str, str]:
        given, rules = self.folder / "snapshots.json", self.folder / "policy.json"
        given.write_text(snapshots if isinstance(snapshots, str) else json.dumps(snapshots))
        rules.write_text(policy if isinstance(policy, str) else json.dumps(policy))
        return self.run("retention", "plan", "--input", str(given), "--policy", str(rules), *options)


@pytest.fixture
def ecom(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Judge:
    return Judge(tmp_path, capsys, monkeypatch)


SNAPSHOTS: list[dict[str, Any]] = [
    {"id": "a", "time": "2026-01-01T10:00:00Z", "tags": ["release"]},
    {"id": "b", "time": "2026-01-02T10:00:00+02:00"},
    {"id": "c", "time": "2026-01-03T10:00:00.5Z", "tags": None},
]


def test_a_list_is_judged_by_a_policy(ecom: Judge) -> None:
    code, out, err = ecom.judge(SNAPSHOTS, {"keep-last": 1, "keep-tag": [["release"]]}, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "keep": [{"id": "c", "reasons": ["last snapshot"]}, {"id": "a", "reasons": ["has tags [release]"]}],
        "remove": [{"id": "b", "reasons": ["no rule keeps it"]}],
    }


def test_without_json_a_person_can_read_it(ecom: Judge) -> None:
    code, out, _ = ecom.judge(SNAPSHOTS, {"keep-last": 2})
    assert code == 0
    assert "remove  a  no rule keeps it" in out
    assert out.endswith("2 kept, 1 removed\n")


def test_an_empty_policy_removes_nothing_and_says_so(ecom: Judge) -> None:
    code, out, err = ecom.judge(SNAPSHOTS, {}, "--json")
    assert code == 0
    assert json.loads(out)["remove"] == []
    assert "the policy is empty" in err


@pytest.mark.parametrize(
    ("snapshots", "policy", "said"),
    [
        (SNAPSHOTS, {"keep-dayly": 1}, "keep-dayly: there is no such rule"),
        (SNAPSHOTS, {"keep-within": "1w"}, "unit 'w' is not known"),
        ([{**SNAPSHOTS[0], "host": "x"}], {"keep-last": 1}, "entry 0: there is no such field: host"),
        ([SNAPSHOTS[0], {"id": "b", "time": "yesterday"}], {"keep-last": 1}, "entry 1: 'yesterday' is no RFC 3339"),
        ([SNAPSHOTS[0], SNAPSHOTS[0]], {"keep-last": 1}, "1 ids stand there more than once"),
        ("[{", {"keep-last": 1}, "is not JSON"),
        (SNAPSHOTS, "keep-last: 1", "is not JSON"),
        ({}, {"keep-last": 1}, "it is no list"),
        (SNAPSHOTS, [], "it is no mapping"),
    ],
)
def test_a_mistake_is_one_clear_error_with_exit_code_2(
    ecom: Judge, snapshots: object, policy: object, said: str
) -> None:
    code, out, err = ecom.judge(snapshots, policy, "--json")
    assert (code, out) == (2, "")
    assert said in err


def test_input_needs_a_policy(ecom: Judge, tmp_path: Path) -> None:
    given = tmp_path / "snapshots.json"
    given.write_text("[]")
    code, _, err = ecom.run("retention", "plan", "--input", str(given))
    assert code == 2
    assert "--policy" in err


def test_a_hundred_thousand_snapshots_take_two_seconds_of_process_time_at_most(tmp_path: Path) -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    times = [(start + timedelta(minutes=30 * number)).isoformat() for number in range(100_000)]
    given, rules = tmp_path / "snapshots.json", tmp_path / "policy.json"
    given.write_text(json.dumps([{"id": f"{number}", "time": at, "tags": []} for number, at in enumerate(times)]))
    rules.write_text(json.dumps({"keep-last": 5, "keep-hourly": 24, "keep-daily": 7, "keep-within": "1y"}))
    program = "from ecom_platform.cli.main import main; main()"
    argv = ["retention", "plan", "--input", str(given), "--policy", str(rules), "--json"]
    before = os.times()
    done = subprocess.run([sys.executable, "-c", program, *argv], capture_output=True, timeout=60, check=True)
    after = os.times()
    assert len(json.loads(done.stdout)["keep"]) > 17_000
    assert after.children_user + after.children_system - before.children_user - before.children_system < 2


SPEC = """\
shop: mine
databases:
  - name: orders
    url: {env: ORDERS_URL}
stores:
  disk: {url: "file:backups", retention: {keep-last: 2}}
encryption: {managed: true}
"""


def test_the_stores_of_a_spec_are_planned_and_applied(
    ecom: Judge, postgres_server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    access = postgres_server.create("retention_orders", "CREATE TABLE orders AS SELECT 1 AS n")
    monkeypatch.setenv("ECOM_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("ORDERS_URL", url_with_password(access))
    shop = read_spec(spec)
    platform = open_platform(shop, tmp_path / "state")
    key, disk = ensure_signing_key(platform.signing_key()), open_store(platform.store("disk"))
    taken = [take(platform, shop, access) for _ in range(4)]
    for each in taken:
        record_proof(disk, each, {"outcome": "passed"}, key)

    code, out, _ = ecom.run("--spec", str(spec), "retention", "plan", "--json")
    (plan,) = json.loads(out)
    assert (code, plan["store"], plan["source"], plan["refused"]) == (0, "disk", "database/orders", [])
    assert [each["id"] for each in plan["remove"]] == [taken[1].id, taken[0].id]

    code, out, _ = ecom.run("--spec", str(spec), "retention", "apply", "--share", "0.1")
    assert code == 1
    assert "more than 10%" in out
    assert len(snapshots(disk)) == 4

    code, _, err = ecom.run("--spec", str(spec), "retention", "apply")
    assert code == 0
    assert f"removed {taken[0].id}: no rule keeps it" in err
    assert [each.id for each in snapshots(disk, trusted=[key.public])] == [taken[3].id, taken[2].id]
    assert ecom.run("--spec", str(spec), "retention", "plan", "--store", "none")[0] == 2


def take(platform: Platform, shop: Shop, access: DatabaseAccess) -> Manifest:
    return dump_database(
        access,
        shop=shop.shop,
        name="orders",
        stores=[platform.store("disk")],
        recipients=platform.recipients(),
        signing_key=ensure_signing_key(platform.signing_key()),
        progress=print,
    )
