"""What is kept beside a backup, and the small helpers that look at pods; no cluster is asked."""

from __future__ import annotations

import base64
import random
from typing import Any

import pytest

from ecom_platform.errors import CorruptBackup, RefusedError
from ecom_platform.velero import looking
from ecom_platform.velero.evidence import Evidence, Moment, as_config_map, from_config_map

BACKUP = {"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": {"name": "shop-1", "uid": "u"}}


def evidence(**objects: Any) -> Evidence:
    moment = Moment(objects=objects, contents={"data": "abc"}, databases={"shop": {"tables": {}}})
    return Evidence(namespace="shop", claims=("data",), folders=(), before=moment, after=moment)


def test_evidence_comes_back_as_it_was_and_goes_with_its_backup() -> None:
    kept = as_config_map(evidence(a={"x": 1}), BACKUP)
    assert kept["metadata"]["ownerReferences"][0]["uid"] == "u"
    assert from_config_map(kept) == evidence(a={"x": 1})


def test_evidence_that_no_config_map_can_hold_is_refused() -> None:
    noise = base64.b64encode(random.Random(1).randbytes(2_000_000)).decode()
    with pytest.raises(RefusedError, match="bytes"):
        as_config_map(evidence(a=noise), BACKUP)


@pytest.mark.parametrize("content", ["", "AAAA", base64.b64encode(b"x").decode()])
def test_broken_evidence_is_named(content: str) -> None:
    with pytest.raises(CorruptBackup, match="ecom-evidence-shop-1"):
        from_config_map({"metadata": {"name": "ecom-evidence-shop-1"}, "binaryData": {"evidence.json.gz": content}})


def pod(**mount: Any) -> dict[str, Any]:
    return {
        "spec": {
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "tmp", "emptyDir": {}}],
            "containers": [
                {"name": "other", "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]},
                {"name": "main", "volumeMounts": [{"name": "v", "mountPath": "/data", **mount}]},
            ],
        }
    }


def test_a_claim_is_read_where_it_is_mounted_whole() -> None:
    assert looking.mount_of(pod(), "data") == ("main", "/data")
    assert looking.mount_of(pod(), "media") is None
    assert looking.mount_of(pod(subPath="part"), "data") is None


def test_what_velero_marks_and_a_scratch_s_own_name_are_no_differences() -> None:
    document = {
        "metadata": {"name": "a", "labels": {"velero.io/restore-name": "r"}},
        "subjects": [{"namespace": "s-1"}],
    }
    plain = looking.compared(document, "s-1", "shop")
    assert plain == {"metadata": {"name": "a"}, "subjects": [{"namespace": "shop"}]}
