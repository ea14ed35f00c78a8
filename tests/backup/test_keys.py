"""Who can open which backup: keys are added and rotated, and an escrowed file alone brings the data back."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from ecom_platform.backup.encryption import Identities, new_identity
from ecom_platform.backup.escrow import SPEC_MARK, escrow_text, escrowed_signers
from ecom_platform.cli.main import ecom as verbs
from ecom_platform.clients.sql import url_with_password
from ecom_platform.errors import ConfigurationError
from ecom_platform.platforms.protocol import StoreAccess
from ecom_platform.settings import EXAMPLE_SPEC, ROOT
from ecom_platform.spec import Shop
from ecom_platform.spec_file import read_spec
from tests.backup.program import Ecom
from tests.backup.restoring import read_fingerprint
from tests.backup.servers import ObjectServer, Postgres

SOMEBODY = new_identity()
(PUBLIC,) = Identities(SOMEBODY).recipients


def test_the_spec_in_an_escrowed_file_is_a_spec(tmp_path: Path) -> None:
    shop = read_spec(EXAMPLE_SPEC)
    stores = {"local": StoreAccess("local", "file:///backups"), "cloud": StoreAccess("cloud", "s3://b", "http://s3")}
    text = escrow_text(shop, [SOMEBODY], stores, tmp_path / "key", ["ed25519:ours"])
    lines = [each.removeprefix(SPEC_MARK) for each in text.splitlines() if each.startswith(SPEC_MARK)]
    found = Shop.model_validate(yaml.safe_load("\n".join(lines)))
    assert found.encryption.recipients == (PUBLIC,)
    assert found.encryption.signers == tuple(escrowed_signers(text)) == ("ed25519:ours",)
    assert escrowed_signers(SOMEBODY) == frozenset()
    for mended in (f"{SPEC_MARK}encryption: [", f"{SPEC_MARK}shop: keyed", f"{SPEC_MARK}encryption: nobody"):
        with pytest.raises(ConfigurationError, match="no spec any more"):
            escrowed_signers(mended)
    assert [each.name for each in found.databases] == [each.name for each in shop.databases]
    assert [each.name for each in found.folders] == [each.name for each in shop.folders]
    with pytest.raises(ConfigurationError, match="there is none on this platform"):
        escrow_text(shop, [], stores, tmp_path / "key", [])


SPEC = """
shop: keyed
databases:
  - name: orders
    url: {env: KEYED_URL}
stores:
  disk: {url: "file:%s"}
  cloud: {url: "s3://%s/keyed", endpoint: "%s", access_key: {env: KEYED_ACCESS}, secret_key: {env: KEYED_SECRET}}
