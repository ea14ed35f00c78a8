"""Velero's word against what its objects show: each way in which Completed can be empty is seen red."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_platform.backup.compare import compare
from ecom_platform.backup.fingerprints import Fingerprint, TableContent
from ecom_platform.velero import facts, judge
from ecom_platform.velero.facts import Item, Work
from ecom_platform.verdicts import Outcome, Verdict, worst

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEEP = {"daily": timedelta(days=30), "weekly": timedelta(days=90)}


def item(claim: str = "data", phase: str = "Completed", message: str = "") -> Item:
    return Item(claim, "database-0", "data", "copied by files", phase, message, 1234)


def pod_volume(claim: str | None, phase: str | None, namespace: str = "shop") -> dict[str, Any]:
    """A PodVolumeBackup as Velero 1.18 writes it."""
    status: dict[str, Any] = {"progress": {"bytesDone": 7, "totalBytes": 7}} | ({"phase": phase} if phase else {})
    annotations = {"velero.io/pvc-name": claim} if claim else {}
    return {
        "metadata": {"name": "b-1", "annotations": annotations},
        "spec": {"pod": {"kind": "Pod", "namespace": namespace, "name": "database-0"}, "volume": "data"},
        "status": status,
    }


def judged(claims: tuple[str, ...], items: list[Item], folders: tuple[str, ...] = ()) -> Outcome:
    return worst(judge.volumes(claims, folders, items, ()))


def test_a_volume_that_velero_left_out_is_red_though_the_backup_is_completed() -> None:
    backup = Work("nightly", "Completed", 0, 0, "")
    assert judge.completed(backup).passed
    verdicts = judge.volumes(("data", "media"), (), [item("media")], ())
    assert worst(verdicts) is Outcome.FAILED
    assert ["data" in each.claim for each in verdicts if not each.passed] == [True]
    assert "left out" in verdicts[0].seen


@pytest.mark.parametrize("phase", ["", "New", "Accepted", "Prepared", "InProgress", "Canceling", "Canceled", "Failed"])
def test_a_copy_that_is_not_completed_is_red_and_says_why(phase: str) -> None:
    verdicts = judge.volumes(("data",), (), [item(phase=phase, message="no such folder")], ())
    assert worst(verdicts) is Outcome.FAILED
    assert "no such folder" in verdicts[0].seen


def test_one_bad_copy_beside_a_good_one_of_the_same_claim_is_red() -> None:
    assert judged(("data",), [item(), item(phase="Failed")]) is Outcome.FAILED


def test_a_folder_of_the_node_is_red() -> None:
    pods = [{"metadata": {"name": "web-1"}, "spec": {"volumes": [{"name": "logs", "hostPath": {"path": "/var/log"}}]}}]
    assert facts.host_folders(pods) == ["web-1/logs"]
    assert judged(("data",), [item()], ("web-1/logs",)) is Outcome.FAILED
    assert worst(judge.volumes(("data",), ("web-1/logs",), [item()], ("web-1/logs",))) is Outcome.PASSED


def test_a_failed_copy_of_a_volume_without_a_claim_is_red() -> None:
    assert judged((), [item(claim="", phase="Failed")]) is Outcome.FAILED
    assert judged((), [item(claim="")]) is Outcome.PASSED


def test_only_what_the_spec_calls_disposable_may_be_missing() -> None:
    assert worst(judge.volumes(("data", "cache"), (), [item()], ("cache",))) is Outcome.PASSED
    assert worst(judge.volumes(("data", "cache"), (), [item("cache")], ("cache",))) is Outcome.FAILED


@given(st.sets(st.sampled_from("abcdef")), st.sets(st.sampled_from("abcdef")))
def test_it_is_green_exactly_when_no_claim_is_left_out(claims: set[str], copied: set[str]) -> None:
    outcome = judged(tuple(sorted(claims)), [item(each) for each in sorted(copied)])
    assert (outcome is Outcome.PASSED) == (claims <= copied)


def test_copies_are_read_from_velero_s_objects_of_one_namespace() -> None:
    upload = {
        "metadata": {"name": "u"},
        "spec": {"sourceNamespace": "shop", "sourcePVC": "media"},
        "status": {"phase": "Completed", "progress": {"bytesDone": 3}},
    }
    found = facts.items(
        [pod_volume("data", "Completed"), pod_volume("data", None), pod_volume("x", "Completed", "other")],
        [upload],
        "shop",
    )
    assert [(each.claim, each.phase, each.bytes) for each in found] == [
        ("data", "Completed", 7),
        ("data", "", 7),
        ("media", "Completed", 3),
    ]


@pytest.mark.parametrize(
    ("phase", "errors", "outcome"),
    [
        ("Completed", 0, Outcome.PASSED),
        ("Completed", 2, Outcome.FAILED),
        ("PartiallyFailed", 1, Outcome.FAILED),
        ("Failed", 0, Outcome.FAILED),
        ("FailedValidation", 0, Outcome.FAILED),
        ("InProgress", 0, Outcome.INCONCLUSIVE),
        ("WaitingForPluginOperations", 0, Outcome.INCONCLUSIVE),
        ("FinalizingPartiallyFailed", 1, Outcome.INCONCLUSIVE),
        ("", 0, Outcome.INCONCLUSIVE),
    ],
)
def test_each_phase_has_its_outcome(phase: str, errors: int, outcome: Outcome) -> None:
    found = {"metadata": {"name": "n"}, "status": {"phase": phase, "errors": errors, "failureReason": "why not"}}
    verdict = judge.completed(facts.work(found))
    assert verdict.outcome is outcome
    assert "why not" in verdict.seen
    assert judge.restored(facts.work(found)).outcome is outcome


def test_the_errors_that_velero_only_counts_are_read_from_its_log() -> None:
    log = (
        'time="t" level=error msg="no pod \\"a\\" here" restore=velero/proof-1\n'
        'time="t" level=info msg="all is well" restore=velero/proof-1\n'
        'time="t" level=error msg="something else" restore=velero/proof-2\n'
    )
    assert facts.errors_of(log, "proof-1") == 'no pod \\"a\\" here'
    assert facts.errors_of("", "proof-1") == ""


def schedule(name: str = "shop-daily", **changes: Any) -> dict[str, Any]:
    template = {"includedNamespaces": ["shop"], "ttl": changes.pop("ttl", "2160h0m0s")}
    status = {"phase": "Enabled", "lastBackup": changes.pop("last", "2026-03-01T02:00:00Z")}
    return {
        "metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"schedule": "0 2 * * *", "template": {**template, **changes.pop("template", {})}, **changes},
        "status": status,
    }


def test_schedules_as_promised_are_green() -> None:
    plans = [facts.plan(schedule()), facts.plan(schedule("shop-weekly"))]
    assert worst(judge.scheduled(plans, "shop", KEEP, NOW)) is Outcome.PASSED


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": "shop-other"}, "no Schedule"),
        ({"paused": True}, "paused"),
        ({"ttl": "719h0m0s"}, "29.9"),
        ({"template": {"includedNamespaces": ["other"]}}, "covers other"),
        ({"last": "2026-02-27T02:00:00Z"}, "newest 2026-02-27"),
        ({"last": ""}, "none yet"),
    ],
)
def test_a_schedule_that_breaks_its_promise_is_red(changes: dict[str, Any], says: str) -> None:
    plans = [facts.plan(schedule(**changes)), facts.plan(schedule("shop-weekly"))]
    verdicts = judge.scheduled(plans, "shop", KEEP, NOW)
    assert [each.outcome for each in verdicts] == [Outcome.FAILED, Outcome.PASSED]
    assert says in verdicts[0].seen


def test_a_schedule_that_velero_has_not_accepted_is_red() -> None:
    found = schedule()
    found["status"]["phase"] = "FailedValidation"
    assert judge.scheduled([facts.plan(found)], "shop", {"daily": KEEP["daily"]}, NOW)[0].outcome is Outcome.FAILED


def test_the_key_that_everybody_knows_is_red() -> None:
    """Source: pkg/repository/keys/keys.go of Velero 1.18.3."""
    assert judge.own_key(b"static-passw0rd").outcome is Outcome.FAILED
    assert judge.own_key(b"something else").outcome is Outcome.PASSED
    assert judge.own_key(b"").outcome is Outcome.INCONCLUSIVE


def test_durations_are_read_as_go_writes_them() -> None:
    assert facts.go_duration("720h0m0s") == 720 * 3600
    assert facts.go_duration("1h30m") == 5400
    with pytest.raises(ValueError, match="no duration"):
        facts.go_duration("720")


def test_objects_that_came_back_are_green_and_each_difference_is_named() -> None:
    before = {"configmaps/a": {"data": {"x": "1"}}, "services/b": {"spec": {"ports": [1]}}}
    assert worst(judge.objects(before, before, dict(before))) is Outcome.PASSED
    changed = {**before, "configmaps/a": {"data": {"x": "2"}}}
    verdicts = judge.objects(before, before, changed)
    assert worst(verdicts) is Outcome.FAILED
    assert "configmaps/a: data.x" in verdicts[0].seen
    assert "missing" in judge.objects(before, before, {"services/b": before["services/b"]})[0].seen
    assert "no such object" in judge.objects(before, before, {**before, "secrets/new": {}})[0].seen


def test_an_object_that_changed_during_the_backup_may_be_either_and_nothing_else() -> None:
    before, after = {"a": {"x": 1}}, {"a": {"x": 2}}
    assert worst(judge.objects(before, after, {"a": {"x": 1}})) is Outcome.PASSED
    assert worst(judge.objects(before, after, {"a": {"x": 2}})) is Outcome.PASSED
    assert worst(judge.objects(before, after, {"a": {"x": 3}})) is Outcome.FAILED
    assert worst(judge.objects({}, {"new": {}}, {})) is not Outcome.FAILED


def test_nothing_known_is_inconclusive_and_many_differences_are_bounded() -> None:
    assert worst(judge.objects({}, {}, {})) is Outcome.INCONCLUSIVE
    many = {f"configmaps/{number}": {"data": "x"} for number in range(100)}
    assert len(judge.objects(many, many, {})) == judge.SHOWN + 1


@given(
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), min_size=1),
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 2)),
)
def test_of_an_unchanged_source_only_the_same_is_green(source: dict[str, object], came: dict[str, object]) -> None:
    assert (worst(judge.objects(source, source, came)) is Outcome.PASSED) == (source == came)


@pytest.mark.parametrize(
    ("before", "after", "came", "outcome"),
    [
        ("a", "a", "a", Outcome.PASSED),
        ("a", "a", "b", Outcome.FAILED),
        ("a", "b", "b", Outcome.PASSED),
        ("a", "b", "c", Outcome.INCONCLUSIVE),
        ("", "", "", Outcome.INCONCLUSIVE),
        ("a", "a", "", Outcome.INCONCLUSIVE),
    ],
)
def test_content_is_green_only_for_a_state_that_was_seen(before: str, after: str, came: str, outcome: Outcome) -> None:
    assert judge.content("claim data", before, after, came).outcome is outcome


def printed(**rows: int) -> Fingerprint:
    return Fingerprint(
        server=170000,
        encoding="UTF8",
        collation="C",
        bytes=1,
        superuser="postgres",
        roles=(),
        tables={name: TableContent(rows=count, content=f"{count:016x}") for name, count in rows.items()},
        sequences={},
        large_objects=TableContent(rows=0, content="0"),
        objects={},
    )


def verdicts_of(source: list[Fingerprint], came: Fingerprint) -> list[Verdict]:
    unchanged = len({each.model_dump_json() for each in source}) == 1
    return judge.databases("shop", unchanged, [compare(each, came) for each in source])


def test_a_database_that_came_back_empty_is_red() -> None:
    full = printed(orders=7)
    assert worst(verdicts_of([full, full], full)) is Outcome.PASSED
    verdicts = verdicts_of([full, full], printed())
    assert worst(verdicts) is Outcome.FAILED
    assert any("orders: missing" in each.seen for each in verdicts)


def test_a_database_that_was_written_to_is_green_only_in_a_state_that_was_seen() -> None:
    assert worst(verdicts_of([printed(orders=7), printed(orders=9)], printed(orders=9))) is Outcome.PASSED
    assert worst(verdicts_of([printed(orders=7), printed(orders=9)], printed(orders=8))) is Outcome.INCONCLUSIVE
    assert worst(judge.databases("shop", True, [])) is Outcome.INCONCLUSIVE
