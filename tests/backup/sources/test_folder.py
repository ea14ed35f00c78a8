"""A folder comes back as it was, to the bit of a mode and the nanosecond, and whatever is not as it was shows red."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ecom_platform.backup.archives import copy_archive
from ecom_platform.backup.manifest import Status
from ecom_platform.backup.sources import tree_index
from ecom_platform.backup.sources.tree_proof import RESTORES, read_entries, restore_tree
from ecom_platform.backup.sources.tree_writer import read_tree
from ecom_platform.errors import CorruptBackup, MissingError, PreflightError, RefusedError
from ecom_platform.verdicts import Outcome
from tests.backup.snapshots import KEYS
from tests.backup.sources.trees import OLD, Keeper


def red(keeper: Keeper, manifest: object) -> dict[str, str]:
    done = keeper.verify(manifest)  # type: ignore[arg-type]
    return {each.claim: each.seen for each in done.verdicts if not each.passed}


def test_everything_comes_back_as_it_was(keeper: Keeper, folder: Path, tmp_path: Path) -> None:
    manifest = keeper.take(folder)
    done = restore_tree(keeper.store, manifest, KEYS, tmp_path / "back")
    assert done.outcome is Outcome.PASSED
    back = tmp_path / "back"
    assert read_tree(back) == read_entries(keeper.store, manifest, KEYS)
    assert (back / "plain.txt").stat().st_mtime_ns == OLD
    assert (back / "empty").stat().st_mtime_ns == -5_500_000_001
    assert (back / "link").lstat().st_mtime_ns == OLD + 1
    assert stat.S_IMODE((back / "script").stat().st_mode) == 0o4751
    assert (back / "dangling").readlink() == Path("/nowhere/at/all")
    assert list((back / "empty folder").iterdir()) == []
    assert b"\xff\xfe not UTF-8" in {os.fsencode(each.name) for each in back.iterdir()}
    assert manifest.fingerprint["left_out"] == 1  # the pipe


def test_a_proof_leaves_nothing_behind_and_the_source_untouched(keeper: Keeper, folder: Path, tmp_path: Path) -> None:
    before = read_tree(folder)
    done = keeper.verify(keeper.take(folder))
    assert done.outcome is Outcome.PASSED, [str(each) for each in done.verdicts]
    assert [each.name for each in (tmp_path / "scratch").iterdir()] == [".sweep"]
    assert read_tree(folder) == before
    assert keeper.catalogue().entries[0].status is Status.STORED


def test_the_stream_opens_with_plain_tar(keeper: Keeper, folder: Path, tmp_path: Path) -> None:
    manifest = keeper.take(folder)
    with (tmp_path / "content.tar").open("wb") as file:
        copy_archive(keeper.store, manifest, "content", KEYS, file.write)
    (tmp_path / "by hand").mkdir()
    subprocess.run(
        ["tar", "--delay-directory-restore", "-xpf", tmp_path / "content.tar", "-C", tmp_path / "by hand"],
        check=True,
        timeout=60,
    )
    assert read_tree(tmp_path / "by hand") == read_entries(keeper.store, manifest, KEYS)


def test_no_name_of_a_file_stands_in_clear(keeper: Keeper, folder: Path, tmp_path: Path) -> None:
    keeper.take(folder)
    stored = [each.read_bytes() for each in (tmp_path / "store").rglob("*") if each.is_file()]
    assert stored
    assert not any(b"plain.txt" in each or b"hello" in each for each in stored)


def other_byte(folder: Path) -> None:
    times = (folder / "large.bin").stat()
    with (folder / "large.bin").open("r+b") as file:
        file.seek(1_500_000)
        file.write(b"!")
    os.utime(folder / "large.bin", ns=(times.st_atime_ns, times.st_mtime_ns))


def later(path: Path, nanoseconds: int = 1) -> None:
    now = path.lstat().st_mtime_ns + nanoseconds
    os.utime(path, ns=(now, now), follow_symlinks=False)


def keeping_time(path: Path, change: Callable[[], object]) -> None:
    """Changes something in the folder without a trace in the folder's own time."""
    before = path.stat().st_mtime_ns
    change()
    os.utime(path, ns=(before, before))


