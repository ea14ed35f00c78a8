"""What the handbooks tell people to type, typed: each command of the procedures, the operations handbook and the
migration guide is run here on a real shop, or by another test that is named, or has a reason why it is not.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from ecom_platform.backup.catalogue_reading import read_catalogue
from ecom_platform.cli.main import ecom
from ecom_platform.clients.objects import open_store
from ecom_platform.platforms.protocol import DatabaseAccess
from ecom_platform.settings import ROOT
from tests.pipeline.conftest import Pipeline
from tests.report.documents import code_lines

HANDBOOKS = ("disaster-recovery.md", "operations.md", "migration.md")
PROGRAM = re.compile(r"^(ecom|make|git|helm|kubectl|python|rm|CREATE|ALTER|DROP) ")

FOLLOWED = {
    "ecom status": (0, 1),  # this shop has no Dagster of its own
    "ecom doctor": (0, 1),
    "ecom contacts": (0,),
    "ecom logs backend": (0,),
    "ecom alerts": (0, 1, 3),
    "ecom release status": (0, 2),  # there was none yet
    "ecom drill status": (0,),
    "ecom drill abort": (0,),
    "ecom keys list": (0,),
    "ecom keys escrow /media/safe/keys-2026-11.txt": (0,),
    "ecom backup": (0,),
    "ecom verify latest": (0,),
    "ecom verify latest --store OTHER": (0,),
    "ecom snapshots": (0,),
    "ecom verify SNAPSHOT": (0,),
    'ecom hold SNAPSHOT --reason "before the upgrade of PostgreSQL"': (0,),
    "ecom hold SNAPSHOT --reason TEXT": (0,),
    "ecom unhold SNAPSHOT": (0,),
    "ecom restore ID --to URL": (0,),
    "ecom recover --folder media": (0,),
    "ecom recover --from URL --identity key.txt --configuration --into FOLDER": (0,),
    "ecom recover --database shop": (0,),
    "ecom recover --database shop --snapshot ID": (0,),
    "ecom report": (0, 1, 3),
}
"""In the order in which they can be typed, with the exit codes that are no surprise."""

LIFE = "tests/platforms/test_local_obstacles.py"
INSIDE = "tests/cluster/test_operated_inside.py"
BROUGHT_UP = "tests/cluster/conftest.py"
STAGE = "tests/recovery/test_stage.py"
WITH_DAGSTER = "tests/pipeline/test_with_dagster.py"
MOVING = "tests/release/test_moving.py"
BASIC = "tests/cluster/test_basic_to_enhanced.py"
ELSEWHERE = {
    "ecom up": (LIFE, '"up"'),
    "ecom down": (BASIC, '"down"'),
    "ecom --spec FOLDER/SHOP-configuration/spec.yaml up": (BASIC, '"up"'),
    "ecom --spec specs/ecommerce-kubernetes.yaml up": (BROUGHT_UP, 'ecom("up")'),
    "ecom --spec specs/ecommerce-kubernetes.yaml backup": (INSIDE, '"backup"'),
    "ecom --spec specs/ecommerce-kubernetes.yaml verify latest": (INSIDE, "verify_restore"),
    "ecom --spec specs/ecommerce-kubernetes.yaml launch validate": (INSIDE, '"launch"'),
    "ecom --spec specs/ecommerce-kubernetes.yaml report": ("tests/pipeline/test_with_dagster.py", '"report"'),
    "ecom keys rotate": ("tests/backup/test_keys.py", '"rotate"'),
    "ecom recover": ("tests/cluster/test_recovered.py", '"recover", "--from"'),
    "ecom recover --from s3://BUCKET/PREFIX --identity key.txt --into /srv/shop": (
        "tests/cluster/test_recovered.py",
        '"recover", "--from"',
    ),
    "ecom migrate": (MOVING, "migration.moving("),
    "ecom --spec enhanced.yaml backup": (INSIDE, '"backup"'),
    "ecom --spec enhanced.yaml verify latest": (INSIDE, "verify_restore"),
    "ecom --spec enhanced.yaml migrate start": (MOVING, "test_the_shop_moves_and_no_request_is_lost"),
    "ecom --spec enhanced.yaml migrate status": (MOVING, "migration.moving("),
    "ecom --spec enhanced.yaml migrate finish": (MOVING, "test_the_end_takes_the_old_workloads"),
    "ecom release rollback": ("tests/pipeline/test_release.py", '"rollback"'),
    "ecom release resume": ("tests/release/test_killed_drivers.py", '"resume"'),
    "ecom release abort": ("tests/release/test_killed_drivers.py", '"abort"'),
    "ecom drill media-lost": (STAGE, '"drill", "media-lost"'),
    "ecom drill NAME": (STAGE, '"drill", "media-lost"'),
    "ecom drill database-lost": ("tests/recovery/test_database_drill.py", "drill_on("),
    "ecom drill database-lost --variant dropped-table": ("tests/recovery/test_database_drill.py", "drill_on("),
    "ecom drill machine-lost": ("tests/recovery/test_machine_drill.py", "machine_drill.run("),
    "ecom drill configuration-lost": ("tests/recovery/test_part_drills.py", "CONFIGURATION_LOST"),
    "ecom drill key-lost": ("tests/recovery/test_part_drills.py", "key_plan("),
    "ecom drill store-unreachable": ("tests/recovery/test_part_drills.py", "STORE_UNREACHABLE"),
    "ecom drill bad-release": ("tests/recovery/test_red_drills.py", "release_plan("),
    "ecom drill node-lost": ("tests/platforms/test_kubernetes_drills.py", "node_drill.run("),
    "ecom launch deploy": (WITH_DAGSTER, '"launch"'),
    "ecom launch validate": (WITH_DAGSTER, '"launch"'),
    "ecom launch JOB": ("tests/house/test_command_line.py", '"launch"'),
    "ecom drill --help": ("tests/report/test_document_commands.py", "verb_of"),
    "rm STATE/secrets/postgres-shop_app": ("tests/platforms/test_local_life.py", "password_that_was_removed"),
    "kubectl taint nodes NODE node.kubernetes.io/out-of-service=nodeshutdown:NoExecute": (
        "tests/platforms/test_kubernetes_drills.py",
        "node_drill.run(",
    ),
    "kubectl taint nodes NODE node.kubernetes.io/out-of-service-": (
        "tests/platforms/test_kubernetes_drills.py",
        "node_drill.run(",
    ),
    "helm rollback shop -n ecommerce": ("tests/cluster/test_shop.py", '"rollback"'),
    "make deploy": ("tests/report/test_document_commands.py", '"deploy"'),
    "make manifests scan": (".ci/run", "make gates"),
    "make check test": (".ci/run", "make check"),
    "make install": (".ci/demo-as-user", "make"),
    "make images REPOSITORY=registry.example.com/ecom TAG=1.5.0": (".ci/run", "k8s/images/build"),
    "make monitoring": ("tests/monitoring", ""),
}
"""What runs it, and a text in there that says so."""

REASONS = {
    "git pull": "there is no other commit to bring; what follows it is tested",
    "make drills": "minutes of drills, each of which has its own test; run by hand and by the schedule",
    "python -m benchmarks.recovery_drill": "a benchmark: it needs a machine that does nothing else",
    "python -m benchmarks machine_recovery": "as above",
    "python -m benchmarks drill_slowdown": "as above",
    "kubectl apply -f FILE": "Kubernetes' own, for objects that are no part of the shop",
    "kubectl get nodes": "only looks; kubectl's own",
    "kubectl get pods": "only looks; kubectl's own",
    "kubectl label namespace": "Kubernetes' own; the platform sets the same label in tests/cluster/test_hardening.py",
    "helm upgrade shop k8s/charts/shop": "the tag is the reader's; tests/cluster installs and upgrades the chart",
    "ecom --spec specs/ecommerce-kubernetes.yaml doctor": "only looks; what it tries is tested in tests/platforms",
    "ecom --spec shop.yaml doctor": "a server of the reader's; the spec itself is read by a test",
    "ecom --spec shop.yaml backup orders": "as above",
    "ecom --spec shop.yaml verify latest --database orders": "as above",
    "ecom restore latest --to postgresql://shop_owner@new-server:5432/shop": "followed as `restore ID --to URL`",
    "ecom --spec old-shop.yaml backup": "a shop of the reader's; the same verbs are followed here",
    "ecom --spec old-shop.yaml verify latest": "as above",
    "ecom --spec old-shop.yaml restore latest --to postgresql://shop_owner@new-database:5432/shop": "as above",
    "CREATE ROLE backup LOGIN PASSWORD": "for a server of the reader's; such a role dumps in tests/backup/test_dump.py",
    "ALTER DATABASE shop_kept_TIME ALLOW_CONNECTIONS true": "PostgreSQL's own; tests/platforms/test_replacement.py",
    "DROP DATABASE shop_kept_TIME": "PostgreSQL's own, when nobody needs it any more",
}


def commands() -> set[str]:
    """Every command of the handbooks' blocks and texts, one of each."""
    found = set()
    for name in HANDBOOKS:
        for line, _ in code_lines(ROOT / "docs" / name):
            for part in line.partition("  #")[0].split(" && "):
                command = " ".join(re.sub(r"^(?:[A-Z_]+=\S* )+", "", part.strip()).split())
                if PROGRAM.match(f"{command} ") and command not in ("make", "ecom", "helm", "kubectl", "git"):
                    found.add(command)
    return found


