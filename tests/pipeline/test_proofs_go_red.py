"""Each proof was seen to fail: something is broken for real, and the right check goes red and names the cause."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ecom_platform.backup.catalogue import find, write_manifest
from ecom_platform.backup.encryption import new_identity
from ecom_platform.backup.manifest import Manifest, folder_of, new_id
from ecom_platform.backup.signing import SigningKey, ensure_signing_key
from ecom_platform.clients.objects import open_store
from ecom_platform.clients.sql import connect
from ecom_platform.spec import Encryption, SecretReference, Shop
from tests.backup.snapshots import signing_key
from tests.pipeline.conftest import Pipeline, Ran

RESTORES = "ecommerce__restores__database_shop"


@pytest.fixture(autouse=True, scope="module")
def deployed(pipeline: Pipeline) -> None:
    assert pipeline.run("deploy").success


def newest(pipeline: Pipeline) -> Manifest:
    return find(open_store(pipeline.platform.store("local")), "latest", shop="ecommerce")


def verify(pipeline: Pipeline, snapshot: str = "latest", shop: Shop | None = None) -> Ran:
    config: dict[str, object] = {"ops": {RESTORES: {"config": {"snapshot": snapshot, "store": "local"}}}}
    return pipeline.run("verify_restore", config=config, shop=shop, assets=["restores/database-shop"])


def stored_file(pipeline: Pipeline, archive: str) -> Path:
    assert pipeline.run("backup").success
    return pipeline.platform.layout.state / "backups" / newest(pipeline).part(archive).key


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    rewrite(path, bytes(content))


def rewrite(path: Path, content: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        pytest.param(flip_a_bit, "altered", id="a flipped bit"),
        pytest.param(lambda path: rewrite(path, path.read_bytes()[:-100]), "bytes", id="a truncated file"),
        pytest.param(lambda path: path.unlink(), "not there", id="a deleted file"),
    ],
)
def test_a_damaged_backup_is_never_proved(pipeline: Pipeline, damage: Callable[[Path], None], cause: str) -> None:
    damage(stored_file(pipeline, "data"))
    ran = verify(pipeline)
    assert not ran.success
    assert "restores/database_shop" not in ran.materialised()
    assert cause in ran.red()["database-shop/restored"]


def test_a_wrong_key_names_who_could_open_it(pipeline: Pipeline, tmp_path: Path) -> None:
    right = newest_after_backup(pipeline).recipients[0]
    key = tmp_path / "wrong-key"
    key.write_text(new_identity())
    wrong = Encryption(recipients=(right,), identity=SecretReference(file=str(key)))
    ran = verify(pipeline, shop=pipeline.shop.model_copy(update={"encryption": wrong}))
    assert not ran.success
    assert right in ran.red()["database-shop/restored"]


def newest_after_backup(pipeline: Pipeline) -> Manifest:
    assert pipeline.run("backup").success
    return newest(pipeline)


@contextmanager
def changed(pipeline: Pipeline, change: str, undo: str) -> Iterator[None]:
    access = pipeline.platform.database(pipeline.shop.databases[0], "owner")
    with connect(access) as connection:
        connection.execute(change.encode())
    try:
        yield
    finally:
        with connect(access) as connection:
            connection.execute(undo.encode())


LOSSES = [
    pytest.param(
        "CREATE TABLE aside AS SELECT * FROM order_lines ORDER BY 1, 2 LIMIT 1;"
        "DELETE FROM order_lines l USING aside a WHERE l = a::text::order_lines",
        "INSERT INTO order_lines SELECT * FROM aside; DROP TABLE aside",
        "content",
        "order_lines",
        id="one row is missing",
    ),
    pytest.param(
        "UPDATE products SET price_cents = price_cents + 1 WHERE id = 1",
        "UPDATE products SET price_cents = price_cents - 1 WHERE id = 1",
        "content",
        "products",
        id="one value is another",
    ),
    pytest.param(
        "ALTER TABLE sessions RENAME TO sessions_gone",
        "ALTER TABLE sessions_gone RENAME TO sessions",
        "content",
        "sessions",
        id="a table is missing",
    ),
    pytest.param(
        "SELECT setval(pg_get_serial_sequence('orders', 'id'), 9000000)",
        "SELECT setval(pg_get_serial_sequence('orders', 'id'), (SELECT max(id) FROM orders))",
        "sequences",
        "orders",
        id="a sequence stands elsewhere",
    ),
]


@pytest.mark.parametrize(("change", "undo", "check", "names"), LOSSES)
def test_a_dump_that_is_not_what_was_fingerprinted_is_never_proved(
    pipeline: Pipeline, change: str, undo: str, check: str, names: str
) -> None:
    wanted = newest_after_backup(pipeline)
    with changed(pipeline, change, undo):
        dumped = newest_after_backup(pipeline)
    exchanged = copied(pipeline, dumped, wanted.fingerprint, ensure_signing_key(pipeline.platform.signing_key()))
    ran = verify(pipeline, exchanged.id)
    assert not ran.success
    assert names in ran.red()[f"database-shop/{check}"]


def test_a_snapshot_that_a_stranger_signed_is_never_proved_and_a_named_signer_is_no_stranger(
    pipeline: Pipeline,
) -> None:
    taken, key = newest_after_backup(pipeline), signing_key()
    forged = copied(pipeline, taken, taken.fingerprint, key)
    known = pipeline.shop.encryption.model_copy(update={"signers": (key.public,)})
    try:
        ran = verify(pipeline)
        assert not ran.success
        assert f"signed by {key.public}, which is not trusted" in ran.red()["database-shop/restored"]
        assert verify(pipeline, shop=pipeline.shop.model_copy(update={"encryption": known})).success
    finally:
        shutil.rmtree(pipeline.platform.layout.state / "backups" / forged.folder)


def copied(pipeline: Pipeline, dumped: Manifest, fingerprint: Mapping[str, Any], key: SigningKey) -> Manifest:
    """A later snapshot with the content of that one, and perhaps another fingerprint, signed as if it were true."""
    store = open_store(pipeline.platform.store("local"))
    name = new_id(dumped.started_at, dumped.id)
    place = folder_of(dumped.shop, dumped.source, name)
    backups = pipeline.platform.layout.state / "backups"
    shutil.copytree(backups / dumped.folder, backups / place, ignore=shutil.ignore_patterns("*.json"))
    parts = tuple(each.model_copy(update={"key": each.key.replace(dumped.folder, place)}) for each in dumped.objects)
    lie = dumped.model_copy(update={"id": name, "objects": parts, "fingerprint": fingerprint})
    write_manifest(store, lie, key)
    return lie


def test_a_stopped_backend_fails_the_validation_and_the_purchase(pipeline: Pipeline) -> None:
    backend = pipeline.shop.service("backend")
    names = [each.name for each in pipeline.platform.instances(backend, "blue")]
    pipeline.platform.parts.end(names)
    try:
        ran = pipeline.run("validate")
    finally:
        pipeline.platform.up()
    assert not ran.success
    red = ran.red()
    assert {"backend/endpoints", "backend/rollout_complete", "frontend/purchase"} <= set(red)
    assert pipeline.run("validate").red() == {}


def test_a_broken_endpoint_is_named(pipeline: Pipeline) -> None:
    with changed(
        pipeline, "ALTER TABLE products RENAME TO products_gone", "ALTER TABLE products_gone RENAME TO products"
    ):
        ran = pipeline.run("validate")
    assert not ran.success
    assert "/api/products?limit=5" in ran.red()["backend/endpoints"]


def test_a_version_that_was_not_deployed_is_seen(pipeline: Pipeline) -> None:
    newer = tuple(each.model_copy(update={"version": "9.9.9"}) for each in pipeline.shop.services)
    ran = pipeline.run("validate", shop=pipeline.shop.model_copy(update={"services": newer}))
    assert not ran.success
    assert "9.9.9" in ran.red()["backend/version"]


def test_a_load_test_that_reaches_nothing_is_red_and_leaves_no_figures(pipeline: Pipeline) -> None:
    pipeline.platform.parts.end(["switch"])
    try:
        ran = pipeline.run("benchmark")
    finally:
        pipeline.platform.up()
    assert not ran.success
    assert "refused" in ran.red()["front-door/reached"]
    assert ran.materialised() == set()


def test_too_few_requests_are_inconclusive_and_not_a_pass(pipeline: Pipeline) -> None:
    assert pipeline.shop.load is not None
    few = pipeline.shop.load.model_copy(update={"minimum_requests": 100_000})
    ran = pipeline.run("benchmark", shop=pipeline.shop.model_copy(update={"load": few}))
    assert not ran.success
    assert ran.red()["front-door/latency"].startswith("inconclusive")


def test_no_scratch_server_is_left(pipeline: Pipeline) -> None:
    assert list(pipeline.platform.scratch().glob("ecom_scratch_*")) == []