CHANGES = [
    pytest.param(other_byte, tree_index.SAME_CONTENT, "large.bin: other bytes", id="a changed byte"),
    pytest.param(
        lambda folder: keeping_time(folder, lambda: (folder / "empty").write_text("no!")),
        tree_index.SAME_CONTENT,
        "empty: had 0 bytes, has 3",
        id="a longer file",
    ),
    pytest.param(
        lambda folder: (folder / "script").chmod(0o755), tree_index.SAME_MODE, "script: was 4751, is 755", id="a mode"
    ),
    pytest.param(lambda folder: later(folder / "plain.txt"), tree_index.SAME_TIME, "plain.txt: was", id="a nanosecond"),
    pytest.param(lambda folder: later(folder / "link"), tree_index.SAME_TIME, "link: was", id="the time of a link"),
    pytest.param(
        lambda folder: keeping_time(folder, (folder / "plain.txt").unlink),
        tree_index.THERE,
        "plain.txt is missing",
        id="a missing file",
    ),
    pytest.param(
        lambda folder: keeping_time(folder, (folder / "empty folder").rmdir),
        tree_index.THERE,
        "empty folder is missing",
        id="a missing empty folder",
    ),
    pytest.param(
        lambda folder: keeping_time(folder, (folder / "extra").touch),
        tree_index.THERE,
        "extra should not be there",
        id="an extra file",
    ),
    pytest.param(
        lambda folder: keeping_time(
            folder, lambda: ((folder / "link").unlink(), (folder / "link").symlink_to("script"))
        ),
        tree_index.SAME_CONTENT,
        "link: led to plain.txt, leads to script",
        id="a link that leads elsewhere",
    ),
    pytest.param(
        lambda folder: keeping_time(
            folder, lambda: ((folder / "link").unlink(), (folder / "plain.txt").rename(folder / "link"))
        ),
        tree_index.SAME_CONTENT,
        "link: was a link, is a file",
        id="a file in the place of a link",
    ),
]


@pytest.mark.parametrize(("change", "claim", "seen"), CHANGES)
def test_what_is_not_as_it_was_is_named(
    keeper: Keeper, folder: Path, change: Callable[[Path], object], claim: str, seen: str
) -> None:
    wanted = keeper.take(folder)
    change(folder)
    lie = keeper.with_content_of(wanted, keeper.take(folder))
    assert seen in red(keeper, lie)[claim]


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


DAMAGES = [
    pytest.param("content", lambda path: path.write_bytes(path.read_bytes()[:-100]), "cut off", id="content cut off"),
    pytest.param("index", lambda path: path.write_bytes(path.read_bytes()[:-1]), "cut off", id="list cut off"),
    pytest.param("content", flip, "altered", id="a flipped bit"),
    pytest.param("index", flip, "altered", id="a flipped bit in the list"),
    pytest.param("content", lambda path: path.unlink(), "not there", id="no content"),
]


@pytest.mark.parametrize(("archive", "damage", "seen"), DAMAGES)
def test_a_damaged_object_is_never_proved(
    keeper: Keeper, folder: Path, archive: str, damage: Callable[[Path], None], seen: str
) -> None:
    manifest = keeper.take(folder)
    damage(keeper.file_of(manifest, archive))
    assert seen in red(keeper, manifest)[RESTORES]


def test_exchanged_objects_are_named(keeper: Keeper, folder: Path) -> None:
    manifest = keeper.take(folder)
    content, index = (keeper.file_of(manifest, name) for name in ("content", "index"))
    first, second = content.read_bytes(), index.read_bytes()
    content.write_bytes(second)
    index.write_bytes(first)
    assert RESTORES in red(keeper, manifest)


def test_the_list_of_another_snapshot_is_refused(keeper: Keeper, folder: Path) -> None:
    first = keeper.take(folder)
    (folder / "new").touch()
    second = keeper.take(folder)
    mixed = second.model_copy(update={"objects": (second.part("content"), first.part("index"))})
    with pytest.raises(CorruptBackup, match="not the one that the manifest names"):
        read_entries(keeper.store, mixed, KEYS)


def test_a_folder_that_is_not_there_leaves_no_snapshot(keeper: Keeper, tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="is not there"):
        keeper.take(tmp_path / "nothing")
    assert keeper.objects() == []


def test_an_empty_folder_is_a_snapshot_of_one_entry(keeper: Keeper, tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    manifest = keeper.take(tmp_path / "media")
    assert manifest.fingerprint["entries"] == 1
    assert keeper.verify(manifest).outcome is Outcome.PASSED


def test_nothing_is_overwritten(keeper: Keeper, folder: Path, tmp_path: Path) -> None:
    manifest = keeper.take(folder)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "precious").write_text("mine")
    with pytest.raises(RefusedError, match="not empty"):
        restore_tree(keeper.store, manifest, KEYS, tmp_path / "used")
    with pytest.raises(RefusedError, match="no folder"):
        restore_tree(keeper.store, manifest, KEYS, tmp_path / "no" / "parent")
    assert (tmp_path / "used" / "precious").read_text() == "mine"


def test_a_full_disk_is_an_error_that_says_so(small_disk: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    keeper = Keeper(tmp_path_factory.mktemp("elsewhere"))
    (keeper.place / "media").mkdir()
    (keeper.place / "media" / "noise").write_bytes(os.urandom(9_000_000))
    manifest = keeper.take(keeper.place / "media")
    with pytest.raises(PreflightError, match="No space left"):
        restore_tree(keeper.store, manifest, KEYS, small_disk / "back")
