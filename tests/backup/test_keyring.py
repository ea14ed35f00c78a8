"""The keys of a platform: made once, added, rotated, and never lost by who is killed in between."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ecom_platform.backup.encryption import Identities, new_identity
from ecom_platform.backup.keyring import KeyRing
from ecom_platform.errors import ConfigurationError
from ecom_platform.spec import Encryption

SOMEBODY = new_identity()
(PUBLIC,) = Identities(SOMEBODY).recipients


def ring(folder: Path, encryption: Encryption | None = None) -> KeyRing:
    return KeyRing(folder / "secrets", folder / "recipients", encryption or Encryption(managed=True))


def opens(ring: KeyRing) -> set[str]:
    return set(Identities("\n".join(ring.identities())).recipients)


def test_the_managed_key_is_made_once_whoever_comes_first(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: ring(tmp_path).recipients(), range(8)))
    assert len(found) == 1
    assert opens(ring(tmp_path)) == set(*found)
    files = [each for each in (tmp_path / "secrets").iterdir() if not each.name.startswith(".")]
    assert [each.stat().st_mode & 0o777 for each in files] == [0o600]


def test_a_machine_whose_private_keys_were_taken_away_still_encrypts(tmp_path: Path) -> None:
    before = ring(tmp_path).recipients()
    shutil.rmtree(tmp_path / "secrets")
    assert ring(tmp_path).recipients() == before
    assert ring(tmp_path).identities() == ()
    assert not list((tmp_path / "secrets").glob("age*"))


def test_a_key_of_before_there_was_a_file_of_recipients_is_kept(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "age-identity").write_text(SOMEBODY.splitlines()[-1])
    assert ring(tmp_path).recipients() == (PUBLIC,)


def test_a_managed_key_counts_only_while_the_spec_says_managed(tmp_path: Path) -> None:
    ring(tmp_path).add(PUBLIC)
    own = Encryption(recipients=(Identities(new_identity()).recipients[0],))
    assert ring(tmp_path, own).recipients() == (*own.recipients, PUBLIC)
    assert ring(tmp_path, own).identities() == ()


def test_an_added_key_opens_too_and_is_there_once(tmp_path: Path) -> None:
    (first,) = ring(tmp_path).recipients()
    ring(tmp_path).add(PUBLIC)
    assert ring(tmp_path).recipients() == (first, PUBLIC)
    with pytest.raises(ConfigurationError, match="already"):
        ring(tmp_path).add(PUBLIC)
    with pytest.raises(ConfigurationError, match="no age public key"):
        ring(tmp_path).add("age1nonsense")
    of_spec = ring(tmp_path / "other", Encryption(recipients=(PUBLIC,)))
    with pytest.raises(ConfigurationError, match="already"):
        of_spec.add(PUBLIC)


def test_a_rotated_key_takes_the_place_of_the_old_one_whose_private_half_stays(tmp_path: Path) -> None:
    ring(tmp_path).add(PUBLIC)
    first = ring(tmp_path).recipients()[0]
    old, new = ring(tmp_path).rotate()
    assert (old, new != old) == (first, True)
    assert set(ring(tmp_path).recipients()) == {new, PUBLIC}
    assert opens(ring(tmp_path)) == {old, new}
    with pytest.raises(ConfigurationError, match="age-keygen"):
        ring(tmp_path / "other", Encryption(recipients=(PUBLIC,))).rotate()


def test_a_rotation_that_was_killed_in_between_lost_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (before,) = ring(tmp_path).recipients()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(KeyRing, "_write_public", killed)
        with pytest.raises(KeyboardInterrupt):
            ring(tmp_path).rotate()
    assert ring(tmp_path).recipients() == (before,)
    assert before in opens(ring(tmp_path))
    _, new = ring(tmp_path).rotate()
    assert ring(tmp_path).recipients() == (new,)


def test_a_damaged_file_of_recipients_is_said(tmp_path: Path) -> None:
    ring(tmp_path).add(PUBLIC)
    (tmp_path / "recipients").write_text("nonsense\n")
    with pytest.raises(ConfigurationError, match="no line of it: 'nonsense'"):
        ring(tmp_path).recipients()
