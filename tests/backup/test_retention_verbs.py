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
from ecom_platform.backup.signing import ensure_signing_key
from ecom_platform.clients.objects import open_store
from ecom_platform.clients.sql import url_with_password
from ecom_platform.platforms.opening import open_platform
from ecom_platform.spec_file import read_spec
from tests.backup.servers import Postgres


def ecom(
    tmp_path: Path, *, snapshots: object, policy: object, options: tuple[str, ...] = ("--json",)
) -> tuple[int, str, str]:
    given, rules = tmp_path / "snapshots.json", tmp_path / "policy.json"
    given.write_text(snapshots if isinstance(snapshots, str) else json.dumps(snapshots))
    rules.write_text(policy if isinstance(policy, str) else json.dumps(policy))
    program = "from ecom_platform.cli.main import main; main()"
    argv = [sys.executable, "-c", program, "retention", "plan", "--input", str(given), "--policy", str(rules), *options]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr


SNAPSHOTS: list[dict[str, Any]] = [
    {"id": "a", "time": "2026-01-01T10:00:00Z", "tags": ["release"]},
    {"id": "b", "time": "2026-01-02T10:00:00+02:00"},
    {"id": "c", "time": "2026-01-03T10:00:00.5Z", "tags": None},
]


def test_a_list_is_judged_by_a_policy(tmp_path: Path) -> None:
    code, out, err = ecom(tmp_path, snapshots=SNAPSHOTS, policy={"keep-last": 1, "keep-tag": [["release"]]})
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "keep": [{"id": "c", "reasons": ["last snapshot"]}, {"id": "a", "reasons": ["has tags [release]"]}],
        "remove": [{"id": "b", "reasons": ["no rule keeps it"]}],
    }


def test_without_json_a_person_can_read_it(tmp_path: Path) -> None:
    code, out, _ = ecom(tmp_path, snapshots=SNAPSHOTS, policy={"keep-last": 2}, options=())
    assert code == 0
    assert "remove  a  no rule keeps it" in out
    assert out.endswith("2 kept, 1 removed\n")


def test_an_empty_policy_removes_nothing_and_says_so(tmp_path: Path) -> None:
    code, out, err = ecom(tmp_path, snapshots=SNAPSHOTS, policy={})
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
    tmp_path: Path, snapshots: object, policy: object, said: str
) -> None:
    code, out, err = ecom(tmp_path, snapshots=snapshots, policy=policy)
    assert (code, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_input_needs_a_policy(tmp_path: Path) -> None:
    given = tmp_path / "snapshots.json"
    given.write_text("[]")
    program = "from ecom_platform.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "retention", "plan", "--input", str(given)],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "--policy" in done.stderr


def test_a_hundred_thousand_snapshots_take_two_seconds_of_process_time_at_most(tmp_path: Path) -> None:
    start = datetime(2020, 1, 1, tzinfo=UTC)
    snapshots = [
        {"id": f"{n}", "time": (start + timedelta(minutes=30 * n)).isoformat(), "tags": []} for n in range(100_000)
    ]
    rules = {
        "keep-last": 5,
        "keep-hourly": 24,
        "keep-daily": 7,
        "keep-weekly": 5,
        "keep-monthly": 12,
        "keep-within": "1y",
    }
    before = os.times()
    code, out, _ = ecom(tmp_path, snapshots=snapshots, policy=rules)
    after = os.times()
    assert code == 0
    assert len(json.loads(out)["keep"]) > 17_000
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


def test_the_stores_of_a_spec_are_planned_and_applied(postgres_server: Postgres, tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC)
    access = postgres_server.create("retention_orders", "CREATE TABLE orders AS SELECT 1 AS n")
    shop, state = read_spec(spec), tmp_path / "state"
    platform = open_platform(shop, state)
    key = ensure_signing_key(platform.signing_key())
    taken = []
    for _ in range(4):
        taken.append(
            dump_database(
                access,
                shop=shop.shop,
                name="orders",
                stores=[platform.store("disk")],
                recipients=platform.recipients(),
                signing_key=key,
                progress=print,
            )
        )
        record_proof(open_store(platform.store("disk")), taken[-1], {"outcome": "passed"}, key)

    def verb(*arguments: str) -> subprocess.CompletedProcess[str]:
        program = "from ecom_platform.cli.main import main; main()"
        environment = {**os.environ, "ECOM_STATE": str(state), "ORDERS_URL": url_with_password(access)}
        argv = [sys.executable, "-c", program, "--spec", str(spec), "retention", *arguments]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False, env=environment)

    planned = verb("plan", "--json")
    assert planned.returncode == 0
    (plan,) = json.loads(planned.stdout)
    assert (plan["store"], plan["source"], plan["refused"]) == ("disk", "database/orders", [])
    assert [each["id"] for each in plan["remove"]] == [taken[1].id, taken[0].id]
    refused = verb("apply", "--share", "0.1")
    assert refused.returncode == 1
    assert "more than 10%" in refused.stdout
    assert len(snapshots(open_store(platform.store("disk")))) == 4
    applied = verb("apply")
    assert applied.returncode == 0
    assert f"removed {taken[0].id}: no rule keeps it" in applied.stderr
    left = snapshots(open_store(platform.store("disk")), trusted=[key.public])
    assert [each.id for each in left] == [taken[3].id, taken[2].id]
    assert verb("plan", "--store", "none").returncode == 2
