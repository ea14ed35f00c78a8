"""The configuration comes back document by document, and no secret leaves with it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from ecom_platform.backup.archives import copy_archive
from ecom_platform.backup.signing import ensure_signing_key
from ecom_platform.backup.sources import configuration
from ecom_platform.backup.sources.configuration import as_document, configuration_source, gather, judge_restored
from ecom_platform.backup.sources.tree_index import SAME_CONTENT
from ecom_platform.backup.sources.tree_proof import restore_tree
from ecom_platform.errors import RefusedError
from ecom_platform.platforms.local import LocalPlatform
from ecom_platform.platforms.local.secrets import kept
from ecom_platform.settings import EXAMPLE_SPEC
from ecom_platform.spec_file import read_spec
from ecom_platform.verdicts import Outcome
from tests.backup.snapshots import KEYS
from tests.backup.sources.trees import Keeper

SECRET = 'p4ssw0rd/+with%20odd"characters'


@pytest.fixture
def platform(tmp_path: Path) -> LocalPlatform:
    """With ports that were chosen and a password that was made; nothing runs."""
    made = LocalPlatform(read_spec(EXAMPLE_SPEC), tmp_path / "state")
    made.layout.make()
    made.ports.choose(["postgres", "backend/active"])
    kept(made.layout.secrets / "database" / "owner", lambda: SECRET)
    return made


@pytest.fixture
def documents(platform: LocalPlatform) -> dict[str, bytes]:
    return gather(platform, platform.shop, ensure_signing_key(platform.signing_key()))


def test_it_is_restored_and_can_be_used(keeper: Keeper, documents: dict[str, bytes], tmp_path: Path) -> None:
    snapshot = keeper.take_source(configuration_source(documents))
    done = keeper.verify(snapshot, look=judge_restored)
    assert done.outcome is Outcome.PASSED, [str(each) for each in done.verdicts]
    restore_tree(keeper.store, snapshot, KEYS, tmp_path / "back")
    assert read_spec(tmp_path / "back" / "spec.yaml") == read_spec(EXAMPLE_SPEC)
    assert set(json.loads((tmp_path / "back" / "settings" / "ports.json").read_text())) == {
        "postgres",
        "backend/active",
    }


def test_no_secret_is_in_the_plain_tar(keeper: Keeper, platform: LocalPlatform, documents: dict[str, bytes]) -> None:
    secrets = platform.secret_values()
    assert secrets["database/owner"] == SECRET.encode()
    snapshot = keeper.take_source(configuration_source(documents))
    pieces: list[bytes] = []
    for archive in snapshot.archives:
        copy_archive(keeper.store, snapshot, archive, KEYS, pieces.append)
    plain = b"".join(pieces)
    assert b"database/owner" in plain  # its name is there
    for value in secrets.values():
        assert value not in plain
        assert base64.b64encode(value).rstrip(b"=")[:-1] not in plain


FORMS = [
    pytest.param(SECRET, id="plain"),
    pytest.param(base64.b64encode(SECRET.encode()).decode(), id="base64"),
    pytest.param(base64.b64encode(f"u:{SECRET}".encode()).decode(), id="base64 of more, 2 before"),
    pytest.param(base64.b64encode(f"user:{SECRET}\n".encode()).decode(), id="base64 of more, 5 before"),
    pytest.param(base64.b64encode(f"a-user:{SECRET};".encode()).decode(), id="base64 of more, 7 before"),
    pytest.param("postgresql://owner:p4ssw0rd%2F%2Bwith%2520odd%22characters@host/db", id="in a URL"),
    pytest.param({"nested": [f"--password={SECRET}"]}, id="inside of JSON"),
]


@pytest.mark.parametrize("form", FORMS)
def test_a_document_that_would_leak_a_secret_is_refused(
    monkeypatch: pytest.MonkeyPatch, platform: LocalPlatform, keeper: Keeper, form: object
) -> None:
    monkeypatch.setattr(LocalPlatform, "documents", lambda _: {"settings/careless.json": form})
    with pytest.raises(RefusedError) as refused:
        gather(platform, platform.shop, keeper.key)
    assert "settings/careless.json holds the value of the secret database/owner" in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_secret_in_the_spec_itself_is_refused(platform: LocalPlatform, keeper: Keeper) -> None:
    backend = platform.shop.service("backend")
    careless = backend.model_copy(update={"environment": {"PASSWORD": SECRET}})
    shop = platform.shop.model_copy(update={"services": (careless, platform.shop.service("frontend"))})
    with pytest.raises(RefusedError, match=r"spec\.yaml holds the value"):
        gather(platform, shop, keeper.key)


def test_the_digest_of_a_secret_shows_a_change_and_needs_the_key(platform: LocalPlatform, keeper: Keeper) -> None:
    def digest(key_of: Keeper) -> str:
        found = json.loads(gather(platform, platform.shop, key_of.key)[configuration.SECRETS])
        return str(found["database/owner"])

    before = digest(keeper)
    assert digest(keeper) == before
    assert digest(Keeper(keeper.place)) != before
    (platform.layout.secrets / "database" / "owner").write_text("another-password")
    assert digest(keeper) != before


def test_a_document_that_is_not_as_it_was_is_named(keeper: Keeper, documents: dict[str, bytes]) -> None:
    wanted = keeper.take_source(configuration_source(documents))
    other = {**documents, "settings/ports.json": as_document({"postgres": 1})}
    lie = keeper.with_content_of(wanted, keeper.take_source(configuration_source(other)))
    red = {each.claim: each.seen for each in keeper.verify(lie).verdicts if not each.passed}
    assert "settings/ports.json" in red[SAME_CONTENT]


@pytest.mark.parametrize(
    ("path", "content", "claim"),
    [
        (configuration.SPEC, b"shop: [", configuration.SPEC_READS),
        (configuration.SPEC, b"shop: x\nno_such_field: 1\n", configuration.SPEC_READS),
        ("settings/ports.json", b"{", configuration.DOCUMENTS_READ),
    ],
)
def test_documents_that_cannot_be_used_are_red(
    keeper: Keeper, documents: dict[str, bytes], path: str, content: bytes, claim: str
) -> None:
    snapshot = keeper.take_source(configuration_source({**documents, path: content}))
    red = {each.claim for each in keeper.verify(snapshot, look=judge_restored).verdicts if not each.passed}
    assert red == {claim}