def test_every_command_of_the_handbooks_is_run_somewhere_or_has_a_reason() -> None:
    listed = commands()
    assert len(listed) > 50
    known = {*FOLLOWED, *ELSEWHERE}
    assert {each for each in listed if each not in known and not each.startswith(tuple(REASONS))} == set()
    stale = {each for each in known if each not in listed}
    stale |= {each for each in REASONS if not any(one.startswith(each) for one in listed)}
    assert stale == set(), "no document tells these any more"


@pytest.mark.parametrize("command", sorted(ELSEWHERE))
def test_what_is_run_elsewhere_is(command: str) -> None:
    place, text = ELSEWHERE[command]
    assert (ROOT / place).exists()
    assert not text or text in (ROOT / place).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def reader(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the reader has to put in for the placeholders that the documents leave; ID comes with the first backup."""
    folder = tmp_path_factory.mktemp("reader")
    # With the contacts that the document writes down.
    contacts = re.findall(r"```yaml\n(contacts:\n.*?)```", (ROOT / "docs" / HANDBOOKS[0]).read_text(), re.DOTALL)
    spec = folder / "shop.yaml"
    spec.write_text(pipeline.spec.read_text() + contacts[0])
    key = folder / "key.txt"
    key.write_text(pipeline.platform.identities()[0])
    key.chmod(0o600)
    return {
        "the spec": str(spec),
        "/media/safe/keys-2026-11.txt": str(folder / "keys.txt"),
        "OTHER": list(pipeline.shop.stores)[1],
        "key.txt": str(key),
        "FOLDER": str(folder / "documents"),
        "TEXT": "because",
    }


def typed(command: str, pipeline: Pipeline, reader: dict[str, str]) -> list[str]:
    """The words, with the reader's own in the places of the document's."""
    import shlex

    store = open_store(pipeline.platform.store("local"))
    words = shlex.split(command)[1:]
    if {"ID", "SNAPSHOT"} & set(words):
        newest = read_catalogue(store, shop=pipeline.shop.shop).of("database/shop")[0].manifest.id
        reader |= {"ID": newest, "SNAPSHOT": newest}
    empty = _empty_database(pipeline) if words[:1] == ["restore"] else ""
    reader["URL"] = empty or pipeline.platform.store("local").url
    return [reader.get(each, each) for each in words]


def _empty_database(pipeline: Pipeline) -> str:
    """A database for whoever restores by hand; its URL has the password, as a reader's may."""
    from ecom_platform.clients import sql

    server: DatabaseAccess = pipeline.platform.postgres.superuser("postgres")
    with sql.connect(server) as connection:
        connection.execute(b"DROP DATABASE IF EXISTS by_hand")
        connection.execute(b"CREATE DATABASE by_hand TEMPLATE template0")
    access = sql.with_database(server, "by_hand")
    return access.url.replace("postgres@", f"postgres:{access.password}@", 1)


@pytest.mark.timeout(300)
def test_the_handbooks_are_followed_on_a_running_shop(pipeline: Pipeline, reader: dict[str, str]) -> None:
    environment = {"ECOM_STATE": str(pipeline.settings.state), "ECOM_SPEC": reader["the spec"]}
    # What a handbook takes for granted: there are backups of every source.
    assert pipeline.run("deploy").success
    assert pipeline.run("backup_complete").success
    assert pipeline.run("verify_complete").success
    wrong = []
    for command, codes in FOLLOWED.items():
        answer = CliRunner(env=environment).invoke(ecom, typed(command, pipeline, reader))
        raised = None if isinstance(answer.exception, SystemExit) else answer.exception
        if raised is not None or answer.exit_code not in codes:
            wrong.append(f"{command}: {answer.exit_code}, {raised or answer.output[-1000:]}")
    assert wrong == []
    spec = Path(reader["FOLDER"]) / f"{pipeline.shop.shop}-configuration" / "spec.yaml"
    assert spec.exists()