encryption: {managed: true}
"""


@dataclass(frozen=True)
class Keyed:
    """A database with three snapshots: of the first key, of a rotated one, and of that and an added one.

    escrow: the file that a person put into a safe afterwards. The state folder is gone.
    """

    server: Postgres
    s3: ObjectServer
    folder: Path
    listed: dict[str, Any]
    escrow: Path

    @property
    def snapshots(self) -> list[dict[str, Any]]:
        """Those on the disk, oldest first."""
        return sorted(
            (each for each in self.listed["snapshots"] if each["store"] == "disk"), key=lambda each: each["id"]
        )

    def home(self, spec: dict[str, Any]) -> Path:
        """An empty home with nothing but a spec."""
        home = self.folder / f"home-{len(list(self.folder.glob('home-*')))}"
        home.mkdir()
        (home / "rescue.yaml").write_text(yaml.safe_dump(spec))
        return home

    def restore(self, spec: dict[str, Any], snapshot: str, database: str) -> Result:
        """`ecom restore` with another spec and an empty state folder, into a new database of that name."""
        home = self.home(spec)
        target = url_with_password(self.server.create(database))
        return ecom(home / "rescue.yaml", {"ECOM_STATE": str(home / "state")}, "restore", snapshot, "--to", target)

    def rescue(self, key: Path, store: str) -> dict[str, Any]:
        """The spec that the escrowed file holds, with that key file and that store alone."""
        lines = [each.removeprefix(SPEC_MARK) for each in self.escrow.read_text().splitlines() if SPEC_MARK in each]
        spec: dict[str, Any] = yaml.safe_load("\n".join(lines))
        spec["stores"] = {store: spec["stores"][store]}
        spec["encryption"]["identity"] = {"file": str(key)}
        return spec


def ecom(spec: Path, environment: Mapping[str, str], *arguments: str) -> Result:
    """In this process: quicker than one process for each call."""
    return CliRunner().invoke(verbs, ["--spec", str(spec), *arguments], env=environment)


@pytest.fixture(scope="module")
def keyed(postgres_server: Postgres, s3_server: ObjectServer, tmp_path_factory: pytest.TempPathFactory) -> Keyed:
    folder = tmp_path_factory.mktemp("keyed")
    access = postgres_server.create("keyed", "CREATE TABLE orders AS SELECT generate_series(1, 500) AS n")
    spec = folder / "spec.yaml"
    spec.write_text(SPEC % (folder / "store", s3_server.bucket, f"http://127.0.0.1:{s3_server.port}"))
    environment = {
        "ECOM_STATE": str(folder / "state"),
        "KEYED_URL": url_with_password(access),
        "KEYED_ACCESS": s3_server.access_key,
        "KEYED_SECRET": s3_server.secret_key,
    }

    def well(*arguments: str) -> str:
        done = ecom(spec, environment, *arguments)
        assert done.exit_code == 0, done.output
        return done.stdout

    for change in ((), ("rotate",), ("add", PUBLIC)):
        if change:
            well("keys", *change)
        well("backup")
    listed = json.loads(well("keys", "list", "--json"))
    well("keys", "escrow", str(folder / "escrow.txt"))
    shutil.rmtree(folder / "state")
    return Keyed(postgres_server, s3_server, folder, listed, folder / "escrow.txt")


def test_the_list_says_which_key_opens_which_snapshot(keyed: Keyed) -> None:
    first, second, third = (each["recipients"] for each in keyed.snapshots)
    managed = [each["recipient"] for each in keyed.listed["recipients"] if each["origin"] == "managed"]
    assert (second, third) == (managed, [*managed, PUBLIC])
    assert first != managed
    assert [each["private_key_here"] for each in keyed.listed["recipients"]] == [True, False]
    assert all(each["opens_here"] for each in keyed.listed["snapshots"])
    assert {each["store"] for each in keyed.listed["snapshots"]} == {"disk", "cloud"}


def test_the_escrowed_file_is_for_its_owner_alone_and_tells_what_to_do(keyed: Keyed) -> None:
    text = keyed.escrow.read_text()
    assert keyed.escrow.stat().st_mode & 0o777 == 0o600
    assert len(Identities(text).recipients) == 2, "the old key, too"
    assert "Whoever has this file reads every backup" in text
    assert keyed.s3.secret_key not in text


def test_an_empty_machine_restores_with_the_stores_address_and_the_escrowed_file(keyed: Keyed) -> None:
    """A process of its own with no variable but the store's keys, nobody's home and no state."""
    home = keyed.home(keyed.rescue(keyed.escrow, "cloud"))
    target = keyed.server.create("keyed_rescued")
    arguments = ["restore", keyed.snapshots[0]["id"], "--to", url_with_password(target)]
    keys = {"STORE_ACCESS_KEY": keyed.s3.access_key, "STORE_SECRET_KEY": keyed.s3.secret_key}
    done = subprocess.run(
        [sys.executable, "-m", "ecom_platform.cli", "--spec", str(home / "rescue.yaml"), *arguments],
        env={"HOME": str(home), "ECOM_STATE": str(home / "state"), **keys},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert read_fingerprint(target).tables == read_fingerprint(keyed.server.access("keyed")).tables


def test_an_added_key_opens_the_snapshots_since_and_no_others(keyed: Keyed, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SOMEBODY)
    first, _, third = keyed.snapshots
    spec = keyed.rescue(tmp_path / "key", "disk")
    done = keyed.restore(spec, first["id"], "keyed_added")
    assert done.exit_code == 1
    assert f"encrypted to {first['recipients'][0]}" in done.stderr
    done = keyed.restore(spec, third["id"], "keyed_added")
    assert done.exit_code == 0, done.output


def test_without_a_key_the_error_names_who_could_open_it(keyed: Keyed) -> None:
    spec = keyed.rescue(keyed.escrow, "disk")
    del spec["encryption"]["identity"]
    done = keyed.restore(spec, "latest", "keyed_none")
    assert done.exit_code != 0
    assert PUBLIC in done.stderr
    assert keyed.snapshots[2]["recipients"][0] in done.stderr


@pytest.fixture
def program(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Ecom:
    monkeypatch.setenv("ECOM_STATE", str(tmp_path / "state"))
    return Ecom(tmp_path, capsys, monkeypatch)


def test_mistakes_are_one_clear_error_before_any_run(program: Ecom, tmp_path: Path) -> None:
    spec = tmp_path / "spec.yaml"
    spec.write_text(SPEC.replace("managed: true", f"recipients: [{PUBLIC}]") % ("store", "b", "http://127.0.0.1:1"))
    there = tmp_path / "there"
    there.touch()
    for arguments, says in (
        (("keys", "add", "age1nonsense"), "no age public key"),
        (("keys", "add", PUBLIC), "already"),
        (("keys", "rotate"), "names its recipients itself"),
    ):
        code, _, said = program.run("--spec", str(spec), *arguments)
        assert (code, says in said) == (2, True), said
    spec.write_text(
        "shop: keyed\ndatabases: [{name: o, url: {env: U}}]\nstores: {d: {url: 'file:s'}}\n"
        "encryption: {managed: true}\n"
    )
    code, _, said = program.run("--spec", str(spec), "keys", "escrow", str(there))
    assert (code, "File exists" in said) == (2, True), said
    assert there.read_text() == ""
